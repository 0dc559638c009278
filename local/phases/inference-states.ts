/** What the state of inference-api says: where its queue is. */
import { z } from "zod";
import { Problem } from "../../commands/support/problem";
import type { State } from "../../commands/support/terraform";
import type { Needs, Outcome, Report } from "../phase";
import { pullStates, type StateSummary, summaryOf } from "./states";

/** What the programs are handed. */
export interface InferenceHandover {
  readonly queueUrl: string;
  readonly states: readonly StateSummary[];
}

const STACK = "inference-api";
const outputs = z.object({ queue_url: z.object({ value: z.url() }) });

/** Pulls every state. */
export async function readInferenceStates(
  needs: Needs<"tools" | "synthesis" | "foundation">,
  report: Report,
): Promise<Outcome<InferenceHandover>> {
  const { foundation, tools } = needs;
  if (foundation.by === "substitute" || tools.terraform === undefined) {
    throw new Problem("Terraform went away during the run.", "Start again.");
  }
  const states = await pullStates(needs, tools.terraform, foundation.env, report);
  const value = {
    queueUrl: queueOf(states.get(STACK)),
    states: [...states].map(([stack, state]) => summaryOf(stack, state)),
  };
  return { value, summary: `${states.size} states` };
}

/**
 * The queue of large batches.
 *
 * @throws Problem when the state does not name it
 */
export function queueOf(state: State | undefined): string {
  const parsed = outputs.safeParse(state?.outputs);
  if (!parsed.success) {
    throw new Problem(`The state of ${STACK} has no output queue_url.`, `Look at it with: npm run state -- ${STACK}`);
  }
  return parsed.data.queue_url.value;
}
