/** How a command fails: what it says, and its exit code. */
import { ApiProblem, Unreachable } from "../../userdata/controller/page/client/api";

/** Exit codes. */
export const EXIT = {
  /** The function failed, or NanoGrid refused. */
  failed: 1,
  /** The command, its options or its files are not what they must be. */
  usage: 2,
  /** NanoGrid did not answer. */
  unreachable: 3,
} as const;

/** An error that a person can act on. */
export class Failure extends Error {
  /**
   * @param what what is wrong, in a sentence
   * @param remedy what to do about it; empty where there is nothing
   */
  constructor(
    readonly what: string,
    readonly remedy: string,
    readonly exitCode: number = EXIT.usage,
  ) {
    super(what);
    this.name = "Failure";
  }
}

/** An error in words, and the exit code that belongs to it. */
export function explain(error: unknown): { readonly text: string; readonly exitCode: number } {
  if (error instanceof ApiProblem) {
    const { title, detail, errors = [], remedy, requestId } = error.problem;
    const lines = [
      `✖ ${title}`,
      ...(errors.length > 0 ? errors.map(({ field, detail: what }) => `  ${field}: ${what}`) : [`  ${detail}`]),
      ...(remedy ? [`  ${remedy}`] : []),
      ...(requestId ? [`  (request ${requestId})`] : []),
    ];
    return { text: lines.join("\n"), exitCode: EXIT.failed };
  }
  if (error instanceof Unreachable) {
    const remedy = "Check the URL (nanogrid login, or NANOGRID_URL) and the network.";
    return { text: `✖ ${error.message}\n  ${remedy}`, exitCode: EXIT.unreachable };
  }
  if (error instanceof Failure) {
    return {
      text: [`✖ ${error.what}`, ...(error.remedy ? [`  ${error.remedy}`] : [])].join("\n"),
      exitCode: error.exitCode,
    };
  }
  return { text: `✖ ${error instanceof Error ? error.message : String(error)}`, exitCode: EXIT.failed };
}
