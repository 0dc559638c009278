/** What is deployed of a tier: the ECS service, its scaling, and its groups of GPU instances. */
import { DescribeScalableTargetsCommand, type ScalableTarget } from "@aws-sdk/client-application-auto-scaling";
import { type AutoScalingGroup, DescribeAutoScalingGroupsCommand } from "@aws-sdk/client-auto-scaling";
import { ClusterNotFoundException, DescribeServicesCommand, type Service } from "@aws-sdk/client-ecs";
import { Problem } from "../problem";
import { scaledOf, type TierClients } from "./tier";

/** What finding a service takes. */
export type ServiceClients = Pick<TierClients, "tier" | "ecs">;

/** Whether the service exists. */
export async function isDeployed(clients: ServiceClients): Promise<boolean> {
  return (await activeService(clients)) !== undefined;
}

/** @throws Problem when the service is not deployed */
export async function findService(clients: ServiceClients): Promise<Service> {
  const { cluster, service: name, stack } = clients.tier;
  const service = await activeService(clients);
  if (!service) {
    throw new Problem(
      `There is no ECS service ${name} in the cluster ${cluster} of this account and region.`,
      `Deploy ${stack}, or choose another ENVIRONMENT.`,
    );
  }
  return service;
}

/** A deleted service goes on being listed for a while. */
async function activeService({ tier, ecs }: ServiceClients): Promise<Service | undefined> {
  try {
    const query = new DescribeServicesCommand({ cluster: tier.cluster, services: [tier.service] });
    return (await ecs.send(query)).services?.find(({ status }) => status !== "INACTIVE");
  } catch (error) {
    if (error instanceof ClusterNotFoundException) {
      return undefined;
    }
    throw error;
  }
}

/** The groups of GPU instances that are there. */
export async function findGroups({
  tier,
  autoScaling,
}: Pick<TierClients, "tier" | "autoScaling">): Promise<AutoScalingGroup[]> {
  const query = new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [...tier.groups] });
  const { AutoScalingGroups = [] } = await autoScaling.send(query);
  return AutoScalingGroups.sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
}

/** A group's name, which AWS always gives. */
export function nameOf({ AutoScalingGroupName = "" }: AutoScalingGroup): string {
  return AutoScalingGroupName;
}

/** What scales the number of tasks; undefined where nothing does. */
export async function findScaling({
  tier,
  serviceScaling,
}: Pick<TierClients, "tier" | "serviceScaling">): Promise<ScalableTarget | undefined> {
  const { ServiceNamespace, ResourceId } = scaledOf(tier);
  const query = new DescribeScalableTargetsCommand({ ServiceNamespace, ResourceIds: [ResourceId] });
  return (await serviceScaling.send(query)).ScalableTargets?.[0];
}
