/** Settings of the Denoise service. */
import { z } from "zod";
import { apiShape, checkAccess } from "../platform/api-settings";
import { subnetIssues } from "../platform/cidr";
import { checkTaskMemory, checkTier, gpuSettings, imageSettings } from "../platform/gpu-settings";
import { checkSizes, cidr, nameSuffix, retentionDays, subnet, zone } from "../platform/setting-types";

/** Memory of the metrics sidecar, in MiB. */
export const SIDECAR_MIB = 256;

const origin = z
  .string()
  .regex(/^\*$|^https?:\/\/[^/*\s]+$/, "an origin such as https://imaging.example.com, or *")
  .describe("Origin as a browser sends it: scheme, host and port, without a path.");

const storage = z.strictObject({
  bucketSuffix: nameSuffix.describe("Appended with a hyphen to the buckets' names, since S3 names are global."),
  inExpireDays: z.int().min(1).default(30).describe("Days after which an uploaded image is deleted."),
  outExpireDays: z
    .int()
    .min(1)
    .default(90)
    .describe("Days after which a result, or the record of a request, is deleted."),
  keptImages: z
    .int()
    .min(2)
    .max(1000)
    .default(10)
    .describe("Tagged container images that are kept: the last ones pushed."),
  untaggedDays: z.int().min(1).default(14).describe("Days after which a container image without a tag is deleted."),
});

const existing = z
  .strictObject({
    vpcId: z.string().regex(/^vpc-[0-9a-f]{8,17}$/, "the id of a VPC such as vpc-0123456789abcdef0"),
    subnetIds: z
      .array(z.string().regex(/^subnet-[0-9a-f]{8,17}$/, "the id of a subnet such as subnet-0123456789abcdef0"))
      .min(2)
      .describe("Private subnets, one a zone, with a way out: through a NAT gateway or endpoints."),
    zones: z.array(zone).min(2).describe("Letters of those subnets' zones, in the same order."),
  })
  .optional()
  .describe("A VPC that is there already, in place of one of the service's own.");

const network = z
  .strictObject({
    existing,
    cidr: cidr.default("10.20.0.0/16").describe("Address range of `ddn-vpc`."),
    subnets: z
      .strictObject({
        public1: subnet("10.20.1.0/24", "a", "Public 1: NAT gateway."),
        public2: subnet("10.20.2.0/24", "c", "Public 2: NAT gateway, with natPerZone."),
        private1: subnet("10.20.16.0/20", "a", "Private 1: tasks and the load balancer."),
        private2: subnet("10.20.32.0/20", "c", "Private 2: tasks and the load balancer."),
      })
      .prefault({})
      .describe("The four subnets."),
    natPerZone: z.boolean().default(false).describe("A NAT gateway in each zone instead of one in Public 1."),
    flowLogsRetentionDays: retentionDays,
  })
  .superRefine((value, ctx) => {
    for (const { subnet: name, message } of subnetIssues(value.cidr, value.subnets)) {
      ctx.addIssue({ code: "custom", path: ["subnets", name, "cidr"], message });
    }
    if (value.existing && value.existing.zones.length !== value.existing.subnetIds.length) {
      ctx.addIssue({
        code: "custom",
        path: ["existing", "zones"],
        message: `${value.existing.zones.length} zones for ${value.existing.subnetIds.length} subnets. Name the zone of each subnet.`,
      });
    }
  });

const gpu = gpuSettings({ max: 3, spot: false });

const scaling = z.strictObject({
  metric: z
    .enum(["pending-requests", "requests"])
    .default("pending-requests")
    .describe("`pending-requests`: requests waiting in Triton. `requests`: requests of the load balancer."),
  pendingPerTask: z.number().positive().default(4).describe("For `pending-requests`: how many may wait in each task."),
  requestsPerTask: z.number().positive().default(60).describe("For `requests`: requests a minute of each task."),
  outCooldownSeconds: z.int().min(0).max(3600).default(60).describe("Rest after tasks were added."),
  inCooldownSeconds: z.int().min(0).max(3600).default(600).describe("Rest after tasks were taken away."),
});

const service = z
  .strictObject({
    min: z.int().min(1).max(100).default(1).describe("Fewest tasks. `npm run denoise -- pause` goes to none."),
    desired: z.int().min(1).max(100).default(1).describe("Tasks at creation; scaling owns the number afterwards."),
    max: z.int().min(1).max(100).default(2).describe("Most tasks."),
    rollout: z
      .enum(["spare", "stop-first"])
      .default("spare")
      .describe(
        "`spare`: the new task starts on another instance first. `stop-first`: the old one stops first, without another instance, and " +
          "nobody answers meanwhile.",
      ),
    scaling: scaling.prefault({}).describe("When tasks are added and taken away."),
    tritonMemoryMib: z.int().min(1024).default(8192).describe("Memory limit of the container `triton`."),
    apiMemoryMib: z.int().min(512).default(4608).describe("Memory limit of the container `api`."),
    graceSeconds: z
      .int()
      .min(300)
      .max(3600)
      .default(900)
      .describe("How long a new task may fail its health checks: the image is pulled, TensorRT builds its engines."),
    deregistrationDelaySeconds: z.int().min(0).max(3600).default(120).describe("How long a leaving task may finish."),
    idleTimeoutSeconds: z.int().min(30).max(4000).default(60).describe("Idle timeout of the load balancer."),
    maxPixels: z
      .int()
      .min(1)
      .default(500_000_000)
      .describe("Pixels of all pages over which an image is refused with 413."),
    inlineSeconds: z
      .number()
      .min(0)
      .max(25)
      .default(20)
      .describe("How long a request is answered in line; beyond it the answer is 202. The HTTP API gives up after 30."),
    concurrency: z.int().min(1).max(16).default(2).describe("Images that one task works on at once."),
    tritonProtocol: z
      .enum(["grpc", "http"])
      .default("grpc")
      .describe("How the API speaks to Triton inside of the task."),
    metricsIntervalSeconds: z
      .int()
      .min(10)
      .max(60)
      .default(15)
      .describe("How often the sidecar publishes Triton's metrics."),
    logLevel: z.enum(["DEBUG", "INFO", "WARNING", "ERROR"]).default("INFO").describe("Lines of that level or above."),
    logRetentionDays: retentionDays,
  })
  .superRefine((value, ctx) => {
    checkSizes(value, ctx);
  });

const api = z
  .strictObject({
    ...apiShape({ requestsPerSecond: 20, burst: 40 }),
    presignConcurrency: z
      .int()
      .min(1)
      .max(1000)
      .default(10)
      .describe("Reserved concurrency of `ddn-presign-lambda`. The account keeps at least 100 unreserved."),
    maxUploadBytes: z
      .int()
      .min(1024)
      .max(5 * 1024 ** 3)
      .default(2 * 1024 ** 3)
      .describe("Largest upload that a presigned POST lets through."),
    urlSeconds: z.int().min(1).max(300).default(300).describe("How long a presigned URL is of use."),
    logRetentionDays: retentionDays,
  })
  .superRefine(checkAccess);

const alarms = z.strictObject({
  emails: z.array(z.email()).default([]).describe("Addresses that the alarm topic writes to; each must confirm once."),
  errorRatePercent: z.number().min(0).max(100).default(5).describe("Share of 5xx answers that raises an alarm."),
  pendingRequests: z.number().positive().default(20).describe("Requests waiting in each task that raise an alarm."),
});

/** The section `denoise` of an environment. */
export const denoiseSettings = z
  .strictObject({
    enabled: z.boolean().default(false).describe("Whether the stacks of Denoise exist."),
    corsOrigins: z
      .array(origin)
      .min(1)
      .default(["*"])
      .describe(
        "Origins whose pages may call the API and the buckets. What lets in is the signature, never the origin.",
      ),
    image: imageSettings.prefault({}).describe("The container image."),
    storage: storage.prefault({}).describe("Stack denoise-storage."),
    network: network.prefault({}).describe("Network of stack denoise-service."),
    gpu: gpu.prefault({}).describe("GPU instances of stack denoise-service."),
    service: service.prefault({}).describe("Tasks of stack denoise-service."),
    api: api.prefault({}).describe("Stack denoise-api."),
    alarms: alarms.prefault({}).describe("Alarms of all three stacks."),
  })
  .superRefine(({ gpu: machines, service: tasks }, ctx) => {
    checkTier({ machines, tasks, machinesPath: "gpu", tasksPath: "service" }, ctx);
    const needed = tasks.tritonMemoryMib + tasks.apiMemoryMib + SIDECAR_MIB;
    checkTaskMemory(
      {
        machines,
        needed,
        path: ["service", "tritonMemoryMib"],
        which: `a task of ${needed} MiB, with apiMemoryMib and ${SIDECAR_MIB} of the sidecar,`,
      },
      ctx,
    );
  });

/** Denoise's settings with every default filled in. */
export type DenoiseSettings = z.output<typeof denoiseSettings>;
