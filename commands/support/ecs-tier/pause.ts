/** Pausing a tier to zero GPUs, and giving back what it had. */
import { RegisterScalableTargetCommand, type SuspendedState } from "@aws-sdk/client-application-auto-scaling";
import {
  type AutoScalingGroup,
  SetInstanceProtectionCommand,
  UpdateAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import { UpdateServiceCommand } from "@aws-sdk/client-ecs";
import { Problem } from "../problem";
import { findGroups, findScaling, findService, nameOf } from "./deployment";
import { forgetPaused, type Paused, readPaused, writePaused } from "./memory";
import { scaledOf, type TierClients } from "./tier";
import { type Waiting, waitFor } from "./waiting";

/** Instances that one call of SetInstanceProtection takes. */
const PROTECTION_BATCH = 50;
const ALL_SUSPENDED = {
  DynamicScalingInSuspended: true,
  DynamicScalingOutSuspended: true,
  ScheduledScalingSuspended: true,
};

/**
 * Brings tasks and GPU instances to zero and keeps them there. Run again, it goes on where it was, and what the first run remembered stays.
 *
 * @returns how things were before
 * @throws Problem when tasks or instances are still there after the limit
 */
export async function pause(clients: TierClients, waiting: Waiting): Promise<Paused> {
  const before = (await readPaused(clients)) ?? (await remember(clients));
  // Before the number is set: registering brings the tasks to the least that the target allows.
  if (await findScaling(clients)) {
    await suspend(clients, ALL_SUSPENDED);
    waiting.say("the service's scaling is suspended");
  }
  await wantTasks(clients, 0);
  await waitFor("No task runs", `Look at ${clients.tier.command} status, then run it again.`, waiting, async () => {
    const { runningCount = 0, pendingCount = 0 } = await findService(clients);
    const left = runningCount + pendingCount;
    return { seen: `tasks: ${left} left`, ...(left === 0 ? { result: true } : {}) };
  });
  await emptyGroups(clients, waiting);
  return before;
}

async function remember(clients: TierClients): Promise<Paused> {
  const { desiredCount = 0 } = await findService(clients);
  const scaling = await findScaling(clients);
  const groups = await findGroups(clients);
  const value: Paused = {
    at: new Date().toISOString(),
    tasks: desiredCount,
    suspended: { ...suspendedNothing(), ...scaling?.SuspendedState },
    groups: groups.map((group) => ({
      name: nameOf(group),
      min: group.MinSize ?? 0,
      desired: group.DesiredCapacity ?? 0,
    })),
  };
  await writePaused(clients, value);
  return value;
}

function suspendedNothing() {
  return { DynamicScalingInSuspended: false, DynamicScalingOutSuspended: false, ScheduledScalingSuspended: false };
}

/** The target's limits stay: what a call does not name is not changed. */
async function suspend({ tier, serviceScaling }: TierClients, state: SuspendedState): Promise<void> {
  await serviceScaling.send(new RegisterScalableTargetCommand({ ...scaledOf(tier), SuspendedState: state }));
}

async function wantTasks({ tier, ecs }: TierClients, desiredCount: number): Promise<void> {
  await ecs.send(new UpdateServiceCommand({ cluster: tier.cluster, service: tier.service, desiredCount }));
}

/**
 * ECS protects its instances and would take a quarter of an hour to let them go. With no task left there is nothing to protect, so that
 * they go at once; the group's draining hook finds them empty. One that was about to come is protected as it arrives, and meets the next look.
 */
async function emptyGroups(clients: TierClients, waiting: Waiting): Promise<void> {
  const remedy = `Look at ${clients.tier.command} activities, then run it again.`;
  await waitFor("No GPU instance is left", remedy, waiting, async () => {
    for (const group of await findGroups(clients)) {
      await unprotect(clients, group);
      const sizes = { AutoScalingGroupName: nameOf(group), MinSize: 0, DesiredCapacity: 0 };
      await clients.autoScaling.send(new UpdateAutoScalingGroupCommand(sizes));
    }
    const groups = await findGroups(clients);
    const counts = groups.map((group) => [nameOf(group), group.Instances?.length ?? 0] as const);
    const seen = `instances: ${counts.map(([name, count]) => `${name} ${count}`).join(", ") || "no group"} left`;
    return { seen, ...(counts.every(([, count]) => count === 0) ? { result: true } : {}) };
  });
}

async function unprotect({ autoScaling }: TierClients, group: AutoScalingGroup): Promise<void> {
  const ids = (group.Instances ?? [])
    .filter(({ ProtectedFromScaleIn, LifecycleState }) => ProtectedFromScaleIn && LifecycleState === "InService")
    .map(({ InstanceId = "" }) => InstanceId);
  for (let from = 0; from < ids.length; from += PROTECTION_BATCH) {
    await autoScaling.send(
      new SetInstanceProtectionCommand({
        AutoScalingGroupName: nameOf(group),
        InstanceIds: ids.slice(from, from + PROTECTION_BATCH),
        ProtectedFromScaleIn: false,
      }),
    );
  }
}

/**
 * Gives back what {@link pause} took.
 *
 * @returns what was given back
 * @throws Problem when nothing is remembered
 */
export async function resume(clients: TierClients): Promise<Paused> {
  const before = await readPaused(clients);
  const { service, stack, pausedParameter } = clients.tier;
  if (!before) {
    const { desiredCount = 0 } = await findService(clients);
    throw new Problem(
      `${service} is not paused: there is no parameter ${pausedParameter}, and it wants ${desiredCount} tasks.`,
      `Nothing was changed. The settings' numbers come with npx cdktf deploy ${stack}.`,
    );
  }
  const groups = new Map((await findGroups(clients)).map((group) => [nameOf(group), group]));
  for (const { name, min, desired } of before.groups) {
    const group = groups.get(name);
    if (group) {
      const most = group.MaxSize ?? 0;
      const sizes = { MinSize: Math.min(min, most), DesiredCapacity: Math.min(Math.max(desired, min), most) };
      await clients.autoScaling.send(new UpdateAutoScalingGroupCommand({ AutoScalingGroupName: name, ...sizes }));
    }
  }
  await wantTasks(clients, before.tasks);
  if (await findScaling(clients)) {
    await suspend(clients, before.suspended);
  }
  await forgetPaused(clients);
  return before;
}

/** Waits until as many tasks run as the service wants. */
export async function waitUntilUp(clients: TierClients, waiting: Waiting): Promise<void> {
  const { command, pages } = clients.tier;
  const remedy = `${command} activities shows whether instances come; docs/operations/${pages.notReady}.md.`;
  await waitFor("All tasks run", remedy, waiting, async () => {
    const { desiredCount = 0, runningCount = 0, pendingCount = 0 } = await findService(clients);
    const seen = `tasks: ${runningCount} of ${desiredCount} run, ${pendingCount} start`;
    return { seen, ...(runningCount >= desiredCount ? { result: true } : {}) };
  });
}
