/** `ENVIRONMENT=dev npm run queue -- status|peek|redrive`: the queue of jobs and its dead letters. `--help` says more. */
import { setTimeout as sleep } from "node:timers/promises";
import { CloudWatchClient } from "@aws-sdk/client-cloudwatch";
import { SQSClient } from "@aws-sdk/client-sqs";
import { Command } from "commander";
import { wholeNumber } from "./support/arguments";
import { asOperator, type CommonFlags, confirm, type Operator, withCommonFlags } from "./support/operator";
import { Problem } from "./support/problem";
import {
  deadLetterQueue,
  latestRedrive,
  lettersText,
  type MoveStatus,
  peekDeadLetters,
  queueStatus,
  queueText,
  startRedrive,
} from "./support/queue";

const WATCH_MS = 3_000;

interface PeekFlags extends CommonFlags {
  readonly max: number;
  readonly showInput?: boolean;
}

interface RedriveFlags extends CommonFlags {
  readonly yes?: boolean;
  readonly watch?: boolean;
  readonly rate: number;
}

const program = new Command("npm run queue --")
  .description("The queue of jobs of the environment that ENVIRONMENT names (dev without it), and its dead letters.")
  .addHelpText(
    "after",
    `
Examples:
  npm run queue -- status
  npm run queue -- peek --max 50
  npm run queue -- redrive --watch`,
  );

withCommonFlags(program.command("status"))
  .description("Prints how many jobs wait, run and are delayed, the age of the oldest, and the dead letters.")
  .action((flags: CommonFlags) => asOperator(flags, status));

withCommonFlags(program.command("peek"))
  .description("Shows dead letters and leaves them where they are. Each look counts as a receive.")
  .option("--max <number>", "how many at most", wholeNumber(1), 20)
  .option("--show-input", "print the functions' inputs as well: they belong to users")
  .action((flags: PeekFlags) => asOperator(flags, (operator) => peek(operator, flags)));

withCommonFlags(program.command("redrive"))
  .description("Sends every dead letter back to the queue. Jobs that have ended meanwhile are not run again.")
  .option("--yes", "do not ask")
  .option("--rate <number>", "messages a second at most", wholeNumber(1), 10)
  .option("--watch", "show progress until it is over; of the one that goes on, where there is one")
  .action((flags: RedriveFlags) => asOperator(flags, (operator) => redrive(operator, flags)));

async function status(operator: Operator): Promise<void> {
  const queue = await queueStatus(new SQSClient(operator.config), new CloudWatchClient(operator.config));
  operator.show(queue, () => queueText(queue));
}

async function peek(operator: Operator, { max, showInput = false }: PeekFlags): Promise<void> {
  const letters = await peekDeadLetters(new SQSClient(operator.config), max, showInput);
  operator.show(letters, () => lettersText(letters));
}

async function redrive(operator: Operator, { yes = false, watch = false, rate }: RedriveFlags): Promise<void> {
  const sqs = new SQSClient(operator.config);
  const { arn, count } = await deadLetterQueue(sqs);
  let task = await latestRedrive(sqs, arn);
  if (isRunning(task)) {
    operator.say("A redrive goes on already; none was started.");
  } else if (count === 0) {
    operator.show({ status: "NOTHING" }, () => "There are no dead letters to send back.");
    return;
  } else {
    if (!yes && !(await confirm(`Send ${count} dead letters back to the queue, ${rate} a second? [y/N] `))) {
      throw new Problem("Nothing was sent back.", "Look at them with npm run queue -- peek, or run it with --yes.");
    }
    await startRedrive(sqs, arn, rate);
    task = await latestRedrive(sqs, arn);
  }
  while (watch && isRunning(task)) {
    operator.say(moveText(task));
    await sleep(WATCH_MS);
    task = await latestRedrive(sqs, arn);
  }
  operator.show(task ?? { status: "STARTED" }, () => (task ? moveText(task) : "The redrive has begun."));
  if (task?.status === "FAILED") {
    throw new Problem(`The redrive failed: ${task.reason}.`, "What was not moved is still there: run it again.");
  }
}

function isRunning(task: MoveStatus | undefined): task is MoveStatus {
  return task?.status === "RUNNING" || task?.status === "CANCELLING";
}

function moveText({ status: state, moved, toMove }: MoveStatus): string {
  return `redrive: ${state}, ${moved} of ${toMove} moved`;
}

void program.parseAsync();
