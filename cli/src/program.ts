/** The command line as a whole. */
import { Command } from "commander";
import { version } from "../package.json";
import { deployCommand } from "./commands/deploy";
import { lsCommand, rmCommand, showCommand } from "./commands/functions";
import { invokeCommand } from "./commands/invoke";
import { jobsCommand, logsCommand } from "./commands/jobs";
import { keysCommand } from "./commands/keys";
import { loginCommand } from "./commands/login";
import { statusCommand } from "./commands/status";

/** Every command but `completion`, which main.ts adds. */
export function createProgram(): Command {
  const program = new Command("nanogrid")
    .description("Deploy functions to a NanoGrid, call them and follow their jobs.")
    .version(version, "--version")
    .helpCommand(false)
    .showHelpAfterError("(--help says what there is)")
    .addHelpText("after", HELP);
  const commands = [
    loginCommand(),
    deployCommand(),
    lsCommand(),
    showCommand(),
    rmCommand(),
    invokeCommand(),
    logsCommand(),
    jobsCommand(),
    keysCommand(),
    statusCommand(),
  ];
  for (const command of commands) {
    program.addCommand(command);
  }
  return program;
}

const HELP = `
Functions go by name or id. NANOGRID_URL and NANOGRID_API_KEY say where NanoGrid is and who asks; without them, what nanogrid login
has kept does (NANOGRID_PROFILE picks one of several).

Exit codes: 0 done, 1 the function failed or NanoGrid refused, 2 wrong usage, 3 NanoGrid could not be reached.

Example:
  $ nanogrid deploy examples/hello && nanogrid invoke hello --data '{"name": "Ada"}'`;
