/** Instances that an ECS cluster starts when a task has no room, and ends when none is left on them. */
import { AutoscalingGroup, type AutoscalingGroupConfig } from "@cdktf/provider-aws/lib/autoscaling-group";
import { EcsCapacityProvider } from "@cdktf/provider-aws/lib/ecs-capacity-provider";
import { Construct } from "constructs";
import { assertOffered, type InstanceTemplate } from "./instance-template";

/** Seconds that a new instance takes until its agent has registered: driver, Docker, agent. */
const WARMUP_SECONDS = 300;
/** Instances that are added at once, at most. */
const STEP = 2;

export interface GpuCapacityProps {
  /** Physical name of the group and of its capacity provider. Not beginning with aws, ecs or fargate. */
  readonly name: string;
  /** What instances are launched from. */
  readonly template: InstanceTemplate;
  /** Subnets; the group spreads over their zones. */
  readonly subnetIds: readonly string[];
  /** Fewest and most instances. */
  readonly min: number;
  readonly max: number;
  /** Spot instances of these types, which the zones must offer. @default - on-demand instances of the template's type */
  readonly spot?: { readonly instanceTypes: readonly string[]; readonly zones: readonly string[] };
}

/**
 * An auto-scaling group with its ECS capacity provider. ECS owns the number of instances, protects those with tasks from scale-in, and moves
 * tasks away before an instance ends.
 */
export class GpuCapacity extends Construct {
  /** Name of the capacity provider. */
  readonly provider: string;
  /** Name of the auto-scaling group. */
  readonly groupName: string;

  constructor(scope: Construct, id: string, props: GpuCapacityProps) {
    super(scope, id);
    const group = new AutoscalingGroup(this, "Resource", {
      name: props.name,
      minSize: props.min,
      maxSize: props.max,
      vpcZoneIdentifier: [...props.subnetIds],
      healthCheckType: "EC2",
      ...this.launch(props),
      capacityRebalance: props.spot !== undefined,
      // Managed termination protection wants it; ECS takes it off an instance without tasks.
      protectFromScaleIn: true,
      // Protected instances would keep a destroy waiting for ever, and hold nothing.
      forceDelete: true,
      // ECS sets the tag itself, and without it here every plan would take it away.
      tag: [{ key: "AmazonECSManaged", value: "true", propagateAtLaunch: true }],
      instanceRefresh: {
        strategy: "Rolling",
        // An instance with a task is protected: it is refreshed once ECS has moved the task.
        preferences: {
          minHealthyPercentage: 0,
          instanceWarmup: String(WARMUP_SECONDS),
          scaleInProtectedInstances: "Wait",
        },
      },
      waitForCapacityTimeout: "0",
      // ECS owns the number: every apply would undo it.
      lifecycle: { ignoreChanges: ["desired_capacity"] },
    });
    const provider = new EcsCapacityProvider(this, "provider", {
      name: props.name,
      autoScalingGroupProvider: {
        autoScalingGroupArn: group.arn,
        managedTerminationProtection: "ENABLED",
        managedDraining: "ENABLED",
        managedScaling: {
          status: "ENABLED",
          targetCapacity: 100,
          minimumScalingStepSize: 1,
          maximumScalingStepSize: STEP,
          instanceWarmupPeriod: WARMUP_SECONDS,
        },
      },
    });
    this.provider = provider.name;
    this.groupName = group.name;
  }

  private launch({
    template,
    spot,
  }: GpuCapacityProps): Pick<AutoscalingGroupConfig, "launchTemplate" | "mixedInstancesPolicy"> {
    if (!spot) {
      return { launchTemplate: { id: template.id, version: template.latestVersion } };
    }
    for (const type of spot.instanceTypes) {
      assertOffered(this, type, spot.zones, `offered-${type.replace(".", "-")}`);
    }
    return {
      mixedInstancesPolicy: {
        instancesDistribution: {
          onDemandBaseCapacity: 0,
          onDemandPercentageAboveBaseCapacity: 0,
          spotAllocationStrategy: "price-capacity-optimized",
        },
        launchTemplate: {
          launchTemplateSpecification: { launchTemplateId: template.id, version: template.latestVersion },
          override: spot.instanceTypes.map((instanceType) => ({ instanceType })),
        },
      },
    };
  }
}
