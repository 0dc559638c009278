/** The Python environments of the stand-ins and the worker, from their locks, below `.local/venv`. */
import { createHash } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { shell } from "../../commands/support/shell";
import type { Needs, Outcome, Report, System } from "../phase";
import { logOf, type Places } from "../places";
import { identityOf } from "../services";
import type { Tools } from "./tools";

/** Interpreters of the environments. Those that the system at hand does not need are named, and may not be there. */
export type Pythons = Readonly<Record<keyof typeof SOURCES, string>>;

/** What an environment is made from: its folder below `.local/venv`, and its lock, relative to the checkout. */
export interface PythonSource {
  readonly folder: string;
  readonly lock: string;
}

/** What making an environment takes. */
type PythonNeeds = Pick<Needs, "env" | "places" | "signal"> & { readonly tools: Pick<Tools, "python" | "uv"> };

const SOURCES = {
  standIns: { folder: "standins", lock: "local/standins/requirements.lock" },
  worker: { folder: "worker", lock: "userdata/worker/requirements.lock" },
  triton: { folder: "triton", lock: "local/triton/requirements.lock" },
  denoise: { folder: "denoise-service", lock: "containers/denoise/service/requirements.lock" },
  // The lock of the image is for GPUs; that of the tests has the same on a processor.
  productInference: {
    folder: "product-inference-dev",
    lock: "containers/product-inference/service/requirements-dev.lock",
  },
  // AWS's runtime interface client is among what its tests need.
  mlFunction: { folder: "ml-xgboost-dev", lock: "lambdas/ml-xgboost/requirements-dev.lock" },
  music: { folder: "music", lock: "containers/music/requirements-local.lock" },
} as const;

/** What each system's programs run on. */
const NEEDED: Readonly<Record<System, readonly (keyof typeof SOURCES)[]>> = {
  nanogrid: ["standIns", "worker"],
  denoise: ["standIns", "triton", "denoise"],
  inference: ["standIns", "productInference"],
  "ml-function": ["standIns", "mlFunction"],
  music: ["music"],
};

const INSTALL_MS = 600_000;
const POLL_MS = 250;

/** Makes each environment that the system needs anew when its lock has changed, and leaves it alone otherwise. */
export async function preparePythons(needs: Needs<"tools">, report: Report): Promise<Outcome<Pythons>> {
  let made = 0;
  for (const name of NEEDED[needs.options.system]) {
    const environment = await preparePython(SOURCES[name], needs, report);
    made += environment.made ? 1 : 0;
  }
  const interpreters = Object.entries(SOURCES).map(([name, { folder }]) => [name, interpreterOf(needs.places, folder)]);
  return {
    value: Object.fromEntries(interpreters) as Pythons,
    summary: made === 0 ? "unchanged" : `${made} made with ${needs.tools.uv === undefined ? "pip" : "uv"}`,
  };
}

/**
 * Makes one environment anew when its lock has changed. One at a time for each: tests prepare them side by side.
 *
 * @returns its interpreter, and whether it was made
 */
export async function preparePython(
  source: PythonSource,
  needs: PythonNeeds,
  report: Report,
): Promise<{ python: string; made: boolean }> {
  const { places, signal } = needs;
  mkdirSync(places.venvs, { recursive: true });
  const guard = join(places.venvs, `${source.folder}.busy`);
  while (!taken(guard)) {
    report.say(`${source.folder}: waiting for another run that makes it`);
    await sleep(POLL_MS, undefined, { signal });
  }
  try {
    return await prepareAlone(source, needs, report);
  } finally {
    rmSync(guard, { force: true });
  }
}

/** Takes a guard: the file that only one can create. One whose holder is gone was left by a run that was killed. */
function taken(guard: string): boolean {
  const own = `${guard}.${process.pid}`;
  writeFileSync(own, `${process.pid} ${identityOf(process.pid)}`);
  try {
    linkSync(own, guard);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw error;
    }
    if (!holderLives(guard)) {
      rmSync(guard, { force: true });
    }
    return false;
  } finally {
    rmSync(own);
  }
}

function holderLives(guard: string): boolean {
  try {
    const [pid, identity] = readFileSync(guard, "utf8").split(" ");
    return identityOf(Number(pid)) === identity;
  } catch {
    // Given back meanwhile.
    return true;
  }
}

async function prepareAlone(
  source: PythonSource,
  { env, places, signal, tools }: PythonNeeds,
  report: Report,
): Promise<{ python: string; made: boolean }> {
  const folder = join(places.venvs, source.folder);
  const python = interpreterOf(places, source.folder);
  const lock = join(places.project, source.lock);
  const stamp = join(folder, ".made-from");
  const wanted = createHash("sha256").update(readFileSync(lock)).update(tools.python).digest("hex");
  if (existsSync(python) && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) {
    return { python, made: false };
  }
  rmSync(folder, { recursive: true, force: true });
  const how = {
    env: { ...env, VIRTUAL_ENV: undefined, PYTHONPATH: undefined },
    log: logOf(places, `python-${source.folder}`),
    timeoutMs: INSTALL_MS,
    signal,
    onLine: (line: string) => report.say(`${source.folder}: ${line.trim().slice(0, 100)}`),
    remedy: "The packages come from the Python package index: it has to be reachable.",
  };
  report.say(`${source.folder}: creating`);
  if (tools.uv === undefined) {
    const venv = "On Debian or Ubuntu: sudo apt-get install --yes python3-venv";
    await shell(tools.python, ["-m", "venv", folder], { ...how, remedy: venv });
    await shell(python, ["-m", "pip", "install", "--disable-pip-version-check", "--requirement", lock], how);
  } else {
    await shell(tools.uv, ["venv", "--no-project", "--python", tools.python, folder], how);
    await shell(tools.uv, ["pip", "install", "--python", python, "--requirement", lock], how);
  }
  writeFileSync(stamp, wanted);
  return { python, made: true };
}

function interpreterOf(places: Places, folder: string): string {
  return join(places.venvs, folder, "bin", "python");
}
