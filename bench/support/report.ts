/** Figures with their spread, and the page that they are written to. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";

/** The middle value; the mean of the two middle ones where the count is even. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** `median (minimum – maximum)` with so many decimals. */
export function spread(values: readonly number[], decimals: number): string {
  return spreadOf(values, (value) => value.toFixed(decimals));
}

/** `median (minimum – maximum)`, each as `format` writes it; the median alone where all read alike. */
export function spreadOf(values: readonly number[], format: (value: number) => string): string {
  const [low, middle, high] = [Math.min(...values), median(values), Math.max(...values)].map(format);
  return low === high ? `${middle}` : `${middle} (${low} – ${high})`;
}

/** Items by key, in the order in which the keys came. */
export function groupsOf<T>(items: readonly T[], keyOf: (item: T) => string): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return [...groups];
}

/**
 * Replaces what stands between `<!-- begin <name> -->` and `<!-- end <name> -->` in a page.
 *
 * @throws Error when the page lacks the markers
 */
export function writeSection(page: string, name: string, text: string): void {
  const begin = `<!-- begin ${name} -->`;
  const end = `<!-- end ${name} -->`;
  const before = existsSync(page) ? readFileSync(page, "utf8") : "";
  const from = before.indexOf(begin);
  const to = before.indexOf(end);
  if (from < 0 || to < from) {
    throw new Error(`${page}: no section "${name}". Add the lines ${begin} and ${end} where its table belongs.`);
  }
  writeFileSync(page, `${before.slice(0, from + begin.length)}\n${text}\n${before.slice(to)}`);
}
