/** The subcommands that a group of instances offers, whichever program they run. */
import { setTimeout as sleep } from "node:timers/promises";
import { AutoScalingClient } from "@aws-sdk/client-auto-scaling";
import { CloudWatchLogsClient } from "@aws-sdk/client-cloudwatch-logs";
import { type Command, Option } from "commander";
import { duration } from "./arguments";
import { Group, isMoving, type ProtectedInstances, refreshText } from "./group";
import { logText, tailLogs } from "./logs";
import type { Program } from "./names";
import { asOperator, type CommonFlags, type Operator, withCommonFlags } from "./operator";
import { Problem } from "./problem";

const WATCH_MS = 10_000;
const JOB = /^job_[0-9A-HJKMNP-TV-Z]{26}$/;

interface RefreshFlags extends CommonFlags {
  readonly watch?: boolean;
  readonly protected: ProtectedInstances;
}

interface LogFlags extends CommonFlags {
  readonly follow?: boolean;
  readonly job?: string;
  readonly since: number;
}

/** The group of a program. */
export function groupOf(operator: Operator, program: Program): Group {
  return new Group(new AutoScalingClient(operator.config), program);
}

/** Adds `refresh`: replaces the instances. */
export function addRefresh(parent: Command, program: Program): void {
  withCommonFlags(parent.command("refresh"))
    .description(`Replaces every ${program.title}, half of them at a time, by one of the current launch template.`)
    .option("--watch", "show progress until it is over; exit code 1 when it fails")
    .addOption(
      new Option("--protected <what>", "instances that run a job: wait for it (an hour at most), or drain them")
        .choices(["wait", "refresh"])
        .default("wait"),
    )
    .action((flags: RefreshFlags) => asOperator(flags, (operator) => refresh(operator, program, flags)));
}

async function refresh(operator: Operator, program: Program, flags: RefreshFlags): Promise<void> {
  const group = groupOf(operator, program);
  const { refresh: first, started } = await group.refresh(flags.protected);
  operator.say(started ? "The refresh has begun." : "A refresh goes on already; none was started.");
  let latest = first;
  while (flags.watch && isMoving(latest)) {
    operator.say(refreshText(latest));
    await sleep(WATCH_MS);
    latest = (await group.latestRefresh()) ?? latest;
  }
  operator.show(latest, () => refreshText(latest));
  if (flags.watch && latest.status !== "Successful") {
    throw new Problem(
      `The refresh of ${program.group} ended as ${latest.status}${latest.reason ? `: ${latest.reason}` : ""}.`,
      `Look at npm run ${program.title}s -- logs, then run it again or deploy the commit of before.`,
    );
  }
}

/** Adds `logs`: what the program writes. */
export function addLogs(parent: Command, program: Program): void {
  withCommonFlags(parent.command("logs"))
    .description(`Prints what every ${program.title} logs, oldest first: time, instance, line.`)
    .option("-f, --follow", "go on as lines come, until Ctrl-C")
    .option("--job <id>", "only lines that name this job")
    .option("--since <duration>", "how far back, such as 90s, 10m, 2h, 1d", duration, 600)
    .action((flags: LogFlags) => asOperator(flags, (operator) => logs(operator, program, flags)));
}

async function logs(operator: Operator, program: Program, flags: LogFlags): Promise<void> {
  if (flags.job !== undefined && !JOB.test(flags.job)) {
    throw new Problem(
      `--job ${flags.job}: expected the id of a job, job_ and 26 digits and capitals.`,
      "It is in the answer of the call that made the job, and in npm run queue -- peek.",
    );
  }
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt);
  try {
    await tailLogs({
      client: new CloudWatchLogsClient(operator.config),
      program,
      sinceMs: Date.now() - flags.since * 1_000,
      ...(flags.job === undefined ? {} : { term: flags.job }),
      ...(flags.follow ? { follow: stop.signal } : {}),
      take: (line) => process.stdout.write(`${flags.json ? JSON.stringify(line) : logText(line)}\n`),
    });
  } finally {
    process.off("SIGINT", interrupt);
  }
}
