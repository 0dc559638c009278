/** Plans stacks with Terraform, each after the producers that it reads. */
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Settings } from "../../../modules/platform/settings";
import { explain } from "../problem";
import { stateKey } from "../state-bucket";
import type { StateStore } from "../states/bucket";
import { readStack, type SynthesizedStack } from "../synthesis";
import { changedOutputs, changesOf } from "./changes";
import { planFile } from "./folder";
import { maskPlan, parsePlan } from "./plan-json";
import { readingsOf } from "./readers";
import { fingerprintOf } from "./repository";
import { countsOf, NONE, type StackSummary } from "./summary";
import { LOCK_TIMEOUT, type Terraforms } from "./terraforms";
import { inOrder } from "./waves";

/** What is planned. */
export interface PlannerOptions {
  /** The checkout, with a fresh synthesis in `cdktf.out`. */
  readonly project: string;
  readonly settings: Settings;
  /** All stacks, in deployment order. */
  readonly stacks: readonly SynthesizedStack[];
  /** Names of those that are planned. */
  readonly chosen: readonly string[];
  readonly terraforms: Terraforms;
  readonly states: StateStore;
  readonly parallel: number;
  /** Whether the states' locks are taken meanwhile. */
  readonly lock: boolean;
  /** Folder for plans, their JSON and their text. @default - they are thrown away */
  readonly out?: string;
}

/** Plans, to come: by stack. */
export type Plans = ReadonlyMap<string, Promise<StackSummary>>;

/** Starts planning. A failure is a result: no promise rejects. */
export function planStacks(options: PlannerOptions): Plans {
  const chosen = options.stacks.filter(({ name }) => options.chosen.includes(name));
  return inOrder(chosen, options.parallel, async ({ name }, producers) => {
    try {
      const after = await unplannable(name, producers, options);
      return after.length > 0 ? { ...empty(name, "later"), after } : await planStack(name, options);
    } catch (error) {
      return { ...empty(name, "failed"), error: explain(error) };
    }
  });
}

/**
 * Stacks that were not planned and read outputs that change: they can be planned once their producers were applied.
 *
 * @param planned every planned stack
 */
export function affectedBy(planned: readonly StackSummary[], options: PlannerOptions): StackSummary[] {
  const changing = new Map(planned.map(({ stack, outputs }) => [stack, outputs]));
  return options.stacks
    .filter(({ name }) => !changing.has(name))
    .flatMap(({ name }) => {
      const after = readings(name, options)
        .filter(({ producer, outputs }) => changing.get(producer)?.some((output) => outputs.includes(output)))
        .map(({ producer }) => producer);
      return after.length > 0 ? [{ ...empty(name, "later"), after }] : [];
    });
}

/** A stack without a plan. */
export function empty(stack: string, outcome: StackSummary["outcome"]): StackSummary {
  return { stack, outcome, counts: NONE, changes: [], outputs: [], after: [] };
}

function readings(stack: string, { project, settings, stacks }: PlannerOptions) {
  const byKey = new Map(stacks.map(({ name }) => [stateKey(settings, name), name]));
  return readingsOf(readStack(project, stack), (key) => byKey.get(key));
}

/** Producers whose outputs a stack reads and that do not offer them yet, or are about to change them. */
async function unplannable(
  stack: string,
  planned: ReadonlyMap<string, StackSummary>,
  options: PlannerOptions,
): Promise<string[]> {
  const waitsFor = await Promise.all(
    readings(stack, options).map(async ({ producer, outputs }) => {
      const plan = planned.get(producer);
      if (plan?.outcome === "later" || plan?.outputs.some((output) => outputs.includes(output))) {
        return [producer];
      }
      const state = await options.states.read(producer);
      const offered = Object.keys(state?.outputs ?? {});
      return state !== undefined && outputs.every((output) => offered.includes(output)) ? [] : [producer];
    }),
  );
  return waitsFor.flat();
}

async function planStack(stack: string, { lock, out, project, terraforms }: PlannerOptions): Promise<StackSummary> {
  const folder = out === undefined ? mkdtempSync(join(tmpdir(), "plan-")) : resolve(out);
  mkdirSync(folder, { recursive: true });
  const file = planFile(folder, stack, "tfplan");
  try {
    return await terraforms.with(stack, async (terraform) => {
      const hasChanges = await terraform.plan(file, ...(lock ? [LOCK_TIMEOUT] : ["-lock=false"]));
      // It holds secrets as they are.
      chmodSync(file, 0o600);
      const planned = {
        ...empty(stack, hasChanges ? "changes" : "unchanged"),
        synthesis: fingerprintOf(project, stack),
      };
      if (!hasChanges && out === undefined) {
        return planned;
      }
      const plan = parsePlan(await terraform.show(file, "-json"));
      const changes = changesOf(plan);
      const summary = { ...planned, changes, counts: countsOf(changes), outputs: changedOutputs(plan) };
      if (out === undefined) {
        return summary;
      }
      writeFileSync(planFile(folder, stack, "json"), `${JSON.stringify(maskPlan(plan))}\n`);
      writeFileSync(planFile(folder, stack, "txt"), `${hasChanges ? await terraform.show(file) : "No changes."}\n`);
      return { ...summary, plan: createHash("sha256").update(readFileSync(file)).digest("hex") };
    });
  } finally {
    if (out === undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
