/**
 * `npm run docs:pictures`: draws the stacks and the architecture of each system from the synthesized Terraform. `-- --check` writes
 * nothing and ends with exit code 1 when a picture is not what is synthesized.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { withFreshSynthesis } from "./support/fresh-synthesis";
import { picturesOf } from "./support/pictures/pictures";
import { Problem, runCommand } from "./support/problem";

const COMMAND = "npm run docs:pictures";
/** The environment with the default settings. */
const ENVIRONMENT = "dev";

const program = new Command(`${COMMAND} --`)
  .description("Draws the stacks and the architecture of each system from the synthesized Terraform.")
  .option("--out <folder>", "where the pictures are", join("docs", "images"))
  .option(
    "--from <cdktf.out>",
    `draw what is synthesized there (default: synthesizes ${ENVIRONMENT} into a folder of its own)`,
  )
  .option("--check", "write nothing; exit code 1 when a picture is out of date")
  .addHelpText(
    "after",
    `\nExamples:\n  ${COMMAND}\n  ${COMMAND} -- --check\n  ${COMMAND} -- --from cdktf.out --out /tmp/pictures`,
  )
  .action(async ({ out, from, check = false }: { out: string; from?: string; check?: boolean }) => {
    await runCommand(async () => {
      const pictures =
        from === undefined
          ? await withFreshSynthesis(ENVIRONMENT, (folder) => picturesOf(".", folder))
          : await picturesOf(".", from);
      for (const [name, svg] of pictures) {
        (check ? compare : write)(join(out, name), svg);
      }
    });
  });

function write(file: string, svg: string): void {
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, svg);
  process.stdout.write(`${file} is written.\n`);
}

function compare(file: string, svg: string): void {
  let committed: string | undefined;
  try {
    committed = readFileSync(file, "utf8");
  } catch {
    committed = undefined;
  }
  if (committed !== svg) {
    throw new Problem(`${file} is not what is synthesized for ${ENVIRONMENT}.`, `Draw it anew: ${COMMAND}`);
  }
  process.stdout.write(`${file} is up to date.\n`);
}

void program.parseAsync();
