/**
 * Which attributes a provider cannot change in place, as tables made from its source (`npm run replacements`). A hint: whether a resource
 * is replaced only a plan knows, since providers decide some cases by the values.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** Where the tables are, one a provider. */
export const REPLACEMENTS = join(__dirname, "replacements");

const table = z.object({
  /** Name of the provider, such as `aws`. */
  provider: z.string(),
  /** Version that the source is of. */
  version: z.string(),
  /** Go module and version that was read. */
  source: z.string(),
  /** Day on which it was made. */
  made: z.string(),
  /** Paths of attributes by resource type, without indices. Written as one text with blanks between. */
  types: z.record(
    z.string(),
    z.string().transform((paths) => paths.split(" ")),
  ),
});

/** One provider's table. */
export type Replacements = z.output<typeof table>;

/** Every provider's table. */
export function replacementTables(): Replacements[] {
  return readdirSync(REPLACEMENTS)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => table.parse(JSON.parse(readFileSync(join(REPLACEMENTS, file), "utf8"))));
}

/**
 * Of changed attributes those that the provider cannot change in place.
 *
 * @param tables the providers' tables
 * @param type resource type
 * @param paths paths of changed attributes
 */
export function replacedBy(tables: readonly Replacements[], type: string, paths: readonly string[]): string[] {
  const fixed = tables.flatMap(({ types }) => types[type] ?? []);
  return paths.filter((path) => {
    const plain = path.replace(/\[\d+\]/g, "");
    return fixed.some((each) => plain === each || plain.startsWith(`${each}.`) || each.startsWith(`${plain}.`));
  });
}
