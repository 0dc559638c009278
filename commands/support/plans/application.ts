/** Applies the plans of a folder: exactly those, and only to what they were made from. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Settings } from "../../../modules/platform/settings";
import { Problem, Problems } from "../problem";
import type { SynthesizedStack } from "../synthesis";
import { changesOf } from "./changes";
import { planFile } from "./folder";
import { lossesOf, refusalOf } from "./guard";
import { parsePlan } from "./plan-json";
import { fingerprintOf, type Revision } from "./repository";
import { type Change, type Counts, countsOf, type StackSummary, type Summary } from "./summary";
import { LOCK_TIMEOUT, type Terraforms } from "./terraforms";
import { inOrder } from "./waves";

/** What is applied. */
export interface ApplicationOptions {
  /** The checkout, with a fresh synthesis in `cdktf.out`. */
  readonly project: string;
  /** Folder of the plans, and its summary. */
  readonly folder: string;
  readonly summary: Summary;
  readonly settings: Settings;
  /** Where the checkout is now. */
  readonly revision: Revision;
  /** All stacks, in deployment order. */
  readonly stacks: readonly SynthesizedStack[];
  /** Names of those whose plans are applied. */
  readonly chosen: readonly string[];
  /** Addresses of resources with data that may go. */
  readonly allowed: readonly string[];
  readonly terraforms: Terraforms;
  readonly parallel: number;
}

/** A stack whose plan was applied. */
export interface Applied {
  readonly stack: string;
  readonly counts: Counts;
}

/**
 * Names of the chosen stacks that have something to apply.
 *
 * @throws Problem when one of them has no plan at all
 */
export function applicable({ stacks }: Summary, chosen: readonly string[]): string[] {
  const planned = new Map(stacks.map((stack) => [stack.stack, stack]));
  const problems = chosen.flatMap((name) => withoutPlan(name, planned.get(name)));
  if (problems.length > 0) {
    throw new Problems(problems);
  }
  return chosen.filter((name) => planned.get(name)?.outcome === "changes");
}

function withoutPlan(name: string, stack: StackSummary | undefined): Problem[] {
  const again = `Make one, and look at it: npm run diff -- ${name} --out <folder>`;
  switch (stack?.outcome) {
    case "changes":
    case "unchanged":
    case "left-out":
      return [];
    case "later":
      return [new Problem(`${name} has no plan: it can be planned after ${stack.after.join(" and ")}.`, again)];
    case "failed":
      return [new Problem(`${name} has no plan: it could not be planned.`, again)];
    case undefined:
      return [new Problem(`${name} has no plan in this folder.`, again)];
  }
}

/**
 * Whether the plans are of this account, commit and synthesis, and the files those that the summary names.
 *
 * @throws Problems with everything that differs
 */
export function checkOrigin(options: ApplicationOptions): void {
  const { chosen, folder, project, revision, settings, summary } = options;
  const again = `Plan again: npm run diff -- --out ${folder}`;
  const problems: Problem[] = [];
  const expect = (what: string, planned: string, now: string, remedy: string) => {
    if (planned !== now) {
      problems.push(new Problem(`These plans are for ${what} ${planned}, and this is ${now}.`, remedy));
    }
  };
  expect(
    "environment",
    summary.environment,
    settings.environment,
    `Set ENVIRONMENT=${summary.environment}, or plan again.`,
  );
  expect("account", summary.accountId, settings.accountId, again);
  if (summary.commit !== undefined && revision.commit !== undefined) {
    expect("commit", summary.commit, revision.commit, `Check out ${summary.commit}, or plan again.`);
  }
  for (const name of problems.length > 0 ? [] : chosen) {
    const stack = summary.stacks.find((each) => each.stack === name);
    const file = planFile(folder, name, "tfplan");
    if (!existsSync(file) || createHash("sha256").update(readFileSync(file)).digest("hex") !== stack?.plan) {
      problems.push(new Problem(`${file} is not the plan that summary.json names.`, again));
    } else if (fingerprintOf(project, name) !== stack.synthesis) {
      problems.push(
        new Problem(`${name} was planned from other code or settings than this checkout synthesizes.`, again),
      );
    }
  }
  if (problems.length > 0) {
    throw new Problems(problems);
  }
}

/**
 * Reads what the plan files themselves would do, and refuses to lose data that was not named.
 *
 * @returns each stack's changes
 */
export async function checkPlans(options: ApplicationOptions): Promise<ReadonlyMap<string, readonly Change[]>> {
  const { allowed, parallel, terraforms } = options;
  const stacks = options.stacks
    .filter(({ name }) => options.chosen.includes(name))
    .map(({ name }) => ({ name, dependencies: [] }));
  const reading = inOrder(stacks, parallel, ({ name }) =>
    terraforms.with(name, async (terraform) => {
      const plan = parsePlan(await terraform.show(resolve(planFile(options.folder, name, "tfplan")), "-json"));
      return { stack: name, changes: changesOf(plan) };
    }),
  );
  const plans = await Promise.all(reading.values());
  const refusal = refusalOf(lossesOf(plans, allowed));
  if (refusal !== undefined) {
    throw refusal;
  }
  return new Map(plans.map(({ changes, stack }) => [stack, changes]));
}

/** Starts applying. A stack whose producer fails is not begun. */
export function applyPlans(
  options: ApplicationOptions,
  plans: ReadonlyMap<string, readonly Change[]>,
): ReadonlyMap<string, Promise<Applied>> {
  const { folder, parallel, stacks, terraforms } = options;
  let failed = false;
  return inOrder(
    stacks.filter(({ name }) => plans.has(name)),
    parallel,
    async ({ name }) => {
      if (failed) {
        throw new Problem(`${name} was not begun.`, "Mend what failed, then apply it again.");
      }
      try {
        await terraforms.with(name, (terraform) =>
          terraform.apply(resolve(planFile(folder, name, "tfplan")), LOCK_TIMEOUT),
        );
      } catch (error) {
        failed = true;
        throw error;
      }
      return { stack: name, counts: countsOf(plans.get(name) ?? []) };
    },
  );
}
