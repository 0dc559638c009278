/** A tier of tasks on GPU instances, as its operators' commands know it: found by its fixed names. */
import { ApplicationAutoScalingClient } from "@aws-sdk/client-application-auto-scaling";
import { AutoScalingClient } from "@aws-sdk/client-auto-scaling";
import { ECSClient } from "@aws-sdk/client-ecs";
import { SSMClient } from "@aws-sdk/client-ssm";
import type { ClientConfig } from "../clients";

/** What is fixed about a tier. */
export interface EcsTier {
  /** ECS cluster and service. */
  readonly cluster: string;
  readonly service: string;
  /** Auto-scaling groups of the instances: on demand, and spot where the settings have it. */
  readonly groups: readonly string[];
  /** Target group of the load balancer. */
  readonly targetGroup: string;
  /** Log group of the tasks. */
  readonly logGroup: string;
  /** Stack of the ECS service. */
  readonly stack: string;
  /** Parameter of Systems Manager that remembers what a pause took away. */
  readonly pausedParameter: string;
  /** The commands, such as `npm run denoise --`. */
  readonly command: string;
  /** Pages of docs/operations. */
  readonly pages: {
    readonly pause: string;
    readonly unhealthy: string;
    readonly notReady: string;
    readonly rollout: string;
  };
  /** What goes on costing while it is paused. */
  readonly stays: readonly string[];
}

/** Names of a tier, as its system's module of names has them. */
interface TierNames {
  readonly CLUSTER: string;
  readonly SERVICE: string;
  readonly ON_DEMAND_GROUP: string;
  readonly SPOT_GROUP: string;
  readonly TARGET_GROUP: string;
  readonly TASK_LOG_GROUP: string;
}

/**
 * A tier by its names.
 *
 * @param names module of the system's physical names
 * @param more what the names do not say
 */
export function tierOf(
  names: TierNames,
  more: Pick<EcsTier, "stack" | "pausedParameter" | "command" | "pages" | "stays">,
): EcsTier {
  return {
    cluster: names.CLUSTER,
    service: names.SERVICE,
    groups: [names.ON_DEMAND_GROUP, names.SPOT_GROUP],
    targetGroup: names.TARGET_GROUP,
    logGroup: names.TASK_LOG_GROUP,
    ...more,
  };
}

/** A tier with the clients that its commands share. */
export interface TierClients {
  readonly tier: EcsTier;
  readonly ecs: ECSClient;
  readonly autoScaling: AutoScalingClient;
  readonly serviceScaling: ApplicationAutoScalingClient;
  readonly ssm: SSMClient;
}

/** @param config as {@link ClientConfig} is made for every command */
export function tierClients(tier: EcsTier, config: ClientConfig): TierClients {
  return {
    tier,
    ecs: new ECSClient(config),
    autoScaling: new AutoScalingClient(config),
    serviceScaling: new ApplicationAutoScalingClient(config),
    ssm: new SSMClient(config),
  };
}

/** How Application Auto Scaling calls the service's number of tasks. */
export function scaledOf({ cluster, service }: EcsTier) {
  return {
    ServiceNamespace: "ecs",
    ResourceId: `service/${cluster}/${service}`,
    ScalableDimension: "ecs:service:DesiredCount",
  } as const;
}
