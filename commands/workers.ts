/** `ENVIRONMENT=dev npm run workers -- status|scale|refresh|logs`: the workers' group, for operators. `--help` says more. */
import { CloudWatchClient } from "@aws-sdk/client-cloudwatch";
import { SQSClient } from "@aws-sdk/client-sqs";
import { Command } from "commander";
import { wholeNumber } from "./support/arguments";
import { groupText } from "./support/group";
import { addLogs, addRefresh, groupOf } from "./support/group-commands";
import { WORKERS } from "./support/names";
import { asOperator, type CommonFlags, type Operator, withCommonFlags } from "./support/operator";
import { queueStatus, queueText } from "./support/queue";

const program = new Command("npm run workers --")
  .description("The workers' auto-scaling group of the environment that ENVIRONMENT names (dev without it).")
  .addHelpText(
    "after",
    `
Examples:
  npm run workers -- status
  npm run workers -- scale 4
  npm run workers -- refresh --watch
  npm run workers -- logs --follow --job job_01JD8Q4YB3R6Z7K2M5N8P0QWES`,
  );

withCommonFlags(program.command("status"))
  .description("Prints min, desired, max, every instance, and the queue beside it.")
  .action((flags: CommonFlags) => asOperator(flags, status));

withCommonFlags(program.command("scale"))
  .description("Sets the desired number of workers, within min and max, and says what scaling does with it.")
  .argument("<number>", "workers", wholeNumber(0))
  .action((desired: number, flags: CommonFlags) => asOperator(flags, (operator) => scale(operator, desired)));

addRefresh(program, WORKERS);
addLogs(program, WORKERS);

async function status(operator: Operator): Promise<void> {
  const sqs = new SQSClient(operator.config);
  const cloudWatch = new CloudWatchClient(operator.config);
  const [group, queue] = await Promise.all([groupOf(operator, WORKERS).status(), queueStatus(sqs, cloudWatch)]);
  operator.show({ group, queue }, () => `${groupText(group)}\n\n${queueText(queue)}`);
}

async function scale(operator: Operator, desired: number): Promise<void> {
  const group = groupOf(operator, WORKERS);
  const before = await group.scale(desired);
  const policies = await group.policies();
  operator.show({ group: WORKERS.group, before, desired, policies }, () =>
    [`${WORKERS.group}: desired ${before} → ${desired}. Scaling goes on from there:`, ...policies.map(bullet)].join(
      "\n",
    ),
  );
}

function bullet(text: string): string {
  return `- ${text}`;
}

void program.parseAsync();
