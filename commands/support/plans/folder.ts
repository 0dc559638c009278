/** A folder of plans: `<stack>.tfplan`, `<stack>.json`, `<stack>.txt`, `summary.json` and `comment.md`. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Problem } from "../problem";
import { commentOf } from "./comment";
import { type CostChange, parseSummary, type Summary } from "./summary";

const SUMMARY = "summary.json";
const COMMENT = "comment.md";
const EXTENSIONS = ["tfplan", "json", "txt"] as const;

/** A stack's file in a folder of plans. */
export function planFile(folder: string, stack: string, extension: (typeof EXTENSIONS)[number]): string {
  return join(folder, `${stack}.${extension}`);
}

/**
 * Makes a folder ready for new plans: what an earlier run left in it is taken away.
 *
 * @throws Problem when it holds something else
 */
export function emptyFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const files = readdirSync(folder);
  if (files.length > 0 && !files.includes(SUMMARY) && !files.includes(COMMENT)) {
    throw new Problem(`${folder} holds files that are no plans.`, "Name a folder that is empty or not there yet.");
  }
  for (const file of files.filter((name) => name === COMMENT || /\.(tfplan|json|txt)$/.test(name))) {
    rmSync(join(folder, file));
  }
}

/**
 * The summary of a folder of plans.
 *
 * @throws Problem when there is none
 */
export function readSummary(folder: string): Summary {
  const file = join(folder, SUMMARY);
  if (!existsSync(file)) {
    throw new Problem(`${file} is not there.`, `Make the plans first: npm run diff -- --out ${folder}`);
  }
  try {
    return parseSummary(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Problem(
      `${file} is not what npm run diff writes.`,
      `Make the plans again: npm run diff -- --out ${folder}`,
      undefined,
      { cause: error },
    );
  }
}

/** Writes the summary and the comment that says it. */
export function writeSummary(folder: string, summary: Summary): void {
  const textOf = (stack: string) => {
    const file = planFile(folder, stack, "txt");
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  };
  writeFileSync(join(folder, SUMMARY), `${JSON.stringify(summary, null, 2)}\n`);
  writeFileSync(join(folder, COMMENT), commentOf(summary, textOf));
}

/**
 * Puts the cost of each stack into a folder's summary and comment.
 *
 * @param folder as `npm run diff -- --out` wrote it
 * @param costs by stack, in US dollars a month
 * @throws Problem when there is no summary
 */
export function addCosts(folder: string, costs: Readonly<Record<string, CostChange>>): void {
  writeSummary(folder, { ...readSummary(folder), costs: { ...costs } });
}
