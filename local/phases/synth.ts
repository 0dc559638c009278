/** Synthesis of every stack for the local environment. */
import { type SynthesizedStack, synthesize } from "../../commands/support/synthesis";
import type { Needs, Outcome } from "../phase";
import { logOf } from "../places";

/** Name of the environment whose clouds are the stand-ins. */
export const ENVIRONMENT = "local";

/** What was synthesized. */
export interface Synthesis {
  /** The stacks in deployment order. */
  readonly stacks: readonly SynthesizedStack[];
}

/** Synthesizes into `cdktf.out`, which `cdktf deploy` and the plain Terraform CLI read. */
export async function synthesizeStacks({ env, places, signal }: Needs): Promise<Outcome<Synthesis>> {
  const log = logOf(places, "synth");
  const stacks = await synthesize({ project: places.project, environment: ENVIRONMENT, env, log, signal });
  return { value: { stacks }, summary: `${stacks.length} stacks in cdktf.out` };
}

/** The stacks of the system that runs here, in deployment order. */
export function ownStacks({ options, synthesis }: Needs<"synthesis">): readonly SynthesizedStack[] {
  return synthesis.stacks.filter(({ name }) => `${name}-`.startsWith(`${options.system}-`));
}
