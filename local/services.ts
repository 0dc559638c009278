/**
 * Programs that keep running behind `npm start`: started once, found again by the next run, stopped by `npm run local:down`.
 *
 * Each has a record in `.local/run`. A process counts as ours only while its start time is the recorded one, so that a number that
 * the system has given to another process since is never signalled.
 */
import { execFileSync, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Problem } from "../commands/support/problem";
import { signalGroup } from "../commands/support/shell";
import { logOf, type Places } from "./places";

/** A process that runs in the background. */
export interface Service {
  readonly name: string;
  readonly pid: number;
  /** When the process started, as the system tells it; identifies it together with `pid`. */
  readonly identity: string;
  /** What it was started from; another value means that it has to be started anew. */
  readonly fingerprint: string;
}

/** How a service is started. */
export interface ServiceSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The whole environment. */
  readonly env: NodeJS.ProcessEnv;
  /** Changes when the running one is out of date. */
  readonly fingerprint: string;
  /** Whether it answers. */
  readonly ready: () => Promise<boolean>;
  /** Longest wait for that, in milliseconds. */
  readonly readyMs: number;
}

const POLL_MS = 100;
/** How long {@link answersOk} waits. */
const PROBE_MS = 2_000;

/** The running service of that name, or undefined; the record of one that is gone is removed. */
export function findService(places: Places, name: string): Service | undefined {
  const file = recordOf(places, name);
  let service: Service;
  try {
    service = JSON.parse(readFileSync(file, "utf8")) as Service;
  } catch {
    return undefined;
  }
  if (identityOf(service.pid) === service.identity) {
    return service;
  }
  rmSync(file, { force: true });
  return undefined;
}

/** Names of all services with a record. */
export function recordedServices(places: Places): string[] {
  try {
    return readdirSync(places.run)
      .filter((file) => file.endsWith(".json"))
      .map((file) => file.slice(0, -".json".length));
  } catch {
    return [];
  }
}

/** Records a process that runs already, such as this one. */
export function recordService(places: Places, name: string, pid: number, fingerprint = ""): Service {
  const identity = identityOf(pid);
  if (identity === undefined) {
    throw new Problem(
      `${name} (pid ${pid}) ended before it could be recorded.`,
      "Look at its log.",
      logOf(places, name),
    );
  }
  const service = { name, pid, identity, fingerprint };
  mkdirSync(places.run, { recursive: true });
  writeFileSync(recordOf(places, name), `${JSON.stringify(service)}\n`);
  return service;
}

/** Removes a record without touching the process. */
export function forgetService(places: Places, name: string): void {
  rmSync(recordOf(places, name), { force: true });
}

/**
 * Starts a service and waits until it answers.
 *
 * @throws Problem when it ends or does not answer in time; it is stopped then
 */
export async function startService(places: Places, spec: ServiceSpec, signal: AbortSignal): Promise<Service> {
  const log = logOf(places, spec.name);
  mkdirSync(places.logs, { recursive: true });
  const output = openSync(log, "a");
  const child = spawn(spec.command, spec.args, {
    cwd: spec.cwd,
    env: spec.env,
    detached: true,
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  child.unref();
  let ended: string | undefined;
  child.once("error", (error) => {
    ended = error.message;
  });
  child.once("exit", (code, by) => {
    ended = by === null ? `exit code ${code}` : `signal ${by}`;
  });
  await sleep(POLL_MS);
  if (child.pid === undefined || ended !== undefined) {
    throw new Problem(`${spec.name} did not start: ${ended ?? "no process"}.`, "Its log says why.", log);
  }
  const service = recordService(places, spec.name, child.pid, spec.fingerprint);
  try {
    const deadline = Date.now() + spec.readyMs;
    while (!(await spec.ready())) {
      signal.throwIfAborted();
      if (ended !== undefined) {
        throw new Problem(`${spec.name} ended while it started: ${ended}.`, "Its log says why.", log);
      }
      if (Date.now() > deadline) {
        throw new Problem(`${spec.name} did not answer within ${spec.readyMs / 1000} s.`, "Its log says why.", log);
      }
      await sleep(POLL_MS);
    }
  } catch (error) {
    await stopService(places, spec.name, 5_000);
    throw error;
  }
  return service;
}

/**
 * Ends a service: SIGTERM, and SIGKILL to its whole group when it is still there after `graceMs`.
 *
 * @returns whether there was one
 */
export async function stopService(places: Places, name: string, graceMs: number): Promise<boolean> {
  const service = findService(places, name);
  if (service === undefined) {
    return false;
  }
  const runs = () => identityOf(service.pid) === service.identity;
  const deadline = Date.now() + graceMs;
  tryToSignal(service.pid, "SIGTERM");
  while (runs() && Date.now() < deadline) {
    await sleep(POLL_MS);
  }
  if (runs()) {
    signalGroup(service.pid, "SIGKILL");
  }
  forgetService(places, name);
  return true;
}

/** What tells a process from another one with the same number, before or after it: undefined when there is none or it is a zombie. */
export function identityOf(pid: number): string | undefined {
  if (process.platform === "linux") {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const [state, startTicks] = [fields[0], fields[19]];
      const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
      return state === "Z" ? undefined : `${boot}:${startTicks}`;
    } catch {
      return undefined;
    }
  }
  try {
    return (
      execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8", timeout: 5_000 }).trim() || undefined
    );
  } catch {
    return undefined;
  }
}

function recordOf(places: Places, name: string): string {
  return join(places.run, `${name}.json`);
}

function tryToSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}

/** Whether a service answers a GET request with success, in time. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(PROBE_MS) })).ok;
  } catch {
    return false;
  }
}
