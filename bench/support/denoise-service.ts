/** The Denoise service as processes of this machine: Triton on the processor, the API under gunicorn, the stand-in of S3. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { freePort, startStandIns, until } from "../../__tests__/support/servers";
import { DenoiseApi } from "../../commands/support/denoise/api";
import { encodeTiff, exposedFrame, OFFSET } from "../../commands/support/denoise/frame";
import { clientOptions, programClouds, withoutAccounts } from "../../local/clouds";
import { IN_BUCKET, OUT_BUCKET } from "../../modules/denoise/names";
import { loadSettings } from "../../modules/platform/settings";
import type { FrameRun } from "./denoise-tables";

const MODELS = ["efficient", "powerful"] as const;
const READY_MS = 180_000;
const FRAME_MS = 900_000;
const SERVICE_PYTHON = resolve(
  process.env.NANOGRID_DENOISE_SERVICE_DEV_PYTHON ?? ".local/venv/denoise-service-dev/bin/python",
);

/** What goes through. */
export interface FrameRuns {
  /** Python of local/triton. */
  readonly python: string;
  /** Pixels of each side. */
  readonly side: number;
  /** Frames of each model. */
  readonly images: number;
  /** Threads of each model. */
  readonly threads: number;
}

/** Sends frames through the whole service, the models in turns. */
export async function runFrames({ python, side, images, threads }: FrameRuns): Promise<FrameRun[]> {
  const { accountId, region } = loadSettings("local");
  const folder = mkdtempSync(join(tmpdir(), "denoise-"));
  const standIns = await startStandIns(accountId);
  const processes: ChildProcess[] = [];
  try {
    const s3 = new S3Client({ ...clientOptions(standIns.ports, region), forcePathStyle: true });
    for (const Bucket of [IN_BUCKET, OUT_BUCKET]) {
      await s3.send(
        new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: region as never } }),
      );
    }
    const { noisy } = exposedFrame({ size: side, photons: 100, seed: 6 });
    await s3.send(new PutObjectCommand({ Bucket: IN_BUCKET, Key: "frame.tif", Body: encodeTiff(noisy) }));

    const launch = async (
      program: string,
      args: readonly string[],
      cwd: string,
      env: NodeJS.ProcessEnv,
      url: string,
    ) => {
      const log = join(folder, `${processes.length}.log`);
      const output = openSync(log, "a");
      const child = spawn(program, args, {
        cwd,
        env: { ...withoutAccounts(process.env), ...env },
        stdio: ["ignore", output, output],
      });
      processes.push(child);
      await until(`${url} answers`, () => child.exitCode !== null || answers(url), READY_MS).catch(() => undefined);
      if (child.exitCode !== null || !(await answers(url))) {
        throw new Error(
          `${args.slice(0, 2).join(" ")} is not ready. It says:\n${readFileSync(log, "utf8").slice(-3_000)}`,
        );
      }
    };
    const [http, grpc, metrics, port] = [await freePort(), await freePort(), await freePort(), await freePort()];
    const ports = ["--http-port", http, "--grpc-port", grpc, "--metrics-port", metrics, "--threads", threads].map(
      String,
    );
    const models = ["--model-repository", resolve("containers/denoise/models")];
    const ready = `http://127.0.0.1:${http}/v2/health/ready`;
    await launch(python, ["-m", "triton_cpu", ...models, ...ports], "local/triton", {}, ready);
    const url = `http://127.0.0.1:${port}`;
    const gunicorn = ["-m", "gunicorn", "--config=gunicorn.conf.py", "denoise_service.wsgi:create_app()"];
    const env = {
      ...programClouds(standIns.ports, region),
      AWS_REGION: region,
      DDN_IN_BUCKET: IN_BUCKET,
      DDN_OUT_BUCKET: OUT_BUCKET,
      DDN_PORT: String(port),
      DDN_TRITON_HTTP: `127.0.0.1:${http}`,
      DDN_TRITON_GRPC: `127.0.0.1:${grpc}`,
      // On a processor, a tile of a large frame takes longer than the 30 s that a GPU may.
      DDN_TRITON_CALL_SECONDS: "600",
      DDN_TEMP_DIR: join(folder, "temp"),
    };
    await launch(SERVICE_PYTHON, gunicorn, "containers/denoise/service", env, `${url}/healthz`);
    return await framesThrough(url, region, images);
  } finally {
    await Promise.all(processes.map(end));
    await standIns.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function framesThrough(url: string, region: string, images: number): Promise<FrameRun[]> {
  const config = {
    region,
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 1, requestTimeout: 1, throwOnRequestTimeout: true as const },
  };
  const api = await DenoiseApi.open({ config, url, say: () => undefined });
  const runs: FrameRun[] = [];
  for (let image = 0; image < images; image++) {
    for (const model of MODELS) {
      const begun = performance.now();
      const request = { file: "frame.tif", output: `${model}-${image}.tif`, model, strength: 10 } as const;
      const done = await api.infer({ ...request, digital_offset: OFFSET, using_bits: 16, pixel_pitch: 140 }, FRAME_MS);
      runs.push({ model, steps: done.steps, seconds: (performance.now() - begun) / 1_000 });
      process.stderr.write(`${model}: ${(runs.at(-1)?.seconds ?? 0).toFixed(1)} s\n`);
    }
  }
  return runs;
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = once(child, "exit");
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
    await gone;
    clearTimeout(timer);
  }
}
