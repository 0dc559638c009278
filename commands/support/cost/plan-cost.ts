/** What plans change in the cost: each stack before and after, from the plan's own JSON (`terraform show -json`). */
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { planFile, readSummary } from "../plans/folder";
import type { CostChange } from "../plans/summary";
import { type CostLine, type EstimateOptions, estimate, type StackCost } from "./estimate";
import { type Body, type CostedResource, referencesIn } from "./inventory";
import { signed } from "./report";

/** How many resources a note names. */
const NAMED = 3;
/** US dollars a month that are no change. */
const NOTHING = 0.005;

const body = z.record(z.string(), z.unknown());

const planJson = z.object({
  resource_changes: z
    .array(
      z.object({
        mode: z.string(),
        type: z.string(),
        name: z.string(),
        index: z.union([z.string(), z.number()]).optional(),
        change: z.object({ before: body.nullish(), after: body.nullish() }),
      }),
    )
    .default([]),
  configuration: z
    .object({
      root_module: z
        .object({
          resources: z
            .array(z.object({ mode: z.string(), type: z.string(), name: z.string(), expressions: body.default({}) }))
            .default([]),
        })
        .optional(),
    })
    .optional(),
});

type PlanJson = z.output<typeof planJson>;

/**
 * A stack's cost before and after its plan.
 *
 * @param options the environment as it is synthesized: other stacks' resources are looked up there
 * @param stack the stack
 * @param plan the plan's JSON
 */
export function costOfPlan(options: EstimateOptions, stack: string, plan: unknown): CostChange {
  const parsed = planJson.parse(plan);
  const at = (moment: "before" | "after") => {
    const inventory = options.inventory.withStack(stack, resourcesOf(parsed, stack, moment));
    const [cost] = estimate({ ...options, inventory }, [stack]);
    return cost as StackCost;
  };
  const before = at("before");
  const after = at("after");
  const note = noteOf(before, after);
  return { before: before.fixed, after: after.fixed, ...(note ? { note } : {}) };
}

/**
 * The costs of a folder of plans, as `npm run diff -- --out` leaves it, by stack. `addCosts` of plans/folder.ts puts them into its summary
 * and comment.
 *
 * @throws Problem when it is no such folder
 */
export function costsOfPlans(options: EstimateOptions, folder: string): Record<string, CostChange> {
  return Object.fromEntries(
    readSummary(folder)
      .stacks.map(({ stack }) => ({ stack, file: planFile(folder, stack, "json") }))
      .filter(({ file }) => existsSync(file))
      .map(({ stack, file }) => [stack, costOfPlan(options, stack, JSON.parse(readFileSync(file, "utf8")))]),
  );
}

/** The managed resources at a moment, with what they refer to: by the configuration, else by ids that are known. */
function resourcesOf(plan: PlanJson, stack: string, moment: "before" | "after"): CostedResource[] {
  const configured = new Map(
    (plan.configuration?.root_module?.resources ?? []).map((one) => [`${one.type}.${one.name}`, one.expressions]),
  );
  const managed = plan.resource_changes.filter(({ mode, change }) => mode === "managed" && change[moment]);
  const byId = new Map(
    managed.flatMap(({ type, name, change }) => {
      const id = change[moment]?.id;
      return typeof id === "string" ? [[id, `${type}.${name}`] as const] : [];
    }),
  );
  return managed.map(({ type, name, index, change }) => {
    const attributes: Body = change[moment] ?? {};
    const expressions = configured.get(`${type}.${name}`) ?? {};
    const names = new Set([...Object.keys(attributes), ...Object.keys(expressions)]);
    return {
      stack,
      type,
      name: index === undefined ? name : `${name}[${JSON.stringify(index)}]`,
      body: attributes,
      references: Object.fromEntries(
        [...names].map((attribute) => {
          const named = expressionReferences(expressions[attribute]);
          return [attribute, named.length > 0 ? named : idsIn(attributes[attribute], byId)];
        }),
      ),
    };
  });
}

/** The `references` of an expression of the configuration, however deep in blocks. */
function expressionReferences(expression: unknown): string[] {
  if (typeof expression !== "object" || expression === null) {
    return [];
  }
  return Object.entries(expression).flatMap(([key, value]) =>
    key === "references" && Array.isArray(value)
      ? referencesIn(value.map((reference) => `\${${reference}}`))
      : expressionReferences(value),
  );
}

function idsIn(value: unknown, byId: ReadonlyMap<string, string>): string[] {
  if (typeof value === "string") {
    return [byId.get(value) ?? []].flat();
  }
  return typeof value === "object" && value !== null ? Object.values(value).flatMap((one) => idsIn(one, byId)) : [];
}

/** The resources that drive the change, and what is not in it. */
function noteOf(before: StackCost, after: StackCost): string {
  const changes = new Map<string, number>();
  const add = (lines: readonly CostLine[], sign: number) => {
    for (const { address, usd, usage } of lines.filter((line) => !line.usage)) {
      changes.set(address, (changes.get(address) ?? 0) + (usage ? 0 : sign * usd.typical));
    }
  };
  add(after.lines, 1);
  add(before.lines, -1);
  const drivers = [...changes]
    .filter(([, usd]) => Math.abs(usd) >= NOTHING)
    .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a))
    .slice(0, NAMED)
    .map(([address, usd]) => `${address} ${signed(usd)}`);
  const unknown = after.unknown.map(({ address }) => address);
  return [...drivers, ...(unknown.length > 0 ? [`not known: ${unknown.join(", ")}`] : [])].join("; ");
}
