/** The quotas of an AWS account that GPU instances count against: a new account has none of either. */
import type { GpuSettings } from "./gpu-settings";
import { vcpusOf } from "./gpu-types";

/** A quota of EC2, and how much of it settings need at most. */
export interface GpuQuota {
  /** Name in the console of Service Quotas. */
  readonly name: string;
  /** Code for `aws service-quotas`. */
  readonly code: string;
  readonly vcpus: number;
}

const ON_DEMAND = { name: "Running On-Demand G and VT instances", code: "L-DB2E81BA" } as const;
const SPOT = { name: "All G and VT Spot Instance Requests", code: "L-3819A6DF" } as const;

/**
 * The vCPUs that a tier has at its largest, quota by quota. They count for the whole account and region: other tiers come on top.
 *
 * @param machines the tier's instances
 */
export function gpuQuotas({ instanceType, max, spot }: GpuSettings): readonly GpuQuota[] {
  // Of several spot types EC2 may choose the largest alone.
  const spotVcpus = spot.enabled ? spot.max * Math.max(...spot.instanceTypes.map(vcpusOf)) : 0;
  return [
    { ...ON_DEMAND, vcpus: max * vcpusOf(instanceType) },
    { ...SPOT, vcpus: spotVcpus },
  ];
}
