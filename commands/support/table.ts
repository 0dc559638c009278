/** Tables for a terminal: cells in columns of equal width, and nothing drawn around them. */
import Table from "cli-table3";

const BETWEEN = "  ";
const BETWEEN_RULED = "   ";
/** No borders; `rule` draws a line below the head. */
const BORDERS = {
  ...{ top: "", "top-left": "", "top-mid": "", "top-right": "" },
  ...{ bottom: "", "bottom-left": "", "bottom-mid": "", "bottom-right": "" },
  ...{ left: "", "left-mid": "", right: "", "right-mid": "" },
};

/** Lines of cells as columns of equal width. */
export function columns(rows: readonly (readonly string[])[]): string {
  const table = new Table({
    chars: { ...BORDERS, mid: "", "mid-mid": "", middle: BETWEEN },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [], compact: true },
  });
  table.push(...rows.map((row) => [...row]));
  return trimmed(table);
}

/** What a table with a head looks like. */
export interface TableOptions {
  /** Columns of words, from the left; what follows are numbers, set to the right. @default 1 */
  readonly words?: number;
}

/** Rows below a head with a line under it, indented by two. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { words = 1 }: TableOptions = {},
): string {
  const drawn = new Table({
    head: [...head],
    colAligns: head.map((_, column) => (column < words ? "left" : "right")),
    chars: { ...BORDERS, mid: "─", "mid-mid": BETWEEN_RULED, middle: BETWEEN_RULED },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [], compact: true },
  });
  drawn.push(...rows.map((row) => [...row]));
  return trimmed(drawn)
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
}

function trimmed(drawn: { toString(): string }): string {
  return drawn
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}
