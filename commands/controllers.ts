/** `ENVIRONMENT=dev npm run controllers -- status|refresh|logs`: the controllers' group, for operators. `--help` says more. */
import { Command } from "commander";
import { groupText } from "./support/group";
import { addLogs, addRefresh, groupOf } from "./support/group-commands";
import { CONTROLLERS } from "./support/names";
import { asOperator, type CommonFlags, type Operator, withCommonFlags } from "./support/operator";

const program = new Command("npm run controllers --")
  .description("The controllers' auto-scaling group of the environment that ENVIRONMENT names (dev without it).")
  .addHelpText(
    "after",
    `
Examples:
  npm run controllers -- status
  npm run controllers -- refresh --watch
  npm run controllers -- logs --since 1h`,
  );

withCommonFlags(program.command("status"))
  .description("Prints the number of controllers and every instance.")
  .action((flags: CommonFlags) => asOperator(flags, status));

addRefresh(program, CONTROLLERS);
addLogs(program, CONTROLLERS);

async function status(operator: Operator): Promise<void> {
  const group = await groupOf(operator, CONTROLLERS).status();
  operator.show({ group }, () => groupText(group));
}

void program.parseAsync();
