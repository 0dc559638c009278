/** The subcommands that every tier has: they look at it, roll it, pause it and resume it. */
import { ElasticLoadBalancingV2Client } from "@aws-sdk/client-elastic-load-balancing-v2";
import type { Command } from "commander";
import { duration, wholeNumber } from "../arguments";
import { asOperator, type CommonFlags, type Operator, withCommonFlags } from "../operator";
import { Problem } from "../problem";
import { readPaused } from "./memory";
import { pause, resume, waitUntilUp } from "./pause";
import { followRollout, startRollout } from "./rollout";
import { activityText, scalingActivities, serviceStatus, statusText, targetHealth, targetText } from "./status";
import { type EcsTier, tierClients } from "./tier";
import type { Waiting } from "./waiting";

const WATCH_MS = 10_000;
/** Half an hour: an instance boots and pulls up to ten gigabytes, and a model is loaded. */
const LIMIT_SECONDS = 1_800;

/** Options of a command that waits. */
export interface WaitFlags extends CommonFlags {
  /** In seconds. */
  readonly timeout: number;
}

/** Adds the subcommands that only look. */
export function addTierLooking(parent: Command, tier: EcsTier): void {
  withCommonFlags(parent.command("status"))
    .description("Prints tasks, deployments, scaling, groups of instances, and whether it is paused.")
    .action((flags: CommonFlags) => asOperator(flags, (operator) => status(operator, tier)));
  withCommonFlags(parent.command("health"))
    .description("Prints every target of the load balancer with its reason; exit code 1 unless all are healthy.")
    .action((flags: CommonFlags) => asOperator(flags, (operator) => health(operator, tier)));
  withCommonFlags(parent.command("activities"))
    .description("Prints what scaling of tasks and of instances did last, and why.")
    .option("-n, --count <number>", "at most so many", wholeNumber(1), 20)
    .action((flags: CommonFlags & { count: number }) =>
      asOperator(flags, (operator) => activities(operator, tier, flags.count)),
    );
}

/** Adds the subcommands that change what runs. */
export function addTierRunning(parent: Command, tier: EcsTier): void {
  withTimeout(withCommonFlags(parent.command("roll")))
    .description("Replaces every task by a new one of the same definition, and waits until they serve.")
    .action((flags: WaitFlags) => asOperator(flags, (operator) => roll(operator, tier, flags)));
  withTimeout(withCommonFlags(parent.command("pause")))
    .description("Brings tasks and GPU instances to zero, remembers the numbers, and waits until no instance is left.")
    .action((flags: WaitFlags) => asOperator(flags, (operator) => pauseService(operator, tier, flags)));
  withTimeout(withCommonFlags(parent.command("resume")))
    .description("Gives back what pause took, and waits until the tasks run.")
    .option("--no-wait", "do not wait")
    .action((flags: WaitFlags & { wait: boolean }) =>
      asOperator(flags, (operator) => resumeService(operator, tier, flags)),
    );
}

/** Adds the option that limits a wait. @param seconds its default */
export function withTimeout(command: Command, seconds = LIMIT_SECONDS): Command {
  return command.option("--timeout <duration>", "how long to wait, such as 90s or 30m", duration, seconds);
}

/** How a command waits. */
export function waitingOf({ say }: Operator, { timeout }: WaitFlags): Waiting {
  return { everyMs: WATCH_MS, limitMs: timeout * 1_000, say };
}

async function status({ config, show }: Operator, tier: EcsTier): Promise<void> {
  const clients = tierClients(tier, config);
  const found = await serviceStatus(clients, await readPaused(clients));
  show(found, () => statusText(tier, found));
}

async function health({ config, show }: Operator, tier: EcsTier): Promise<void> {
  const targets = await targetHealth(tier, new ElasticLoadBalancingV2Client(config));
  show({ targets }, () => targetText(tier, targets));
  const well = targets.filter(({ state }) => state === "healthy").length;
  if (targets.length === 0 || well < targets.length) {
    throw new Problem(
      `${well} of ${targets.length} targets are healthy.`,
      `docs/operations/${tier.pages.unhealthy}.md says what each reason means.`,
    );
  }
}

async function activities({ config, show }: Operator, tier: EcsTier, count: number): Promise<void> {
  const found = await scalingActivities(tierClients(tier, config), count);
  show({ activities: found }, () => activityText(found));
}

async function roll(operator: Operator, tier: EcsTier, flags: WaitFlags): Promise<void> {
  const clients = tierClients(tier, operator.config);
  const deployment = await startRollout(clients);
  operator.say(`${tier.service}: deployment ${deployment} has begun`);
  const rollout = await followRollout(clients, deployment, waitingOf(operator, flags));
  operator.show(
    rollout,
    () => `${tier.service}: deployment ${deployment} is complete, ${rollout.tasks} new tasks serve.`,
  );
}

async function pauseService(operator: Operator, tier: EcsTier, flags: WaitFlags): Promise<void> {
  const { stays } = tier;
  const before = await pause(tierClients(tier, operator.config), waitingOf(operator, flags));
  const lines = ["No GPU instance is left. What stays and costs:", ...stays.map((line) => `- ${line}`)];
  const back = `${tier.command} resume gives back ${before.tasks} tasks.`;
  operator.show({ before, stays }, () => [...lines, back].join("\n"));
}

async function resumeService(operator: Operator, tier: EcsTier, flags: WaitFlags & { wait: boolean }): Promise<void> {
  const clients = tierClients(tier, operator.config);
  const before = await resume(clients);
  operator.say(`${tier.service}: wants ${before.tasks} tasks again; an instance takes some minutes to come`);
  if (flags.wait) {
    await waitUntilUp(clients, waitingOf(operator, flags));
  }
  operator.show({ given: before }, () =>
    flags.wait
      ? `${tier.service}: ${before.tasks} tasks run.`
      : `Given back. ${tier.command} status shows how far it is.`,
  );
}
