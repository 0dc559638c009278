/** The image `deepdenoising-triton`: what it is built from, its tag, and the commands of its three containers. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ArtifactFile } from "../../modules/platform/artifact";
import { type ImageSource, imageSource, sourcesBelow } from "../../modules/platform/image-source";
import { pageFiles } from "./page/build";

const FOLDER = "containers/denoise";
/** Files of the service at the top of its folder that the image takes. */
const SERVICE_TOP = ["gunicorn.conf.py", "requirements.lock"] as readonly string[];

/** Ports of the task's containers. Only the API's is reachable from outside of the task. */
export const DENOISE_PORTS = { api: 50101, tritonHttp: 50201, tritonGrpc: 58202, tritonMetrics: 8002 } as const;

/** What each container of the task runs. */
export const DENOISE_COMMANDS = {
  triton: [
    "tritonserver",
    "--model-repository=/opt/denoise/models",
    `--http-port=${DENOISE_PORTS.tritonHttp}`,
    `--grpc-port=${DENOISE_PORTS.tritonGrpc}`,
    `--metrics-port=${DENOISE_PORTS.tritonMetrics}`,
    // The containers of a task share one loopback: nobody else reaches Triton.
    "--http-address=127.0.0.1",
    "--grpc-address=127.0.0.1",
    "--metrics-address=127.0.0.1",
    "--exit-timeout-secs=25",
  ],
  api: ["python3", "-m", "gunicorn", "--config=/opt/denoise/gunicorn.conf.py", "denoise_service.wsgi:create_app()"],
  metrics: ["python3", "-m", "denoise_service.sidecar"],
} as const;

/** Health checks of the containers, as ECS takes them. The sidecar has none: the task lives on without it. */
export const DENOISE_HEALTH_CHECKS = {
  triton: probe(`http://127.0.0.1:${DENOISE_PORTS.tritonHttp}/v2/health/ready`),
  api: probe(`http://127.0.0.1:${DENOISE_PORTS.api}/ping`),
} as const;

/** The image's sources, laid out as a build context. */
export function denoiseImage(): ImageSource {
  return imageSource("denoise", contextFiles());
}

/** Every file that the Dockerfile copies, and the Dockerfile: nothing else is in the context. */
export function contextFiles(): readonly ArtifactFile[] {
  return [
    { path: "Dockerfile", content: readFileSync(join(FOLDER, "Dockerfile")) },
    ...sourcesBelow(FOLDER, "service", (path) => path.startsWith("denoise_service/") || SERVICE_TOP.includes(path)),
    ...sourcesBelow(FOLDER, "models"),
    ...pageFiles().map((file) => ({ ...file, path: `page/${file.path}` })),
  ];
}

function probe(url: string): readonly string[] {
  return ["CMD", "python3", "-m", "denoise_service.probe", url];
}
