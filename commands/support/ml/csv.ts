/** Rows of numbers from a CSV file, each with the line that it is on. */
import { readFileSync } from "node:fs";
import { CsvError, parse } from "csv-parse/sync";
import { Problem } from "../problem";

/** What is wrong at one place of the file. */
export interface CellError {
  /** Line of the file, from 1. */
  readonly line: number;
  /** Name of the column; empty where it is about the whole line. */
  readonly column: string;
  readonly detail: string;
}

/** A row that can be sent. */
export interface Row {
  readonly line: number;
  readonly values: Readonly<Record<string, number>>;
}

/** What a file has. */
export interface Rows {
  readonly rows: readonly Row[];
  readonly errors: readonly CellError[];
  /** Columns that nobody asked for. */
  readonly ignored: readonly string[];
}

interface CsvRecord {
  readonly record: string[];
  readonly info: { readonly lines: number };
}

/** A number as people write it in CSV: JSON's, and a plus sign or a missing digit beside the point. */
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const LONGEST_SHOWN = 40;

/**
 * Reads a file with a header.
 *
 * @param file path of the file
 * @param columns names that the header must have; others are left out
 * @throws Problem when the file cannot be read, is no CSV, has no rows, or lacks a column
 */
export function readRows(file: string, columns: readonly string[]): Rows {
  const [header, ...records] = recordsOf(file);
  if (!header) {
    throw new Problem(`${file} is empty.`, `Give it a header with these columns, and a row: ${columns.join(", ")}`);
  }
  const names = header.record;
  const missing = columns.filter((column) => !names.includes(column));
  const twice = names.filter((name, index) => columns.includes(name) && names.indexOf(name) !== index);
  if (missing.length > 0 || twice.length > 0) {
    const parts = [
      ...(missing.length > 0 ? [`lacks ${missing.join(", ")}`] : []),
      ...(twice.length > 0 ? [`has ${twice.join(", ")} more than once`] : []),
    ];
    throw new Problem(
      `${file}: its header (line ${header.info.lines}) ${parts.join(", and ")}.`,
      `It has to name each of these columns once: ${columns.join(", ")}`,
    );
  }
  if (records.length === 0) {
    throw new Problem(`${file} has a header and no rows.`, "Add a row.");
  }
  const errors: CellError[] = [];
  const rows = records.flatMap(({ record, info: { lines: line } }) => {
    const wrong = errorsOf(line, record, names, columns);
    errors.push(...wrong);
    const cells = columns.map((column) => [column, Number(record[names.indexOf(column)])]);
    return wrong.length === 0 ? [{ line, values: Object.fromEntries(cells) }] : [];
  });
  return { rows, errors, ignored: names.filter((name) => !columns.includes(name)) };
}

function recordsOf(file: string): CsvRecord[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const what = code === "ENOENT" ? "is not there" : `cannot be read: ${message}`;
    throw new Problem(`${file} ${what}.`, "Name a CSV file, such as examples/wine.csv.", undefined, { cause: error });
  }
  try {
    const options = { bom: true, info: true, relax_column_count: true, skip_empty_lines: true, trim: true };
    return parse(text, options) as unknown as CsvRecord[];
  } catch (error) {
    if (error instanceof CsvError) {
      throw new Problem(`${file} is no CSV: ${error.message}.`, "Mend that line.", undefined, { cause: error });
    }
    throw error;
  }
}

function errorsOf(
  line: number,
  record: readonly string[],
  names: readonly string[],
  columns: readonly string[],
): CellError[] {
  if (record.length !== names.length) {
    return [{ line, column: "", detail: `has ${record.length} values, the header ${names.length}` }];
  }
  return columns.flatMap((column) => {
    const cell = record[names.indexOf(column)] ?? "";
    const came = cell === "" ? "nothing" : JSON.stringify(cell.slice(0, LONGEST_SHOWN));
    return NUMBER.test(cell) ? [] : [{ line, column, detail: `expected a number, got ${came}` }];
  });
}
