/** What `npm run ci` shares: the project's own npm scripts, run with their output shown, and what a workflow's run is told. */
import { appendFileSync } from "node:fs";
import { Problem } from "../problem";
import { shellResult } from "../shell";

/** The longest of a workflow's jobs. */
const SCRIPT_MS = 6_900_000;

/** How a script ended, and what it printed on stdout. */
export interface ScriptResult {
  readonly code: number;
  readonly stdout: string;
}

/**
 * Runs an npm script of this project; what it prints is printed.
 *
 * @param accept exit codes that are an answer
 * @throws Problem on any other exit code
 */
export async function script(name: string, args: readonly string[], accept: readonly number[]): Promise<ScriptResult> {
  const separated = args.length > 0 ? ["--", ...args] : [];
  return await shellResult(
    "npm",
    ["run", "--silent", name, ...separated],
    {
      env: process.env,
      timeoutMs: SCRIPT_MS,
      onLine: (line) => process.stdout.write(`${line}\n`),
      remedy: `What it printed says why. Alone it runs as: npm run ${name} ${separated.join(" ")}`.trimEnd(),
    },
    accept,
  );
}

/** Gives later steps a value: the step's output in a workflow, nothing elsewhere. */
export function setOutput(name: string, value: string): void {
  if (value.includes("\n")) {
    throw new Problem(`The output ${name} has several lines.`, "Write it as JSON in one line.");
  }
  if (process.env.GITHUB_OUTPUT) {
    appendFileSync(process.env.GITHUB_OUTPUT, `${name}=${value}\n`);
  }
}

/** Shows a text on the page of the run; elsewhere it was printed already. */
export function addSummary(text: string): void {
  if (process.env.GITHUB_STEP_SUMMARY) {
    appendFileSync(process.env.GITHUB_STEP_SUMMARY, `${text}\n`);
  }
}
