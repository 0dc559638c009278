/** Errors that a person can act on, and how commands print them. */
import { readFileSync } from "node:fs";

/** What went wrong in one sentence, and what to do about it in another. */
export class Problem extends Error {
  /**
   * @param what what was expected, what came, and where
   * @param remedy what to do
   * @param log file whose last lines explain more
   */
  constructor(
    readonly what: string,
    readonly remedy: string,
    readonly log?: string,
    options?: ErrorOptions,
  ) {
    super(`${what} ${remedy}`, options);
    this.name = "Problem";
  }
}

/** Several problems found by one look, to be mended in one go. */
export class Problems extends Error {
  constructor(readonly problems: readonly Problem[]) {
    super(problems.map((problem) => problem.message).join("\n"));
    this.name = "Problems";
  }
}

const LOG_LINES = 20;

/**
 * The text for a person: sentences and remedies, the end of the log that belongs to it, and no stack trace unless asked for.
 *
 * @param error whatever was thrown
 * @param verbose whether the stack trace is wanted
 */
export function explain(error: unknown, verbose = false): string {
  const lines: string[] = [];
  if (error instanceof Problems) {
    lines.push(...error.problems.flatMap((problem) => [`✖ ${problem.what}`, `  ${problem.remedy}`]));
  } else if (error instanceof Problem) {
    lines.push(`✖ ${error.what}`, `  ${error.remedy}`);
    if (error.log !== undefined) {
      lines.push("", `The end of ${error.log}:`, ...tail(error.log).map((line) => `  │ ${line}`));
    }
  } else {
    lines.push(`✖ ${error instanceof Error ? error.message : String(error)}`);
  }
  if (verbose && error instanceof Error) {
    lines.push("", error.stack ?? "", ...(error.cause instanceof Error ? [error.cause.stack ?? ""] : []));
  }
  return lines.join("\n");
}

/** The last lines of a file, none when it cannot be read. */
function tail(file: string, count = LOG_LINES): string[] {
  try {
    return readFileSync(file, "utf8").trimEnd().split("\n").slice(-count);
  } catch {
    return [];
  }
}

/**
 * Runs a command's body; an error is explained on stderr and ends the process with exit code 1.
 *
 * @param body the command
 * @param verbose whether stack traces are printed
 */
export async function runCommand(body: () => Promise<void>, verbose = false): Promise<void> {
  try {
    await body();
  } catch (error) {
    process.stderr.write(`${explain(error, verbose)}\n`);
    process.exitCode = 1;
  }
}
