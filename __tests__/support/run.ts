/** Runs a program and gives its output, or an error with all that it said. */
import { execFileSync } from "node:child_process";

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
  const { timeoutMs = 120_000, ...rest } = options;
  try {
    return execFileSync(command, args, {
      ...rest,
      encoding: "utf8",
      timeout: timeoutMs,
      stdio: ["pipe", "pipe", "pipe"],
      maxBuffer: 64 * 1024 ** 2,
    });
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number | null; stdout: string; stderr: string };
    throw new Error(`${command} ${args.join(" ")}: exit status ${status}\n${stdout}\n${stderr}`);
  }
}
