/** An auto-scaling group as an operator sees it: numbers, instances, refreshes, and what scaling does with it. */
import {
  type AutoScalingClient,
  type AutoScalingGroup,
  DescribeAutoScalingGroupsCommand,
  DescribeInstanceRefreshesCommand,
  DescribePoliciesCommand,
  type InstanceRefresh,
  type ScalingPolicy,
  SetDesiredCapacityCommand,
  StartInstanceRefreshCommand,
} from "@aws-sdk/client-auto-scaling";
import type { Program } from "./names";
import { Problem } from "./problem";
import { columns } from "./table";

/** As the stacks' own refreshes: half of the group stays, a new instance has so many seconds to boot. */
const MIN_HEALTHY_PERCENTAGE = 50;
const INSTANCE_WARMUP_SECONDS = 180;
/** States of a refresh that still changes. */
const MOVING = ["Pending", "InProgress", "Cancelling", "RollbackInProgress"];

/** A group in numbers. */
export interface GroupStatus {
  readonly group: string;
  readonly min: number;
  readonly desired: number;
  readonly max: number;
  /** Instances that the group counts as running; they may still boot. */
  readonly inService: number;
  /** Processes that somebody has suspended, such as Launch. */
  readonly suspended: readonly string[];
  readonly instances: readonly InstanceStatus[];
  /** The refresh that is going on. */
  readonly refresh: RefreshStatus | null;
}

/** One instance of a group. */
export interface InstanceStatus {
  readonly id: string;
  readonly zone: string;
  readonly health: string;
  readonly lifecycle: string;
  /** Whether scaling in leaves it alone: a worker that runs a job. */
  readonly protected: boolean;
}

/** How far a refresh is. */
export interface RefreshStatus {
  readonly id: string;
  readonly status: string;
  readonly percent: number;
  /** Instances that are still of before. */
  readonly left: number;
  readonly reason: string;
}

/** What to do with instances that run a job: wait until they are done, or drain them like any other that leaves. */
export type ProtectedInstances = "wait" | "refresh";

/** One group of instances that run one program. */
export class Group {
  constructor(
    private readonly client: AutoScalingClient,
    private readonly program: Program,
  ) {}

  /** @throws Problem when the group is not deployed */
  async status(): Promise<GroupStatus> {
    const found = await this.find();
    const refresh = await this.latestRefresh();
    return {
      group: this.program.group,
      min: found.MinSize ?? 0,
      desired: found.DesiredCapacity ?? 0,
      max: found.MaxSize ?? 0,
      inService: (found.Instances ?? []).filter(({ LifecycleState }) => LifecycleState === "InService").length,
      suspended: (found.SuspendedProcesses ?? []).map(({ ProcessName = "" }) => ProcessName),
      instances: (found.Instances ?? []).map((instance) => ({
        id: instance.InstanceId ?? "",
        zone: instance.AvailabilityZone ?? "",
        health: instance.HealthStatus ?? "",
        lifecycle: instance.LifecycleState ?? "",
        protected: instance.ProtectedFromScaleIn ?? false,
      })),
      refresh: refresh && isMoving(refresh) ? refresh : null,
    };
  }

  /**
   * Sets the desired number of instances, within the group's limits.
   *
   * @returns the number of before
   * @throws Problem when it is outside of the limits
   */
  async scale(desired: number): Promise<number> {
    const { MinSize = 0, MaxSize = 0, DesiredCapacity = 0 } = await this.find();
    if (desired < MinSize || desired > MaxSize) {
      const [side, limit, key] = desired < MinSize ? ["below", MinSize, "min"] : ["above", MaxSize, "max"];
      const name = side === "below" ? "minimum" : "maximum";
      throw new Problem(
        `${desired} is ${side} the ${name} of ${this.program.group} (${limit}).`,
        `Choose ${MinSize} to ${MaxSize}, or change nanogrid.workers.${key} in cdktf.json and deploy ${this.program.stack}.`,
      );
    }
    await this.client.send(
      new SetDesiredCapacityCommand({
        AutoScalingGroupName: this.program.group,
        DesiredCapacity: desired,
        HonorCooldown: false,
      }),
    );
    return DesiredCapacity;
  }

  /** A sentence for each policy of the group: what it does with a number that was set by hand. */
  async policies(): Promise<string[]> {
    const { ScalingPolicies = [] } = await this.client.send(
      new DescribePoliciesCommand({ AutoScalingGroupName: this.program.group }),
    );
    return ScalingPolicies.map(sentenceOf);
  }

  /**
   * Replaces every instance, half of them at a time. A refresh that goes on already is left to go on.
   *
   * @returns the refresh, and whether it was started here
   */
  async refresh(protectedInstances: ProtectedInstances): Promise<{ refresh: RefreshStatus; started: boolean }> {
    await this.find();
    const current = await this.latestRefresh();
    if (current && isMoving(current)) {
      return { refresh: current, started: false };
    }
    await this.client.send(
      new StartInstanceRefreshCommand({
        AutoScalingGroupName: this.program.group,
        Preferences: {
          MinHealthyPercentage: MIN_HEALTHY_PERCENTAGE,
          InstanceWarmup: INSTANCE_WARMUP_SECONDS,
          ScaleInProtectedInstances: protectedInstances === "wait" ? "Wait" : "Refresh",
        },
      }),
    );
    const refresh = await this.latestRefresh();
    if (!refresh) {
      throw new Problem(`${this.program.group}: the refresh that was started is not listed.`, "Run it again.");
    }
    return { refresh, started: true };
  }

  /** The latest refresh, over or not; undefined when there was none. */
  async latestRefresh(): Promise<RefreshStatus | undefined> {
    const { InstanceRefreshes = [] } = await this.client.send(
      new DescribeInstanceRefreshesCommand({ AutoScalingGroupName: this.program.group, MaxRecords: 1 }),
    );
    return InstanceRefreshes[0] && refreshStatus(InstanceRefreshes[0]);
  }

  private async find(): Promise<AutoScalingGroup> {
    const { group, stack } = this.program;
    const { AutoScalingGroups = [] } = await this.client.send(
      new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [group] }),
    );
    if (!AutoScalingGroups[0]) {
      throw new Problem(
        `There is no auto-scaling group ${group} in this account and region.`,
        `Deploy ${stack}, or choose another ENVIRONMENT.`,
      );
    }
    return AutoScalingGroups[0];
  }
}

/** Whether a refresh still changes. */
export function isMoving({ status }: RefreshStatus): boolean {
  return MOVING.includes(status);
}

function refreshStatus(refresh: InstanceRefresh): RefreshStatus {
  return {
    id: refresh.InstanceRefreshId ?? "",
    status: refresh.Status ?? "",
    percent: refresh.PercentageComplete ?? 0,
    left: refresh.InstancesToUpdate ?? 0,
    reason: refresh.StatusReason ?? "",
  };
}

function sentenceOf(policy: ScalingPolicy): string {
  const name = policy.PolicyName ?? "";
  const alarms = (policy.Alarms ?? []).map(({ AlarmName }) => AlarmName).join(", ");
  const when = alarms ? ` while ${alarms} is in ALARM` : "";
  switch (policy.PolicyType) {
    case "TargetTrackingScaling": {
      const target = policy.TargetTrackingConfiguration?.TargetValue ?? Number.NaN;
      return `${name}: keeps its metric at ${target}; adds after 3 minutes above it, removes after 15 minutes below ${0.9 * target}.`;
    }
    case "SimpleScaling":
      return `${name}: ${changeOf(policy.ScalingAdjustment ?? 0)} at a time${when}, with ${policy.Cooldown ?? 0} s of rest after each.`;
    default:
      return `${name}: ${policy.PolicyType}${when}.`;
  }
}

function changeOf(adjustment: number): string {
  return adjustment < 0 ? `removes ${-adjustment}` : `adds ${adjustment}`;
}

/** A group for a person. */
export function groupText(status: GroupStatus): string {
  const { group, min, desired, max, inService, suspended, instances, refresh } = status;
  const lines = [`${group}: min ${min}, desired ${desired}, max ${max}, in service ${inService}`];
  if (suspended.length > 0) {
    lines.push(`suspended processes: ${suspended.join(", ")} (aws autoscaling resume-processes brings them back)`);
  }
  if (refresh) {
    lines.push(refreshText(refresh));
  }
  if (instances.length > 0) {
    const rows = instances.map(({ id, zone, health, lifecycle, protected: busy }) => [
      id,
      zone,
      health,
      lifecycle,
      busy ? "yes" : "no",
    ]);
    lines.push("", columns([["INSTANCE", "ZONE", "HEALTH", "LIFECYCLE", "PROTECTED"], ...rows]));
  }
  return lines.join("\n");
}

/** A refresh for a person. */
export function refreshText({ id, status, percent, left, reason }: RefreshStatus): string {
  return `refresh ${id}: ${status}, ${percent} %, ${left} to replace${reason ? ` (${reason})` : ""}`;
}
