/** What was changed behind Terraform's back: a refresh-only plan, without what this project leaves to others. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { explain } from "../problem";
import { readStack, type SynthesizedStack, type TerraformJson } from "../synthesis";
import { attributesOf, rootOf } from "./changes";
import { parsePlan, type ResourceChange } from "./plan-json";
import type { AttributeChange } from "./summary";
import type { Terraforms } from "./terraforms";
import { attributeText } from "./values";
import { inOrder } from "./waves";

/** A resource that is no more as its state says. */
export interface Drifted {
  readonly address: string;
  /** Whether somebody deleted it. */
  readonly deleted: boolean;
  readonly attributes: readonly AttributeChange[];
}

/** What was found of one stack. */
export interface StackDrift {
  readonly stack: string;
  readonly outcome: "drift" | "none" | "failed" | "not-deployed";
  /** Resources that are gone, or differ in what the code sets. */
  readonly drifted: readonly Drifted[];
  /** Differences in what no code sets, or is left to others by `ignore_changes`: no drift. */
  readonly aside: readonly Drifted[];
  readonly error?: string;
}

/** What is looked at. */
export interface DriftOptions {
  /** The checkout, with a fresh synthesis in `cdktf.out`. */
  readonly project: string;
  /** In deployment order. */
  readonly stacks: readonly SynthesizedStack[];
  /** Whether a stack has a state. */
  readonly isDeployed: (stack: string) => Promise<boolean>;
  readonly terraforms: Terraforms;
  readonly parallel: number;
}

/** Starts looking. A failure is a result: no promise rejects. */
export function findDrift({ isDeployed, parallel, project, stacks, terraforms }: DriftOptions) {
  const alone = stacks.map(({ name }) => ({ name, dependencies: [] }));
  return inOrder(alone, parallel, async ({ name: stack }): Promise<StackDrift> => {
    const nothing = { stack, drifted: [], aside: [] };
    const folder = mkdtempSync(join(tmpdir(), "drift-"));
    try {
      if (!(await isDeployed(stack))) {
        return { ...nothing, outcome: "not-deployed" };
      }
      const file = join(folder, "plan");
      const plan = await terraforms.with(stack, async (terraform) => {
        await terraform.plan(file, "-refresh-only", "-lock=false");
        return parsePlan(await terraform.show(file, "-json"));
      });
      const found = plan.resource_drift
        .filter(({ mode }) => mode === "managed")
        .map((each) => driftOf(each, readStack(project, stack)));
      const drifted = found.flatMap((each) => each.drifted);
      return {
        stack,
        outcome: drifted.length > 0 ? "drift" : "none",
        drifted,
        aside: found.flatMap((each) => each.aside),
      };
    } catch (error) {
      return { ...nothing, outcome: "failed", error: explain(error) };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

const lifecycle = z.object({ ignore_changes: z.union([z.literal("all"), z.array(z.string())]).optional() });

/** A resource's differences: those that are drift, and the others. @param stack the synthesized Terraform of its stack */
export function driftOf(found: ResourceChange, stack: TerraformJson): { drifted: Drifted[]; aside: Drifted[] } {
  const { address, change, name, type } = found;
  if (change.actions.includes("delete")) {
    return { drifted: [{ address, deleted: true, attributes: [] }], aside: [] };
  }
  const body = stack.resource?.[type]?.[name] ?? {};
  const set = new Set([...Object.keys(body), "tags_all"]);
  const { ignore_changes: ignored = [] } = lifecycle.parse(body.lifecycle ?? {});
  const isIgnored = (path: string) =>
    ignored === "all" ||
    ignored.some((each) => path === each || path.startsWith(`${each}.`) || path.startsWith(`${each}[`));
  const attributes = attributesOf(found, set);
  const isDrift = ({ path }: AttributeChange) => set.has(rootOf(path)) && !isIgnored(path);
  const of = (some: AttributeChange[]): Drifted[] =>
    some.length > 0 ? [{ address, deleted: false, attributes: some }] : [];
  return { drifted: of(attributes.filter(isDrift)), aside: of(attributes.filter((each) => !isDrift(each))) };
}

/** First line of what is written about it: by it the issue of an earlier run is found and updated. */
export function driftMarkerOf(environment: string): string {
  return `<!-- nanogrid-cloud drift: ${environment} -->`;
}

/** A stack in a few words. */
export function driftWords({ drifted, outcome }: StackDrift): string {
  switch (outcome) {
    case "drift":
      return `${drifted.length} ${drifted.length === 1 ? "resource has" : "resources have"} drifted`;
    case "none":
      return "as its state says";
    case "failed":
      return "failed";
    case "not-deployed":
      return "not deployed";
  }
}

/**
 * The findings for a person.
 *
 * @param all whether differences that are no drift are listed too
 */
export function driftText(stacks: readonly StackDrift[], all: boolean): string {
  const sections = stacks.map((stack) =>
    [
      `${stack.stack}: ${driftWords(stack)}`,
      ...(stack.error === undefined ? [] : [stack.error]),
      ...stack.drifted.flatMap(lines),
      ...(all && stack.aside.length > 0
        ? ["  not set by the code, or left to others:", ...stack.aside.flatMap(lines)]
        : []),
    ].join("\n"),
  );
  const aside = stacks.reduce((sum, stack) => sum + stack.aside.length, 0);
  return [
    ...sections,
    ...(!all && aside > 0
      ? [
          `${aside} more ${aside === 1 ? "differs" : "differ"} in what no code sets, or is left to others: --all lists them.`,
        ]
      : []),
  ].join("\n\n");
}

function lines({ address, attributes, deleted }: Drifted): string[] {
  return [
    `  ${deleted ? "-" : "~"} ${address}${deleted ? "  DELETED" : ""}`,
    ...attributes.map((attribute) => `      ${attributeText(attribute)}`),
  ];
}

/** Longest text of an issue. */
const MOST = 60_000;

/** The findings as the text of one issue. */
export function driftMarkdown(environment: string, stacks: readonly StackDrift[]): string {
  const worth = stacks.filter(({ outcome }) => outcome === "drift" || outcome === "failed");
  const text = worth.length === 0 ? "Everything is as its state says." : driftText(worth, false).slice(0, MOST);
  return [
    driftMarkerOf(environment),
    `### Drift of \`${environment}\`: ${worth.length === 0 ? "none" : worth.map(({ stack }) => stack).join(", ")}`,
    ["````", text, "````"].join("\n"),
    "What to do: `docs/operations/drift.md`.",
    "",
  ].join("\n\n");
}
