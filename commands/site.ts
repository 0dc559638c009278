/**
 * `npm run docs:site`: builds the site of the docs into a folder that git ignores. A link that leads nowhere fails it. The site asks no
 * other host for anything: fonts, scripts and the index of the search are its own.
 */
import { join, resolve } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { runCommand } from "./support/problem";
import { shell } from "./support/shell";

const COMMAND = "npm run docs:site";
const BUILD_MS = 300_000;

interface Flags {
  readonly base: string;
  readonly out: string;
  readonly repository: string;
}

const program = new Command(`${COMMAND} --`)
  .description("Builds the site of the docs: static files with a search that runs in the browser.")
  .option("--base <path>", "path below its host, such as /nanogrid-cloud/ on GitHub Pages", path, "/")
  .option("--out <folder>", "where the files go", join("docs", ".vitepress", "dist"))
  .option(
    "--repository <address>",
    "where links to source files lead, such as https://github.com/<owner>/<name>/blob/main",
    "",
  )
  .addHelpText("after", `\nExamples:\n  ${COMMAND}\n  ${COMMAND} -- --base /nanogrid-cloud/ --out site`)
  .action(async ({ base, out, repository }: Flags) => {
    await runCommand(async () => {
      await shell(process.execPath, [vitepress(), "build", "docs", "--base", base, "--outDir", resolve(out)], {
        env: { ...process.env, SITE_REPOSITORY: repository, NODE_ENV: "production" },
        timeoutMs: BUILD_MS,
        onLine: (line) => {
          process.stderr.write(`${line}\n`);
        },
        remedy: "Mend what it names above, then build it again.",
      });
      process.stdout.write(`${join(out, "index.html")} is the site's home, at ${base} of its host.\n`);
    });
  });

/** VitePress's program: its package exports ES modules alone, which cannot be asked for by name here. */
function vitepress(): string {
  return join("node_modules", "vitepress", "bin", "vitepress.js");
}

function path(text: string): string {
  if (!/^\/(?:[\w.-]+\/)*$/.test(text)) {
    throw new InvalidArgumentError("Expected a path that begins and ends with a slash, such as /nanogrid-cloud/.");
  }
  return text;
}

void program.parseAsync();
