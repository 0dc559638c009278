/** A tier as an operator sees it: tasks, deployments, groups, what a pause took away, the targets, and what scaling did. */
import { DescribeScalingActivitiesCommand } from "@aws-sdk/client-application-auto-scaling";
import { DescribeScalingActivitiesCommand as DescribeGroupActivitiesCommand } from "@aws-sdk/client-auto-scaling";
import {
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
  type ElasticLoadBalancingV2Client,
  TargetGroupNotFoundException,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { Problem } from "../problem";
import { columns } from "../table";
import { findGroups, findScaling, findService, nameOf } from "./deployment";
import type { Paused } from "./memory";
import { type EcsTier, scaledOf, type TierClients } from "./tier";

/** The service in numbers. */
export interface ServiceStatus {
  readonly service: string;
  readonly desired: number;
  readonly running: number;
  readonly pending: number;
  /** Task definition, as family:revision. */
  readonly taskDefinition: string;
  readonly deployments: readonly { readonly id: string; readonly status: string; readonly rollout: string }[];
  /** Fewest and most tasks that scaling keeps to; null where nothing scales. */
  readonly scaling: { readonly min: number; readonly max: number; readonly suspended: boolean } | null;
  readonly groups: readonly GroupNumbers[];
  /** What a pause took away; null when there is none. */
  readonly paused: Paused | null;
}

interface GroupNumbers {
  readonly group: string;
  readonly min: number;
  readonly desired: number;
  readonly max: number;
  readonly instances: number;
}

/** @throws Problem when the service is not deployed */
export async function serviceStatus(clients: TierClients, paused: Paused | undefined): Promise<ServiceStatus> {
  const [service, target, groups] = await Promise.all([
    findService(clients),
    findScaling(clients),
    findGroups(clients),
  ]);
  return {
    service: clients.tier.service,
    desired: service.desiredCount ?? 0,
    running: service.runningCount ?? 0,
    pending: service.pendingCount ?? 0,
    taskDefinition: service.taskDefinition?.split("/").at(-1) ?? "",
    deployments: (service.deployments ?? []).map(({ id = "", status = "", rolloutState = "" }) => ({
      id,
      status,
      rollout: rolloutState,
    })),
    scaling: target
      ? {
          min: target.MinCapacity ?? 0,
          max: target.MaxCapacity ?? 0,
          suspended: target.SuspendedState?.DynamicScalingOutSuspended ?? false,
        }
      : null,
    groups: groups.map((group) => ({
      group: nameOf(group),
      min: group.MinSize ?? 0,
      desired: group.DesiredCapacity ?? 0,
      max: group.MaxSize ?? 0,
      instances: group.Instances?.length ?? 0,
    })),
    paused: paused ?? null,
  };
}

/** The service for a person. */
export function statusText({ command }: EcsTier, status: ServiceStatus): string {
  const { scaling, paused } = status;
  return [
    `${status.service}: desired ${status.desired}, running ${status.running}, pending ${status.pending}, ${status.taskDefinition}`,
    ...(scaling ? [`scaling: ${scaling.min} to ${scaling.max} tasks${scaling.suspended ? ", suspended" : ""}`] : []),
    ...(paused ? [`paused since ${paused.at}: ${command} resume gives back ${paused.tasks} tasks`] : []),
    ...status.deployments.map(({ id, status: role, rollout }) => `deployment ${id}: ${role}, ${rollout}`),
    ...status.groups.map(
      ({ group, min, desired, max, instances }) =>
        `${group}: min ${min}, desired ${desired}, max ${max}, instances ${instances}`,
    ),
  ].join("\n");
}

/** One target of the load balancer. */
export interface Target {
  readonly address: string;
  readonly zone: string;
  readonly state: string;
  readonly reason: string;
  readonly description: string;
}

/** @throws Problem when the target group is not deployed */
export async function targetHealth(tier: EcsTier, balancing: ElasticLoadBalancingV2Client): Promise<Target[]> {
  const query = new DescribeTargetHealthCommand({ TargetGroupArn: await targetGroupArn(tier, balancing) });
  const { TargetHealthDescriptions = [] } = await balancing.send(query);
  return TargetHealthDescriptions.map(({ Target, TargetHealth }) => ({
    address: `${Target?.Id}:${Target?.Port}`,
    zone: Target?.AvailabilityZone ?? "",
    state: TargetHealth?.State ?? "",
    reason: TargetHealth?.Reason ?? "",
    description: TargetHealth?.Description ?? "",
  }));
}

async function targetGroupArn(
  { targetGroup, stack }: EcsTier,
  balancing: ElasticLoadBalancingV2Client,
): Promise<string | undefined> {
  try {
    const { TargetGroups = [] } = await balancing.send(new DescribeTargetGroupsCommand({ Names: [targetGroup] }));
    return TargetGroups[0]?.TargetGroupArn;
  } catch (error) {
    if (error instanceof TargetGroupNotFoundException) {
      throw new Problem(
        `There is no target group ${targetGroup} in this account and region.`,
        `Deploy ${stack}, or choose another ENVIRONMENT.`,
      );
    }
    throw error;
  }
}

/** The targets for a person. */
export function targetText({ targetGroup, command }: EcsTier, targets: readonly Target[]): string {
  if (targets.length === 0) {
    return `${targetGroup}: no target. No task runs, or none has been registered yet: ${command} status`;
  }
  const rows = targets.map(({ address, zone, state, reason, description }) => [
    address,
    zone,
    state,
    reason,
    description,
  ]);
  return columns([["TARGET", "ZONE", "STATE", "REASON", "DESCRIPTION"], ...rows]);
}

/** Something that scaling did, or tried. */
export interface Activity {
  readonly at: string;
  /** The service, or a group. */
  readonly what: string;
  readonly status: string;
  readonly description: string;
  /** Why, in AWS's words. */
  readonly cause: string;
}

/** What scaling of tasks and of instances did last, the newest first. @param count at most so many */
export async function scalingActivities(clients: TierClients, count: number): Promise<Activity[]> {
  const { ServiceNamespace, ResourceId } = scaledOf(clients.tier);
  const query = new DescribeScalingActivitiesCommand({ ServiceNamespace, ResourceId, MaxResults: count });
  const { ScalingActivities = [] } = await clients.serviceScaling.send(query);
  const activities = ScalingActivities.map((one) => ({
    at: one.StartTime?.toISOString() ?? "",
    what: clients.tier.service,
    status: one.StatusCode ?? "",
    description: one.StatusMessage ? `${one.Description} ${one.StatusMessage}` : (one.Description ?? ""),
    cause: one.Cause ?? "",
  }));
  for (const group of await findGroups(clients)) {
    const name = nameOf(group);
    const ofGroup = new DescribeGroupActivitiesCommand({ AutoScalingGroupName: name, MaxRecords: count });
    const { Activities = [] } = await clients.autoScaling.send(ofGroup);
    activities.push(
      ...Activities.map((one) => ({
        at: one.StartTime?.toISOString() ?? "",
        what: name,
        status: one.StatusCode ?? "",
        description: one.StatusMessage ? `${one.Description} ${one.StatusMessage}` : (one.Description ?? ""),
        cause: one.Cause ?? "",
      })),
    );
  }
  return activities.sort((a, b) => b.at.localeCompare(a.at)).slice(0, count);
}

/** The activities for a person. */
export function activityText(activities: readonly Activity[]): string {
  return activities.length === 0
    ? "Scaling has done nothing in the last six weeks."
    : activities
        .map(({ at, what, status, description, cause }) => `${at} ${what} ${status}: ${description}\n  ${cause}`.trim())
        .join("\n");
}
