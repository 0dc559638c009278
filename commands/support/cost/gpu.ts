/** Accelerated instances: dear while they idle, so each says how it is paused. */
import { type Levels, sum } from "./assumptions";
import type { CostLine } from "./estimate";
import type { CostedResource } from "./inventory";

const DAYS = 365 / 12;
/** EC2's families with GPUs: g4dn, g5, g6e, gr6, p4d, p5, … */
const GPU = /^(g|gr|p)\d/;

/** A GPU resource that is charged by the hour. */
export interface GpuCost {
  readonly address: string;
  readonly instanceType: string;
  /** US dollars of a day on which nobody uses it, with its volumes and addresses. */
  readonly idleDayUsd: number;
  /** US dollars of a day at its typical size. */
  readonly typicalDayUsd: number;
  /** How to pause it, and what stays. */
  readonly pause: string;
}

/** Whether an instance type has GPUs. */
export function isGpu(instanceType: string): boolean {
  return GPU.test(instanceType);
}

/**
 * The GPU resources of a stack.
 *
 * @param lines what the stack's resources cost
 * @param resources the stack's resources
 */
export function gpuCosts(lines: readonly CostLine[], resources: readonly CostedResource[]): GpuCost[] {
  const types = new Map<string, string>();
  for (const { address, instanceType } of lines) {
    if (instanceType !== undefined && isGpu(instanceType)) {
      types.set(address, instanceType);
    }
  }
  return [...types].map(([address, instanceType]) => {
    const usd: Levels = sum(lines.filter((line) => line.address === address).map((line) => line.usd));
    const resource = resources.find(({ type, name }) => `${type}.${name}` === address);
    return {
      address,
      instanceType,
      idleDayUsd: usd.idle / DAYS,
      typicalDayUsd: usd.typical / DAYS,
      pause: pauseOf(resource, address),
    };
  });
}

/** By type: whatever stack it is in. */
function pauseOf(resource: CostedResource | undefined, address: string): string {
  const name = String(resource?.body.name ?? resource?.body.node_group_name ?? "<name>");
  switch (resource?.type) {
    case "aws_autoscaling_group":
      if (isOfEcs(resource.body)) {
        return "end its tasks and set its minimum to 0: npm run denoise -- pause does both for Denoise, npm run inference -- pause for the inference cluster, and resume undoes it";
      }
      return Number(resource.body.min_size) === 0
        ? "its minimum is 0: it pauses itself once nothing asks for it"
        : `set its minimum to 0 in cdktf.json, or until the next apply: aws autoscaling update-auto-scaling-group --auto-scaling-group-name ${name} --min-size 0 --desired-capacity 0`;
    case "aws_eks_node_group":
      return `aws eks update-nodegroup-config --cluster-name <cluster> --nodegroup-name ${name} --scaling-config minSize=0,desiredSize=0`;
    case "aws_instance":
      return "aws ec2 stop-instances --instance-ids <id>; its volumes and fixed address stay, and are charged";
    default:
      return `scale ${address} to 0`;
  }
}

/** ECS marks the groups whose instances it starts for tasks: they stay as long as a service wants tasks. */
function isOfEcs({ tag }: CostedResource["body"]): boolean {
  return Array.isArray(tag) && tag.some((one: { key?: unknown }) => one.key === "AmazonECSManaged");
}
