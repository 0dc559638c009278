/** What a workflow's run says about itself. */
import { readFileSync } from "node:fs";
import { Problem } from "../problem";

/**
 * The number of the pull request that a run is for, from the event's file.
 *
 * @throws Problem when the run is for no pull request
 */
export function pullRequestOf(env: NodeJS.ProcessEnv): number {
  const file = env.GITHUB_EVENT_PATH;
  const event = file ? (JSON.parse(readFileSync(file, "utf8")) as { pull_request?: { number?: unknown } }) : {};
  const number = event.pull_request?.number;
  if (typeof number !== "number") {
    throw new Problem(
      file ? `The event in ${file} has no pull request.` : "GITHUB_EVENT_PATH is not set.",
      "Name the number: --pull-request 12",
    );
  }
  return number;
}
