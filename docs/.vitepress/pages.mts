/** The pages of the site: what the repository has for people, where it has it. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** The checkout. */
export const PROJECT = resolve(import.meta.dirname, "..", "..");

/** Every page by its file, with its address below the site. */
export const PAGES: ReadonlyMap<string, string> = new Map(
  ["README.md", "examples/README.md", ...markdownIn("docs")].map((file) => [file, addressOf(file)]),
);

/** Folders and files at the top that have no pages. */
export const WITHOUT_PAGES: readonly string[] = readdirSync(PROJECT, { withFileTypes: true })
  .filter(({ name }) => name !== "docs" && name !== "examples" && name !== "README.md")
  .map((entry) => (entry.isDirectory() ? `${entry.name}/**` : entry.name));

/** `docs/operations/README.md` is `operations/index.md`: a page's folder is its address. */
function addressOf(file: string): string {
  return file
    .replace(/^docs\/README\.md$/, "docs.md")
    .replace(/^docs\//, "")
    .replace(/(^|\/)README\.md$/, "$1index.md");
}

/** The first heading of a page. */
export function titleOf(file: string): string {
  const [, title = file] = /^# (.+)$/m.exec(readFileSync(join(PROJECT, file), "utf8")) ?? [];
  return title.replaceAll("`", "");
}

function markdownIn(folder: string): string[] {
  return readdirSync(join(PROJECT, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const file = `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        return entry.name.startsWith(".") ? [] : markdownIn(file);
      }
      return entry.name.endsWith(".md") ? [file] : [];
    })
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}
