/** Settings of systems whose tasks run on GPU instances: the instances, the image, and whether tasks find room on them. */
import { z } from "zod";
import { GPU_TYPES, type GpuType, taskMemoryMib } from "./gpu-types";
import { amiId, checkSizes } from "./setting-types";

const gpuType = z.enum(GPU_TYPES);

/** Section `image` of a system: where its container image comes from. */
export const imageSettings = z.strictObject({
  uri: z
    .string()
    .regex(
      /^[\w.-]+(:\d+)?\/[\w./-]+(:[\w.-]+|@sha256:[0-9a-f]{64})$/,
      "an image with its registry and a tag or digest",
    )
    .optional()
    .describe(
      "Image that was built elsewhere, by tag or digest; then nothing is built. Default: built by the deployment.",
    ),
});

/** Defaults in which systems differ. */
interface GpuDefaults {
  /** Most on-demand instances. */
  readonly max: number;
  /** Whether spot instances stand beside them. */
  readonly spot: boolean;
}

/** Section `gpu` of a system: its on-demand and spot instances. */
export const gpuSettings = (defaults: GpuDefaults) =>
  z
    .strictObject({
      instanceType: gpuType
        .default("g4dn.xlarge")
        .describe("EC2 instance type: one with one GPU, so that each runs one task."),
      min: z
        .int()
        .min(0)
        .max(100)
        .default(1)
        .describe("Fewest on-demand instances. With 0, instances exist only for tasks."),
      max: z.int().min(0).max(100).default(defaults.max).describe("Most on-demand instances."),
      weight: z.int().min(0).max(1000).default(1).describe("Share of tasks above the base that run on demand."),
      base: z.int().min(0).max(100).default(1).describe("Tasks that run on demand before any share counts."),
      amiId: amiId.describe("AMI instead of the current ECS-optimised AL2023 GPU image of the SSM public parameter."),
      rootVolumeGib: z.int().min(50).max(16384).default(100).describe("Size of the encrypted gp3 root volume."),
      spot: z
        .strictObject({
          enabled: z
            .boolean()
            .default(defaults.spot)
            .describe("Whether a group of spot instances stands beside the other."),
          instanceTypes: z
            .array(gpuType)
            .min(1)
            .default(["g4dn.xlarge", "g5.xlarge"])
            .describe("Types to choose from: the zones must offer each."),
          min: z.int().min(0).max(100).default(0).describe("Fewest spot instances."),
          max: z.int().min(1).max(100).default(2).describe("Most spot instances."),
          weight: z
            .int()
            .min(1)
            .max(1000)
            .default(1)
            .describe("Share of tasks above the base that run on spot instances."),
        })
        .prefault({})
        .describe("Spot instances: cheaper, and taken back with two minutes' notice."),
    })
    .superRefine((value, ctx) => {
      checkSizes(value, ctx);
      checkSizes(value.spot, ctx, ["spot"]);
      if (value.weight === 0 && !value.spot.enabled) {
        ctx.addIssue({
          code: "custom",
          path: ["weight"],
          message: "is 0, and there are no spot instances: no task could be placed. Set weight to 1, or enable spot.",
        });
      }
    });

/** The instances of a tier, with every default filled in. */
export type GpuSettings = z.output<ReturnType<typeof gpuSettings>>;

/** The instances of a tier, and its tasks, of which each runs on an instance of its own. */
interface Tier {
  readonly machines: GpuSettings;
  readonly tasks: { readonly max: number; readonly rollout: "spare" | "stop-first" };
  /** Section of the instances. */
  readonly machinesPath: string;
  /** Section of the tasks, beside it. */
  readonly tasksPath: string;
}

/** Says when there are fewer instances than tasks. */
export function checkTier({ machines, tasks, machinesPath, tasksPath }: Tier, ctx: z.RefinementCtx): void {
  const most = mostInstances(machines);
  const spare = tasks.rollout === "spare" ? 1 : 0;
  if (most >= tasks.max + spare) {
    return;
  }
  const max = `${tasksPath}.max (${tasks.max})`;
  ctx.addIssue({
    code: "custom",
    path: [machinesPath, "max"],
    message:
      `${most} instances are too few for ${spare ? `${max} and the spare one of a rollout` : max}: each runs one task. ` +
      `Raise ${machinesPath}.max to ${machines.max + tasks.max + spare - most}, lower ${tasksPath}.max${spare ? `, or set ${tasksPath}.rollout to stop-first` : ""}.`,
  });
}

/** A task's memory, and where it is set. */
interface TaskMemory {
  readonly machines: GpuSettings;
  /** MiB of all containers. */
  readonly needed: number;
  readonly path: readonly string[];
  /** The task, as the message names it. */
  readonly which: string;
}

/** Says which instance types a task does not fit. */
export function checkTaskMemory({ machines, needed, path, which }: TaskMemory, ctx: z.RefinementCtx): void {
  for (const type of instanceTypes(machines)) {
    const room = taskMemoryMib(type);
    if (needed > room) {
      ctx.addIssue({
        code: "custom",
        path: [...path],
        message: `${which} does not fit ${type}, which leaves ${room} MiB for tasks. Lower one of them, or choose a larger instance type.`,
      });
    }
  }
}

function mostInstances({ max, spot }: GpuSettings): number {
  return max + (spot.enabled ? spot.max : 0);
}

function instanceTypes({ instanceType, spot }: GpuSettings): readonly GpuType[] {
  return [instanceType, ...(spot.enabled ? spot.instanceTypes : [])];
}
