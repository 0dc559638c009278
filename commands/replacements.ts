/**
 * `npm run replacements`: writes the tables of attributes that a provider cannot change in place, from the source of the providers that
 * `local/providers.ts` pins. `npm run diff -- --against` reads them as hints. Run it after a change of those versions.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { z } from "zod";
import { PROVIDERS, type Provider } from "../local/providers";
import { REPLACEMENTS, type Replacements } from "./support/plans/replacements";
import { Problem, runCommand } from "./support/problem";
import { shell, which } from "./support/shell";

const DOWNLOAD_MS = 30 * 60_000;
const EXTRACT_MS = 10 * 60_000;

const program = new Command("npm run replacements --")
  .description(
    "Writes which attributes the pinned providers cannot change in place. Needs Go and its module proxy; takes minutes.",
  )
  .option("--verbose", "print stack traces")
  .action(async ({ verbose }: { verbose?: boolean }) => {
    await runCommand(async () => {
      for (const provider of PROVIDERS) {
        await write(provider);
      }
    }, verbose);
  });

async function write({ module, moduleVersion, name, version }: Provider): Promise<void> {
  const go = which("go", process.env);
  if (go === undefined) {
    throw new Problem("go is not on PATH.", "Install Go >= 1.24 from https://go.dev/dl.");
  }
  const work = mkdtempSync(join(tmpdir(), "replacements-"));
  // A module cache of its own, which can be removed: the source of a provider is 300 MB.
  const env = { ...process.env, GOMODCACHE: join(work, "modules"), GOFLAGS: "-modcacherw" };
  try {
    writeFileSync(join(work, "go.mod"), "module work\n\ngo 1.24\n");
    process.stdout.write(`… ${name} ${version}: fetching its source\n`);
    const download = ["mod", "download", "-json", `${module}@${moduleVersion}`];
    const fetched = await shell(go, download, { cwd: work, env, timeoutMs: DOWNLOAD_MS });
    const { Dir: folder } = z.object({ Dir: z.string() }).parse(JSON.parse(fetched));
    const extract = ["run", join(REPLACEMENTS, "extract", "main.go"), folder];
    const found = await shell(go, extract, { cwd: work, env, timeoutMs: EXTRACT_MS });
    const types = z.record(z.string(), z.array(z.string())).parse(JSON.parse(found));
    const table: Replacements = {
      provider: name,
      version,
      source: `${module}@${moduleVersion}`,
      made: new Date().toISOString().slice(0, 10),
      types: Object.fromEntries(
        Object.entries(types)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([type, paths]): [string, string[]] => [type, outermost(paths)])
          .filter(([, paths]) => paths.length > 0),
      ),
    };
    writeFileSync(join(REPLACEMENTS, `${name}.json`), text(table));
    process.stdout.write(`${name} ${version}: ${Object.keys(table.types).length} resource types\n`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Without what lies inside of another: that is replaced with it. */
function outermost(paths: readonly string[]): string[] {
  return paths.filter((path) => !paths.some((outer) => path.startsWith(`${outer}.`)));
}

/** A line each type, so that a change of version can be read as a diff. */
function text({ types, ...head }: Replacements): string {
  const lines = Object.entries(types).map(
    ([type, paths]) => `    ${JSON.stringify(type)}: ${JSON.stringify(paths.join(" "))}`,
  );
  const heads = Object.entries(head).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},`);
  return ["{", ...heads, '  "types": {', lines.join(",\n"), "  }", "}", ""].join("\n");
}

void program.parseAsync();
