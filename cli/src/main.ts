/** Runs the command line, and ends with the exit code of what happened. */
import tab from "@bomb.sh/tab/commander";
import { type Command, CommanderError } from "commander";
import { EXIT, explain } from "./failure";
import { createProgram } from "./program";

async function main(): Promise<void> {
  const program = createProgram();
  tab(program, { completionCommandName: "completion" });
  program.commands
    .find((command) => command.name() === "completion")
    ?.description("Print what makes a shell complete this command's words.")
    .addHelpText("after", "\nExample:\n  $ source <(nanogrid completion bash)");
  everywhere(program, (command) => command.exitOverride());
  try {
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      // It has said what is wrong. Help and version are no error.
      process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage;
      return;
    }
    const { text, exitCode } = explain(error);
    process.stderr.write(`${text}\n`);
    process.exitCode = exitCode;
  }
}

function everywhere(command: Command, apply: (command: Command) => void): void {
  apply(command);
  for (const child of command.commands) {
    everywhere(child, apply);
  }
}

/** A reader that has seen enough, such as head, is no error. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") {
    process.exit();
  }
  throw error;
});

void main();
