/** Patterns of files that are left out, as .gitignore has them: `*`, `?`, `**`, a leading or trailing `/`, `!`, `#`. */

interface Rule {
  readonly matches: RegExp;
  readonly foldersOnly: boolean;
  readonly takesIn: boolean;
}

/**
 * Reads patterns, one a line. The last one that matches decides; what lies in a folder that is left out is left out with it.
 * @returns whether a path, relative and with `/`, is left out
 */
export function ignoreRules(lines: readonly string[]): (path: string, isFolder: boolean) => boolean {
  const rules = lines.map((line) => line.trimEnd()).filter((line) => line !== "" && !line.startsWith("#"));
  const parsed = rules.map(parse);
  return (path, isFolder) =>
    parsed.findLast(({ matches, foldersOnly }) => (isFolder || !foldersOnly) && matches.test(path))?.takesIn === false;
}

function parse(line: string): Rule {
  const takesIn = line.startsWith("!");
  const body = takesIn ? line.slice(1) : line.replace(/^\\(?=[!#])/, "");
  const foldersOnly = body.endsWith("/");
  const pattern = foldersOnly ? body.slice(0, -1) : body;
  // A pattern with a slash in it is of one place; one without, of any.
  const start = pattern.includes("/") ? "" : "(?:.*/)?";
  return { takesIn, foldersOnly, matches: new RegExp(`^${start}${expression(pattern.replace(/^\//, ""))}$`) };
}

function expression(pattern: string): string {
  return pattern.replace(/\*\*\/|\/\*\*$|\*\*|\*|\?|[.+^${}()|[\]\\]/g, (part) => {
    switch (part) {
      case "**/":
        return "(?:.*/)?";
      case "/**":
        return "/.*";
      case "**":
        return ".*";
      case "*":
        return "[^/]*";
      case "?":
        return "[^/]";
      default:
        return `\\${part}`;
    }
  });
}
