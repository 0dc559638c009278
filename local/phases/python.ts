/** The Python environments of the stand-ins and the worker, from their locks, below `.local/venv`. */
import { createHash } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { shell } from "../../commands/support/shell";
import type { Needs, Outcome, Report } from "../phase";
import { logOf } from "../places";
import { identityOf } from "../services";

/** Interpreters of the environments. */
export interface Pythons {
  readonly standIns: string;
  readonly worker: string;
}

/** What an environment is made from: its folder below `.local/venv`, and its lock, relative to the checkout. */
export interface PythonSource {
  readonly folder: string;
  readonly lock: string;
}

const SOURCES = {
  standIns: { folder: "standins", lock: "local/standins/requirements.lock" },
  worker: { folder: "worker", lock: "userdata/worker/requirements.lock" },
} as const;

const INSTALL_MS = 600_000;
const POLL_MS = 250;

/** Makes each environment anew when its lock has changed, and leaves it alone otherwise. */
export async function preparePythons(needs: Needs<"tools">, report: Report): Promise<Outcome<Pythons>> {
  const standIns = await preparePython(SOURCES.standIns, needs, report);
  const worker = await preparePython(SOURCES.worker, needs, report);
  const made = [standIns, worker].filter((environment) => environment.made).length;
  return {
    value: { standIns: standIns.python, worker: worker.python },
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
  needs: Needs<"tools">,
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
  { env, places, signal, tools }: Needs<"tools">,
  report: Report,
): Promise<{ python: string; made: boolean }> {
  const folder = join(places.venvs, source.folder);
  const python = join(folder, "bin", "python");
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
