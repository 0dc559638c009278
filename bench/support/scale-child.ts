/**
 * One environment's work after its synthesis, in a process of its own: `<folder>/before` and `<folder>/after` are compared as
 * `npm run diff -- --against` does it, and a plan that creates everything goes through what keeps books of plans. Prints figures as JSON.
 */
import { join } from "node:path";
import { changesOf } from "../../commands/support/plans/changes";
import { commentOf } from "../../commands/support/plans/comment";
import { compareSyntheses } from "../../commands/support/plans/compare";
import { parsePlan } from "../../commands/support/plans/plan-json";
import { replacementTables } from "../../commands/support/plans/replacements";
import { countsOf, type StackSummary, sumOf } from "../../commands/support/plans/summary";
import { readStack } from "../../commands/support/synthesis";

/** What one environment took. */
export interface ChildFigures {
  readonly diffSeconds: number;
  readonly planSeconds: number;
  /** Stacks that were compared, and of them those that differ: a check that there was work. */
  readonly stacks: number;
  readonly differing: number;
  readonly resources: number;
}

function work(folder: string, stacks: readonly string[]): ChildFigures {
  const started = performance.now();
  const before = { project: join(folder, "before"), stacks };
  const after = { project: join(folder, "after"), stacks };
  const differing = compareSyntheses(before, after, replacementTables()).length;
  const compared = performance.now();
  const summaries = stacks.map((stack) => summaryOf(before.project, stack));
  const totals = sumOf(summaries.map(({ counts }) => counts));
  commentOf(
    {
      version: 1,
      environment: "scale",
      accountId: "000000000000",
      modified: false,
      plannedAt: new Date(0).toISOString(),
      terraform: "1.11.4",
      stacks: summaries,
      totals,
      refused: [],
    },
    () => "",
  );
  return {
    diffSeconds: (compared - started) / 1_000,
    planSeconds: (performance.now() - compared) / 1_000,
    stacks: stacks.length,
    differing,
    resources: totals.adds,
  };
}

/** The books of a plan that creates all resources of a stack. */
function summaryOf(project: string, stack: string): StackSummary {
  const resources = Object.entries(readStack(project, stack).resource ?? {}).flatMap(([type, byName]) =>
    Object.entries(byName).map(([name, body]) => ({
      address: `${type}.${name}`,
      mode: "managed",
      type,
      name,
      change: { actions: ["create"], before: null, after: body, after_unknown: {} },
    })),
  );
  const changes = changesOf(parsePlan(JSON.stringify({ terraform_version: "1.11.4", resource_changes: resources })));
  return { stack, outcome: "changes", counts: countsOf(changes), changes, outputs: [], after: [] };
}

const [folder = ".", ...stacks] = process.argv.slice(2);
process.stdout.write(JSON.stringify(work(folder, stacks)));
