/** EC2 instance types with exactly one NVIDIA GPU, and what they leave for a task. */

/** Memory in GiB and vCPUs, as EC2 lists them. */
const SIZES = {
  "g4dn.xlarge": { gib: 16, vcpus: 4 },
  "g4dn.2xlarge": { gib: 32, vcpus: 8 },
  "g4dn.4xlarge": { gib: 64, vcpus: 16 },
  "g5.xlarge": { gib: 16, vcpus: 4 },
  "g6e.xlarge": { gib: 32, vcpus: 4 },
} as const;

/** A type that a GPU tier runs on. */
export type GpuType = keyof typeof SIZES;

/** The types that settings may name. */
export const GPU_TYPES = Object.keys(SIZES) as [GpuType, ...GpuType[]];

/** What the kernel keeps of the memory for itself, as a share: the ECS agent registers the rest. */
const KERNEL_SHARE = 0.05;
/** What ECS_RESERVED_MEMORY keeps for the agent, Docker and the system, in MiB. */
export const RESERVED_MIB = 512;

/** MiB that tasks may have on an instance, below what its ECS agent registers. */
export function taskMemoryMib(type: GpuType): number {
  return Math.floor(SIZES[type].gib * 1024 * (1 - KERNEL_SHARE)) - RESERVED_MIB;
}

/** vCPUs of an instance, by which EC2 counts its quotas. */
export function vcpusOf(type: GpuType): number {
  return SIZES[type].vcpus;
}
