/** What commands print: tables for people, JSON for machines. Results go to stdout, everything about them to stderr. */

/** Prints to stdout, with a line end. */
export function print(text: string): void {
  process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
}

/** Prints to stderr, with a line end. */
export function say(text: string): void {
  process.stderr.write(text.endsWith("\n") ? text : `${text}\n`);
}

/** A value as JSON, indented. */
export function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

/**
 * A table, its columns as wide as they have to be.
 * @param head names of the columns
 */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const lines = [head, ...rows].map((row) => row.map((cell) => plain(String(cell))));
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => (column === head.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Names and values below each other; those without a value are left out. */
export function facts(rows: readonly (readonly [string, string | number | undefined])[]): string {
  const known = rows.filter(([, value]) => value !== undefined && value !== "");
  const width = Math.max(...known.map(([name]) => name.length));
  return known.map(([name, value]) => `${name.padEnd(width)}  ${plain(String(value))}`).join("\n");
}

/** Text without control characters, which a terminal would follow. */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced.
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, "�");
}
