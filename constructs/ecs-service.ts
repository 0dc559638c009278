/** An ECS service behind a load balancer, on capacity providers, that scales itself and goes back when a rollout fails. */
import { AppautoscalingPolicy } from "@cdktf/provider-aws/lib/appautoscaling-policy";
import { AppautoscalingTarget } from "@cdktf/provider-aws/lib/appautoscaling-target";
import { EcsService as AwsEcsService } from "@cdktf/provider-aws/lib/ecs-service";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import type { EcsCluster } from "./ecs-cluster";

/** How a new version replaces the old: with room for another task first, or in its place. */
const ROLLOUTS = {
  spare: { minimumHealthyPercent: 100, maximumPercent: 200 },
  "stop-first": { minimumHealthyPercent: 0, maximumPercent: 100 },
} as const;

/** Keeps a metric of each task at a target: one of our own, or the load balancer's requests. */
export type TaskMetric =
  | {
      readonly kind: "custom";
      readonly namespace: string;
      readonly metricName: string;
      readonly dimensions: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "requests";
      /** `<suffix of the load balancer's ARN>/<suffix of the target group's ARN>` */
      readonly resourceLabel: string;
    };

/** When tasks are added and taken away. */
export interface TaskScaling {
  readonly min: number;
  readonly max: number;
  readonly metric: TaskMetric;
  /** The metric's average over the tasks that is aimed at. */
  readonly target: number;
  readonly outCooldownSeconds: number;
  readonly inCooldownSeconds: number;
}

export interface EcsServiceProps {
  /** Physical name. */
  readonly name: string;
  readonly cluster: EcsCluster;
  /** ARN of the task definition. */
  readonly taskDefinitionArn: string;
  /** Tasks at creation. */
  readonly desired: number;
  /** Which share of tasks runs on which capacity provider, after the tasks of its base. */
  readonly strategy: readonly { readonly provider: string; readonly weight: number; readonly base: number }[];
  /** Private subnets and the security groups of the tasks. */
  readonly subnetIds: readonly string[];
  readonly securityGroupIds: readonly string[];
  /** The container and port that the target group sends requests to. */
  readonly target: { readonly groupArn: string; readonly container: string; readonly port: number };
  /** How long a new task may fail its health checks, in seconds. */
  readonly graceSeconds: number;
  readonly rollout: keyof typeof ROLLOUTS;
  readonly scaling: TaskScaling;
  /** What must be there before the first task, and go after the last: the cluster's capacity, the listener. */
  readonly dependsOn: readonly ITerraformDependable[];
}

/** A service. Its number of tasks is scaling's own, so that no apply changes it. */
export class EcsService extends Construct {
  /** Name of the service. */
  readonly name: string;

  constructor(scope: Construct, id: string, props: EcsServiceProps) {
    super(scope, id);
    const rollout = ROLLOUTS[props.rollout];
    const service = new AwsEcsService(this, "Resource", {
      name: props.name,
      cluster: props.cluster.arn,
      taskDefinition: props.taskDefinitionArn,
      desiredCount: props.desired,
      capacityProviderStrategy: props.strategy.map(({ provider, weight, base }) => ({
        capacityProvider: provider,
        weight,
        base,
      })),
      networkConfiguration: {
        subnets: [...props.subnetIds],
        securityGroups: [...props.securityGroupIds],
        assignPublicIp: false,
      },
      loadBalancer: [
        {
          targetGroupArn: props.target.groupArn,
          containerName: props.target.container,
          containerPort: props.target.port,
        },
      ],
      healthCheckGracePeriodSeconds: props.graceSeconds,
      deploymentMinimumHealthyPercent: rollout.minimumHealthyPercent,
      deploymentMaximumPercent: rollout.maximumPercent,
      deploymentCircuitBreaker: { enable: true, rollback: true },
      // A task that starts takes minutes and a GPU: none is moved to even out the zones.
      availabilityZoneRebalancing: "DISABLED",
      enableEcsManagedTags: true,
      propagateTags: "SERVICE",
      dependsOn: [...props.dependsOn],
      lifecycle: { ignoreChanges: ["desired_count"] },
    });
    this.name = service.name;
    this.scale(props.cluster.name, props.scaling);
  }

  private scale(cluster: string, scaling: TaskScaling): void {
    const target = new AppautoscalingTarget(this, "tasks", {
      serviceNamespace: "ecs",
      scalableDimension: "ecs:service:DesiredCount",
      resourceId: `service/${cluster}/${this.name}`,
      minCapacity: scaling.min,
      maxCapacity: scaling.max,
      // An operator may have paused the service.
      lifecycle: { ignoreChanges: ["suspended_state"] },
    });
    new AppautoscalingPolicy(this, "scaling", {
      name: `${scaling.metric.kind === "custom" ? scaling.metric.metricName : "requests"}-per-task`,
      policyType: "TargetTrackingScaling",
      serviceNamespace: target.serviceNamespace,
      scalableDimension: target.scalableDimension,
      resourceId: target.resourceId,
      targetTrackingScalingPolicyConfiguration: {
        targetValue: scaling.target,
        scaleOutCooldown: scaling.outCooldownSeconds,
        scaleInCooldown: scaling.inCooldownSeconds,
        ...metricOf(scaling.metric),
      },
    });
  }
}

function metricOf(metric: TaskMetric) {
  if (metric.kind === "requests") {
    return {
      predefinedMetricSpecification: {
        predefinedMetricType: "ALBRequestCountPerTarget",
        resourceLabel: metric.resourceLabel,
      },
    };
  }
  const { namespace, metricName, dimensions } = metric;
  return {
    customizedMetricSpecification: {
      namespace,
      metricName,
      statistic: "Average",
      dimensions: Object.entries(dimensions).map(([name, value]) => ({ name, value })),
    },
  };
}
