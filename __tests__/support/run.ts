/** Runs a program and gives its output, or an error with all that it said. */
import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";

/** How a program runs. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** @default 120000 */
  readonly timeoutMs?: number;
}

/**
 * @returns standard output
 * @throws Error with the command, its exit status, and both outputs
 */
export function run(command: string, args: readonly string[], options: RunOptions = {}): string {
  try {
    return execFileSync(command, args, { ...limited(options), stdio: ["pipe", "pipe", "pipe"] });
  } catch (error) {
    throw failure(command, args, error as Failed);
  }
}

/** As {@link run}, while the test's own servers go on. */
export async function runBeside(
  command: string,
  args: readonly string[],
  options: Omit<RunOptions, "input"> = {},
): Promise<string> {
  try {
    return (await execute(command, args, limited(options))).stdout;
  } catch (error) {
    throw failure(command, args, error as Failed);
  }
}

const execute = promisify(execFile);

interface Failed {
  /** Exit status of a program that was waited for, and `code` of one that was not. */
  readonly status?: number | null;
  readonly code?: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

function limited({ timeoutMs = 120_000, ...rest }: RunOptions) {
  return { ...rest, encoding: "utf8" as const, timeout: timeoutMs, maxBuffer: 64 * 1024 ** 2 };
}

function failure(command: string, args: readonly string[], { code, status = null, stdout, stderr }: Failed): Error {
  return new Error(`${command} ${args.join(" ")}: exit status ${status ?? code}\n${stdout}\n${stderr}`);
}
