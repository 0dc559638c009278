/**
 * What a folder of plans says about itself: `summary.json`, written by `npm run diff -- --out`, read by `npm run apply`, by what posts the
 * comment and by what estimates the cost.
 */
import { z } from "zod";

/** What happens to a resource. `replace` destroys it and creates another; `forget` leaves it where it is and out of the state. */
export const ACTIONS = ["replace", "destroy", "create", "update", "forget", "import", "move"] as const;

const attribute = z.object({
  /** Path in the resource: `tags.owner`, `rule[0].priority`. */
  path: z.string(),
  /** As JSON, shortened; absent where there was or will be none. */
  before: z.string().optional(),
  after: z.string().optional(),
});

const change = z.object({
  address: z.string(),
  type: z.string(),
  action: z.enum(ACTIONS),
  /** Paths of the attributes that cannot change in place, where the action is `replace`. */
  replacedBy: z.array(z.string()).default([]),
  /** Why, where no attribute is the reason: `tainted`, `asked for`, `triggered`. */
  reason: z.string().optional(),
  /** Former address, where the action is `move` or comes with one. */
  from: z.string().optional(),
  /** Whether it exists already and is taken into the state. */
  imported: z.boolean().optional(),
  /** What is lost with the resource, where it holds data and is destroyed. */
  loses: z.string().optional(),
  /** Changed attributes whose values are known and no secret. */
  attributes: z.array(attribute).default([]),
});

const counts = z.object({
  adds: z.number(),
  changes: z.number(),
  destroys: z.number(),
  replacements: z.number(),
});

const stack = z.object({
  stack: z.string(),
  /**
   * `changes` and `unchanged` have a plan; `later` can be planned once the stacks in `after` were applied; `failed` has an error;
   * `left-out` does not differ from the git ref that was compared with.
   */
  outcome: z.enum(["changes", "unchanged", "later", "failed", "left-out"]),
  counts,
  changes: z.array(change).default([]),
  /** Outputs whose values change. */
  outputs: z.array(z.string()).default([]),
  /** Producers that have to be applied first. */
  after: z.array(z.string()).default([]),
  error: z.string().optional(),
  /** SHA-256 of what was synthesized, and of the plan file. */
  synthesis: z.string().optional(),
  plan: z.string().optional(),
});

const cost = z.object({
  /** A month's cost in US dollars, of the parts that usage does not change. */
  before: z.number(),
  after: z.number(),
  /** What drives the difference, or what is not in it. */
  note: z.string().optional(),
});

const summary = z.object({
  version: z.literal(1),
  environment: z.string(),
  accountId: z.string(),
  /** Where the stacks are synthesized from: the commit, absent outside of git. */
  commit: z.string().optional(),
  /** Whether files differed from that commit. */
  modified: z.boolean(),
  plannedAt: z.string(),
  /** Version of Terraform. */
  terraform: z.string(),
  /** Where the full plans can be read, for the comment. */
  planUrl: z.string().optional(),
  /** In deployment order. */
  stacks: z.array(stack),
  totals: counts,
  /** Resources with data that would be destroyed and were not named: the plans are refused. */
  refused: z.array(z.object({ stack: z.string(), address: z.string(), loses: z.string() })).default([]),
  /** Cost by stack; put in by `npm run cost -- --plans <folder>`. */
  costs: z.record(z.string(), cost).optional(),
});

/** What happens to one resource. */
export type Change = z.output<typeof change>;
/** An attribute before and after. */
export type AttributeChange = z.output<typeof attribute>;
/** How many resources. */
export type Counts = z.output<typeof counts>;
/** One stack of a {@link Summary}. */
export type StackSummary = z.output<typeof stack>;
/** A stack's cost before and after, in US dollars a month. */
export type CostChange = z.output<typeof cost>;
/** `summary.json`. */
export type Summary = z.output<typeof summary>;

/** Nothing at all. */
export const NONE: Counts = { adds: 0, changes: 0, destroys: 0, replacements: 0 };

/**
 * Reads the text of a `summary.json`.
 *
 * @throws ZodError when it is not one
 */
export function parseSummary(text: string): Summary {
  return summary.parse(JSON.parse(text));
}

/** Counts by action. A replacement counts as one, and neither as an add nor as a destroy. */
export function countsOf(changes: readonly Change[]): Counts {
  const of = (...actions: Change["action"][]) => changes.filter(({ action }) => actions.includes(action)).length;
  return { adds: of("create"), changes: of("update"), destroys: of("destroy"), replacements: of("replace") };
}

/** The sum of several. */
export function sumOf(all: readonly Counts[]): Counts {
  return all.reduce(
    (sum, each) => ({
      adds: sum.adds + each.adds,
      changes: sum.changes + each.changes,
      destroys: sum.destroys + each.destroys,
      replacements: sum.replacements + each.replacements,
    }),
    NONE,
  );
}
