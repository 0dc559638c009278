/** A summary in words, for a terminal. */
import { table } from "../table";
import type { Change, Counts, StackSummary, Summary } from "./summary";
import { attributeText } from "./values";

/** Attributes that are listed of one resource. */
const ATTRIBUTES = 12;
/** Outputs that are named of one stack. */
const NAMES = 6;

const SIGNS: Readonly<Record<Change["action"], string>> = {
  replace: "-/+",
  destroy: "-",
  create: "+",
  update: "~",
  forget: ".",
  import: "<-",
  move: "->",
};

/** Whether a line tells of something that is destroyed, so that it can be made to stand out. */
export const LOUD = /^ {2}(-\/\+|-) |^✖/;

/** A stack in a few words: `1 to replace, 2 to add`. */
export function stackWords({ after, changes, counts, outcome, outputs }: StackSummary): string {
  switch (outcome) {
    case "later":
      return `can be planned after ${after.join(" and ")}`;
    case "left-out":
      return "does not differ";
    case "failed":
      return "failed";
    case "unchanged":
      return "no changes";
    case "changes":
      return [countWords(counts), ...otherWords(changes, outputs)].filter(Boolean).join(", ");
  }
}

/** `1 to replace, 2 to destroy, 3 to add, 4 to change`, without what is none. */
export function countWords(counts: Counts): string {
  return wordsOf(counts, ["to replace", "to destroy", "to add", "to change"]);
}

/** The same of what was done: `1 replaced, 3 added`. */
export function doneWords(counts: Counts): string {
  return wordsOf(counts, ["replaced", "destroyed", "added", "changed"]);
}

function wordsOf({ adds, changes, destroys, replacements }: Counts, words: readonly string[]): string {
  return [replacements, destroys, adds, changes]
    .flatMap((count, index) => (count > 0 ? [`${count} ${words[index]}`] : []))
    .join(", ");
}

function otherWords(changes: readonly Change[], outputs: readonly string[]): string[] {
  const forgotten = changes.filter(({ action }) => action === "forget").length;
  const imported = changes.filter((change) => change.imported).length;
  const moved = changes.filter(({ from }) => from !== undefined).length;
  return [
    ...(imported > 0 ? [`${imported} to import`] : []),
    ...(moved > 0 ? [`${moved} to move`] : []),
    ...(forgotten > 0 ? [`${forgotten} to forget`] : []),
    ...(outputs.length > 0 ? [`${outputs.length} outputs`] : []),
  ];
}

/** Everything: each stack with its changes, then a table of totals. */
export function summaryText(summary: Summary): string {
  const shown = summary.stacks.filter(({ outcome }) => outcome !== "left-out");
  const leftOut = summary.stacks.filter(({ outcome }) => outcome === "left-out").map(({ stack }) => stack);
  const sections = shown.map((stack) => [`${stack.stack}: ${stackWords(stack)}`, ...detailsOf(stack)].join("\n"));
  return [
    ...sections,
    ...(leftOut.length > 0 ? [`Left out, since they do not differ: ${leftOut.join(", ")}`] : []),
    totalsTable(summary),
  ].join("\n\n");
}

function detailsOf({ changes, error, outputs }: StackSummary): string[] {
  return [
    ...(error === undefined ? [] : error.split("\n")),
    ...changes.flatMap(changeLines),
    ...(outputs.length > 0 ? [`  outputs that change: ${namesText(outputs)}`] : []),
  ];
}

/** The first few names, and how many more there are. */
export function namesText(names: readonly string[]): string {
  const more = names.length - NAMES;
  return [...names.slice(0, NAMES), ...(more > 0 ? [`${more} more`] : [])].join(", ");
}

/** A change and its attributes, line by line. */
export function changeLines(change: Change): string[] {
  const more = change.attributes.length - ATTRIBUTES;
  return [
    `  ${SIGNS[change.action]} ${change.address}${remark(change)}`,
    ...change.attributes.slice(0, ATTRIBUTES).map((attribute) => `      ${attributeText(attribute)}`),
    ...(more > 0 ? [`      and ${more} more`] : []),
  ];
}

/** What stands behind the address of a change: `  REPLACED, messages are lost; fifo_queue cannot change in place`. */
export function remark({ action, from, imported, loses, reason, replacedBy }: Change): string {
  const loud = action === "replace" ? "REPLACED" : action === "destroy" ? "DESTROYED" : "";
  const lost = loses === undefined ? "" : `, and with it ${loses}`;
  const why = replacedBy.length > 0 ? `${replacedBy.join(", ")} cannot change in place` : reason;
  const moved = from === undefined ? undefined : `was ${from}`;
  const parts = [`${loud}${lost}`, why, moved, imported ? "exists already" : undefined].filter(Boolean);
  return parts.length > 0 ? `  ${parts.join("; ")}` : "";
}

function totalsTable({ stacks, totals }: Summary): string {
  const row = (name: string, { adds, changes, destroys, replacements }: Counts) => [
    name,
    ...[replacements, destroys, adds, changes].map(String),
  ];
  const planned = stacks.filter(({ outcome }) => outcome === "changes" || outcome === "unchanged");
  return table(
    ["stack", "replaced", "destroyed", "added", "changed"],
    [...planned.map(({ counts, stack }) => row(stack, counts)), row("in all", totals)],
  );
}
