/** A summary as one GitHub comment: what is destroyed comes first, whole plans are folded away, and it always fits. */
import type { CostChange, StackSummary, Summary } from "./summary";
import { countWords, namesText, remark, stackWords } from "./words";

/** GitHub takes 65,536 characters; some are kept for what posts it. */
export const MOST = 64_000;
/** Lines of resources that are destroyed. */
const LOUD_LINES = 60;
/** Rows of the table of stacks. */
const ROWS = 150;
/** Failures that are told. */
const FAILURES = 8;
/** A plan's text that is shorter is not worth its frame. */
const LEAST_TEXT = 200;

/** First line of the comment: by it the comment of an earlier run is found and updated. */
export function markerOf(environment: string): string {
  return `<!-- nanogrid-cloud diff: ${environment} -->`;
}

/**
 * The comment.
 *
 * @param textOf a stack's plan as Terraform prints it, or nothing
 */
export function commentOf(summary: Summary, textOf: (stack: string) => string): string {
  const head = [
    markerOf(summary.environment),
    `### Diff of \`${summary.environment}\`: ${countWords(summary.totals) || "no changes"}`,
    ...loud(summary),
    stacksTable(summary.stacks),
    ...notes(summary.stacks),
    ...(summary.costs === undefined ? [] : [costTable(summary.costs)]),
  ].join("\n\n");
  const foot = footer(summary);
  const texts = planTexts(summary, textOf, MOST - head.length - foot.length - 4);
  return `${[head, ...texts, foot].join("\n\n")}\n`.slice(0, MOST);
}

/** What is destroyed or replaced, and what is refused. */
function loud({ refused, stacks }: Summary): string[] {
  const lines = stacks.flatMap(({ changes, stack }) =>
    changes
      .filter(({ action }) => action === "replace" || action === "destroy")
      .map((change) => `> - **${stack}** \`${change.address}\`${remark(change)}`),
  );
  if (lines.length === 0) {
    return [];
  }
  const more = lines.length - LOUD_LINES;
  const refusal =
    refused.length === 0
      ? []
      : [
          `> **${refused.length === 1 ? "One of them holds" : `${refused.length} of them hold`} data: this is not applied unless each is named with \`--allow-destroy\`.**`,
        ];
  return [
    [
      "> [!CAUTION]",
      `> **${lines.length === 1 ? "One resource is" : `${lines.length} resources are`} destroyed or replaced.**`,
      ...refusal,
      ">",
      ...lines.slice(0, LOUD_LINES),
      ...(more > 0 ? [`> - and ${more} more`] : []),
    ].join("\n"),
  ];
}

/** Stacks with something to say; the others in one line. */
function stacksTable(stacks: readonly StackSummary[]): string {
  const interesting = stacks.filter(({ outcome }) => outcome !== "unchanged" && outcome !== "left-out");
  const rank = ({ counts, outcome }: StackSummary) =>
    outcome === "failed" ? 2 : counts.replacements + counts.destroys > 0 ? 1 : 0;
  const rows = [...interesting].sort((a, b) => rank(b) - rank(a)).map(row);
  if (rows.length === 0) {
    return "Nothing would change.";
  }
  return [
    "| stack | replaced | destroyed | added | changed | |",
    "| --- | ---: | ---: | ---: | ---: | --- |",
    ...rows.slice(0, ROWS),
    ...(rows.length > ROWS ? [`| and ${rows.length - ROWS} more | | | | | |`] : []),
  ].join("\n");
}

function row(stack: StackSummary): string {
  const { adds, changes, destroys, replacements } = stack.counts;
  const strong = (count: number) => (count > 0 ? `**${count}**` : "0");
  const planned = stack.outcome === "changes";
  const numbers = planned ? [strong(replacements), strong(destroys), String(adds), String(changes)] : ["", "", "", ""];
  const note = planned ? namesText(stack.outputs.map((output) => `\`${output}\``)) : stackWords(stack);
  const outputs = planned && note !== "" ? `outputs: ${note}` : note;
  return `| ${stack.stack} | ${numbers.join(" | ")} | ${outputs} |`;
}

function notes(stacks: readonly StackSummary[]): string[] {
  const named = (outcome: StackSummary["outcome"]) =>
    stacks.filter((stack) => stack.outcome === outcome).map(({ stack }) => stack);
  const [unchanged, leftOut] = [named("unchanged"), named("left-out")];
  const failed = stacks.filter(({ error }) => error !== undefined).slice(0, FAILURES);
  return [
    ...failed.map(({ error = "", stack }) => `**${stack}**\n\n${fenced(shortened(error, 1_500))}`),
    ...(unchanged.length > 0 ? [`No changes: ${unchanged.join(", ")}`] : []),
    ...(leftOut.length > 0 ? [`Left out, since this change does not touch them: ${leftOut.join(", ")}`] : []),
  ].map((text) => shortened(text, 2_000));
}

/** The cost of a month, before and after. */
export function costTable(costs: Readonly<Record<string, CostChange>>): string {
  const entries = Object.entries(costs).filter(([, { before, after }]) => before !== after);
  const sum = (field: "before" | "after") => Object.values(costs).reduce((total, cost) => total + cost[field], 0);
  const dollars = (value: number) => `$${value.toFixed(2)}`;
  const delta = (before: number, after: number) => `${after < before ? "−" : "+"}${dollars(Math.abs(after - before))}`;
  const line = (name: string, before: number, after: number, note = "") =>
    `| ${name} | ${dollars(before)} | ${dollars(after)} | ${delta(before, after)} | ${note} |`;
  if (entries.length === 0) {
    return `Cost: ${dollars(sum("after"))} a month, unchanged.`;
  }
  return [
    "| cost a month | before | after | difference | |",
    "| --- | ---: | ---: | ---: | --- |",
    ...entries.slice(0, ROWS).map(([stack, { after, before, note }]) => line(stack, before, after, note)),
    line("**in all**", sum("before"), sum("after")),
  ].join("\n");
}

/** Plans, folded away. What there is room for is shared: a short text leaves its rest to the longer ones. */
function planTexts({ planUrl, stacks }: Summary, textOf: (stack: string) => string, room: number): string[] {
  const plans = stacks
    .filter(({ outcome }) => outcome === "changes")
    .map(({ counts, stack }) => ({ stack, title: countWords(counts), text: textOf(stack).trim() }))
    .filter(({ text }) => text !== "")
    .sort((a, b) => a.text.length - b.text.length);
  const folded: { stack: string; text: string }[] = [];
  let left = room;
  for (const [index, { stack, text, title }] of plans.entries()) {
    const share = Math.floor(left / (plans.length - index)) - stack.length - title.length - 120;
    if (share >= LEAST_TEXT) {
      const rest = planUrl === undefined ? "the rest is in the full plan" : `the rest: ${planUrl}`;
      const content = fenced(shortened(text, share - rest.length, rest));
      const whole = `<details><summary>${stack}: ${title || "outputs"}</summary>\n\n${content}\n\n</details>`;
      left -= whole.length + 2;
      folded.push({ stack, text: whole });
    }
  }
  const order = stacks.map(({ stack }) => stack);
  return folded.sort((a, b) => order.indexOf(a.stack) - order.indexOf(b.stack)).map(({ text }) => text);
}

function footer({ commit, modified, planUrl, plannedAt, terraform }: Summary): string {
  const at = commit === undefined ? [] : [`\`${commit.slice(0, 12)}\`${modified ? " with changes" : ""}`];
  const parts = [...at, `Terraform ${terraform}`, plannedAt.replace(/\.\d+Z$/, "Z")];
  return [...(planUrl === undefined ? [] : [`[Full plan](${planUrl})`]), ...parts].join(" · ");
}

/** Text between fences that it does not contain itself. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}

function shortened(text: string, most: number, rest = "…"): string {
  return text.length <= most ? text : `${text.slice(0, Math.max(0, most))}\n… ${rest}`;
}
