/**
 * `ENVIRONMENT=dev npm run preflight [-- <stack>...]`: what would stop a deployment, found before any plan. Exit code 1 when something
 * would. Default: every stack.
 */
import { Command } from "commander";
import { loadSettings } from "../modules/platform/settings";
import { checkBeforePlan } from "./support/checks";
import { createClients } from "./support/clients";
import { chosenStacks } from "./support/plans/waves";
import { runCommand } from "./support/problem";
import { readStack, synthesize } from "./support/synthesis";

const program = new Command("preflight")
  .description("Checks the account, the state bucket, instance types, bucket names and producers before any plan.")
  .argument("[stacks...]", "stacks that are about to be deployed (default: all)")
  .option("--verbose", "print stack traces")
  .action(async (wanted: string[], options: { verbose?: boolean }) => {
    await runCommand(() => preflight(wanted), options.verbose);
  });

async function preflight(wanted: readonly string[]): Promise<void> {
  const project = process.cwd();
  const settings = loadSettings();
  const stacks = await synthesize({ project, environment: settings.environment, env: process.env });
  const chosen = chosenStacks(stacks, wanted);
  const clients = createClients(settings, process.env);
  await checkBeforePlan({ settings, clients, stacks, wanted: chosen, read: (stack) => readStack(project, stack) });
  process.stdout.write(
    `Nothing stands in the way of deploying ${chosen.length} stacks to "${settings.environment}" (account ${settings.accountId}).\n`,
  );
}

void program.parseAsync();
