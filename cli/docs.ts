/**
 * `node --import tsx cli/docs.ts`: writes the reference in docs/cli.md from what each command says about itself. With `--check` it writes
 * nothing, and ends with exit code 1 when the page says something else.
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { Command } from "commander";
import { createProgram } from "./src/program";

const PAGE = "docs/cli.md";
const BEGIN = "<!-- begin reference: written by cli/docs.ts -->\n";
const END = "<!-- end reference -->\n";

const page = readFileSync(PAGE, "utf8");
const [before, rest] = page.split(BEGIN);
const after = rest?.split(END)[1];
if (before === undefined || after === undefined) {
  throw new Error(`${PAGE} has no place for the reference: expected ${BEGIN.trim()} and ${END.trim()}.`);
}
const written = `${before}${BEGIN}${reference(createProgram())}${END}${after}`;
if (!process.argv.includes("--check")) {
  writeFileSync(PAGE, written);
} else if (written !== page) {
  process.stderr.write(`${PAGE} is not what the commands say. Write it anew: node --import tsx cli/docs.ts\n`);
  process.exitCode = 1;
}

function reference(program: Command): string {
  return program.commands.flatMap((command) => sections(command, `nanogrid ${command.name()}`)).join("");
}

function sections(command: Command, name: string): string[] {
  const own = `\n### ${name}\n\n\`\`\`\n${helpOf(command).trimEnd()}\n\`\`\`\n`;
  return [own, ...command.commands.flatMap((child) => sections(child, `${name} ${child.name()}`))];
}

/** What `--help` prints, with the examples below, at 80 columns. */
function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
    getOutHelpWidth: () => 80,
  });
  command.outputHelp();
  return text;
}
