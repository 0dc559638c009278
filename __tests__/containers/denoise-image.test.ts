/** The image of the Denoise service: its build context, its tag, and its Dockerfile, as far as they can be checked without a registry. */
import { readFileSync } from "node:fs";
import { contextFiles, DENOISE_COMMANDS, DENOISE_PORTS, denoiseImage } from "../../containers/denoise/image";
import { METRICS_NAMESPACE } from "../../containers/denoise/permissions";
import { describeBuildContext, describeSafeDockerfile, dockerfileAt } from "../support/image";

const DOCKERFILE = dockerfileAt("containers/denoise/Dockerfile");

describeBuildContext({
  dockerfile: DOCKERFILE,
  files: contextFiles(),
  image: denoiseImage,
  has: [
    "Dockerfile",
    "service/requirements.lock",
    "service/gunicorn.conf.py",
    "service/denoise_service/wsgi.py",
    "service/denoise_service/sidecar.py",
    "models/efficient/config.pbtxt",
    "models/powerful/1/model.onnx",
    "page/index.html",
  ],
});

describe("the Dockerfile", () => {
  describeSafeDockerfile(DOCKERFILE, "containers/denoise/service/requirements.lock");

  test("the base is pinned and can be given as a digest", () => {
    expect(DOCKERFILE.values("ARG")).toEqual(["TRITON_IMAGE=nvcr.io/nvidia/tritonserver:25.01-py3"]);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Docker's own interpolation.
    expect(DOCKERFILE.values("FROM")).toEqual(["${TRITON_IMAGE}"]);
  });

  test("it runs the API where no command is given", () => {
    expect(JSON.parse(DOCKERFILE.values("CMD")[0] as string)).toEqual(DENOISE_COMMANDS.api);
    expect(DOCKERFILE.values("EXPOSE")).toEqual([String(DENOISE_PORTS.api)]);
  });
});

describe("what the program and its statements agree on", () => {
  const settings = readFileSync("containers/denoise/service/denoise_service/settings.py", "utf8");

  test("ports and the namespace are the program's defaults", () => {
    expect(settings).toContain(`ddn_port: int = Field(${DENOISE_PORTS.api},`);
    expect(settings).toContain(`Field("127.0.0.1:${DENOISE_PORTS.tritonHttp}"`);
    expect(settings).toContain(`Field("127.0.0.1:${DENOISE_PORTS.tritonGrpc}"`);
    expect(settings).toContain(`127.0.0.1:${DENOISE_PORTS.tritonMetrics}/metrics`);
    expect(settings).toContain(`ddn_metrics_namespace: Name = Field("${METRICS_NAMESPACE}"`);
  });
});
