/** Running programs to their end: every line into a log file, a time limit, and an error that names the log. */
import { spawn } from "node:child_process";
import { accessSync, appendFileSync, constants, mkdirSync, statSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { Problem } from "./problem";

/** How a program is run. */
export interface ShellOptions {
  /** Working directory. @default the current one */
  readonly cwd?: string;
  /** The whole environment: nothing else is passed on. */
  readonly env: NodeJS.ProcessEnv;
  /** File that stdout and stderr are appended to. @default nowhere */
  readonly log?: string;
  /** Limit in milliseconds, after which the program is ended. */
  readonly timeoutMs: number;
  /** Called with each line of stdout and stderr as it comes. */
  readonly onLine?: (line: string) => void;
  /** Interrupts the program when aborted. */
  readonly signal?: AbortSignal;
  /** What to do when it fails. @default a pointer to the log */
  readonly remedy?: string;
  /** Whether stdout stays out of the log, for output that is data. @default false */
  readonly quiet?: boolean;
}

/** Time that an interrupted program has to save what it holds: Terraform writes its state and frees its lock. */
const GRACE_MS = 60_000;
/** Lines of stderr that an error quotes where there is no log to point at. */
const QUOTED_LINES = 3;

/**
 * Runs a program in a process group of its own, so that Ctrl-C reaches it once, from here.
 *
 * @returns its stdout
 * @throws Problem when it cannot be started, fails, or exceeds its time
 * @throws Interrupted when `signal` was aborted
 */
export async function shell(command: string, args: readonly string[], options: ShellOptions): Promise<string> {
  return (await shellResult(command, args, options)).stdout;
}

/** What a program left behind. */
export interface ShellResult {
  readonly code: number;
  readonly stdout: string;
}

/** As {@link shell}, for programs whose exit code is an answer: those in `accept` are no failure. */
export async function shellResult(
  command: string,
  args: readonly string[],
  options: ShellOptions,
  accept: readonly number[] = [0],
): Promise<ShellResult> {
  const { cwd, env, log, timeoutMs, onLine, signal, quiet = false } = options;
  const name = [basename(command), ...args.slice(0, 2)].join(" ");
  const append = logger(log);
  append(`$ ${[command, ...args].join(" ")}`);

  const child = spawn(command, args, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const stdout: string[] = [];
  const stderr: string[] = [];
  const ended = Promise.all([
    new Promise<Ending>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, killedBy) => resolve({ code, killedBy }));
    }),
    eachLine(child.stdout, (line) => {
      stdout.push(line);
      if (!quiet) {
        append(line);
        onLine?.(line);
      }
    }),
    eachLine(child.stderr, (line) => {
      stderr.push(line);
      append(line);
      onLine?.(line);
    }),
  ]);

  let forced: NodeJS.Timeout | undefined;
  let timedOut = false;
  const interrupt = () => {
    signalGroup(child.pid, "SIGINT");
    forced = setTimeout(() => signalGroup(child.pid, "SIGKILL"), GRACE_MS);
  };
  const limit = setTimeout(() => {
    timedOut = true;
    interrupt();
  }, timeoutMs);
  signal?.addEventListener("abort", interrupt, { once: true });
  if (signal?.aborted) {
    interrupt();
  }

  try {
    const [{ code, killedBy }] = await ended;
    if (signal?.aborted) {
      throw new Interrupted(name);
    }
    if (code === null || !accept.includes(code) || timedOut) {
      const how = timedOut
        ? `took longer than ${Math.round(timeoutMs / 1000)} s`
        : code === null
          ? `was ended by ${killedBy}`
          : `ended with exit code ${code}`;
      const quoted = log === undefined ? ` ${stderr.slice(-QUOTED_LINES).join(" ")}`.trimEnd() : "";
      throw new Problem(`${name} ${how}.${quoted}`, options.remedy ?? "What it printed last says why.", log);
    }
    return { code, stdout: stdout.join("\n") };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      throw new Problem(`${name}: no such program, or no such folder to run it in.`, options.remedy ?? "Install it.");
    }
    throw error;
  } finally {
    clearTimeout(limit);
    clearTimeout(forced);
    signal?.removeEventListener("abort", interrupt);
  }
}

interface Ending {
  readonly code: number | null;
  readonly killedBy: NodeJS.Signals | null;
}

/** Thrown when the person at the keyboard ended the run. */
export class Interrupted extends Error {
  constructor(name: string) {
    super(`${name} was interrupted.`);
    this.name = "Interrupted";
  }
}

/** Signals a process group; one that is gone is fine. */
export function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid !== undefined) {
    try {
      process.kill(-pid, signal);
    } catch {
      // Gone already.
    }
  }
}

/** The path of a program on PATH, or undefined. */
export function which(program: string, env: NodeJS.ProcessEnv): string | undefined {
  const folders = (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, program)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

async function eachLine(stream: Readable, take: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    take(stripVTControlCharacters(line).trimEnd());
  }
}

function logger(file: string | undefined): (line: string) => void {
  if (file === undefined) {
    return () => undefined;
  }
  mkdirSync(dirname(file), { recursive: true });
  return (line) => appendFileSync(file, `${line}\n`);
}
