/** Settings of the Music pipeline. */
import { z } from "zod";
import { subnetIssues } from "../platform/cidr";
import { checkSizes, cidr, instanceType, nameSuffix, retentionDays, subnet } from "../platform/setting-types";

/** Memory of the GPUs that the groups' types have, in GiB, as EC2 lists it. All have one GPU. */
export const GPU_GIB = {
  "g4dn.xlarge": 16,
  "g4dn.2xlarge": 16,
  "g5.xlarge": 24,
  "g5.2xlarge": 24,
  "g6.xlarge": 24,
  "g6.2xlarge": 24,
  "g6e.xlarge": 48,
  "g6e.2xlarge": 48,
  "g6e.4xlarge": 48,
} as const;
const GPU_TYPES = Object.keys(GPU_GIB) as [keyof typeof GPU_GIB, ...(keyof typeof GPU_GIB)[]];

/** GPU memory that each stage's model takes, in GiB: Whisper-large, and Riffusion. */
export const MODEL_GIB = { firstStage: 10, secondStage: 30 } as const;

const network = z
  .strictObject({
    cidr: cidr.default("10.40.0.0/16").describe("Address range of `music-vpc`."),
    subnets: z
      .strictObject({
        public1: subnet("10.40.1.0/24", "a", "Public 1: NAT gateway."),
        public2: subnet("10.40.2.0/24", "b", "Public 2: NAT gateway, with natPerZone."),
        private1: subnet("10.40.64.0/18", "a", "Private 1: nodes and pods, each of which takes an address."),
        private2: subnet("10.40.128.0/18", "b", "Private 2: nodes and pods."),
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
    if (value.subnets.private1.zone === value.subnets.private2.zone) {
      const message = `is the zone of private1 too, and EKS wants two. Choose another letter.`;
      ctx.addIssue({ code: "custom", path: ["subnets", "private2", "zone"], message });
    }
  });

const cluster = z.strictObject({
  version: z
    .string()
    .regex(/^1\.\d{2}$/, "a minor version of Kubernetes such as 1.35")
    .default("1.35")
    .describe("Minor version of Kubernetes. EKS goes up one at a time, and never down."),
  publicCidrs: z
    .array(cidr.refine((range) => !range.endsWith("/0"), "a range narrower than the whole internet"))
    .default([])
    .describe("Ranges that reach the API from outside of the VPC. Without any, its endpoint is private."),
  adminArns: z
    .array(z.string().regex(/^arn:aws:iam::\d{12}:(role|user)\/[\w+=,.@/-]+$/, "the ARN of an IAM role or user"))
    .default([])
    .describe("Roles and users that administer the cluster, beside the one that creates it and CI's deploy role."),
  logRetentionDays: retentionDays,
});

const nodes = <T extends string>(
  type: z.ZodDefault<z.ZodType<T, T>>,
  min: number,
  desired: number,
  max: number,
  what: string,
) =>
  z
    .strictObject({
      instanceType: type,
      min: z.int().min(0).max(100).default(min).describe("Fewest nodes."),
      desired: z
        .int()
        .min(0)
        .max(100)
        .default(desired)
        .describe("Nodes at creation; the autoscaler owns the number afterwards."),
      max: z.int().min(1).max(100).default(max).describe("Most nodes."),
      volumeGib: z.int().min(20).max(16384).default(100).describe("Size of the encrypted gp3 root volume."),
    })
    .superRefine((value, ctx) => checkSizes(value, ctx))
    .prefault({})
    .describe(what);

/** A type with one GPU whose memory holds a model. */
const gpuType = (fallback: keyof typeof GPU_GIB, model: keyof typeof MODEL_GIB) =>
  z
    .enum(GPU_TYPES)
    .refine((type) => GPU_GIB[type] >= MODEL_GIB[model], {
      error: ({ input }) =>
        `${String(input)} has ${GPU_GIB[input as keyof typeof GPU_GIB]} GiB of GPU memory, and the model takes ${MODEL_GIB[model]}. ` +
        `Choose one of ${GPU_TYPES.filter((type) => GPU_GIB[type] >= MODEL_GIB[model]).join(", ")}.`,
    })
    .default(fallback)
    .describe("EC2 instance type, with one GPU that holds the model.");

const groups = z.strictObject({
  system: nodes(instanceType.default("t3.large").describe("EC2 instance type."), 2, 2, 4, "Everything without a GPU."),
  gpuSmall: nodes(gpuType("g4dn.xlarge", "firstStage"), 0, 0, 2, "The first stage: speech and mood."),
  gpuLarge: nodes(gpuType("g6e.2xlarge", "secondStage"), 0, 0, 2, "The second stage: music."),
});

const storage = z.strictObject({
  bucketSuffix: nameSuffix.describe("Appended with a hyphen to the bucket's name, since S3 names are global."),
  artifactsExpireDays: z
    .int()
    .min(1)
    .default(90)
    .describe("Days after which what a run of the pipeline left in S3 is deleted."),
  backup: z.boolean().default(true).describe("Whether AWS Backup keeps daily copies of the shared files."),
  shareGib: z
    .int()
    .min(1)
    .max(10_240)
    .default(100)
    .describe("Size of the claim on the shared files. EFS itself grows."),
  keptImages: z.int().min(2).max(1000).default(10).describe("Images that each repository keeps: the last ones pushed."),
});

const image = z
  .string()
  .regex(/^[\w.-]+(:\d+)?\/[\w./-]+(:[\w.-]+|@sha256:[0-9a-f]{64})$/, "an image with its registry and a tag or digest")
  .optional();

const services = z
  .strictObject({
    images: z
      .strictObject({
        front: image.describe("Image of `front`."),
        back: image.describe("Image of `back`."),
        firstStage: image.describe("Image of `first-stage`."),
        secondStage: image.describe("Image of `second-stage`."),
        step: image.describe("Image of the pipeline's steps."),
      })
      .prefault({})
      .describe("Images that were built elsewhere; what is named here is not built."),
    frontReplicas: z.int().min(1).max(20).default(2).describe("Pods of `front`."),
    backReplicas: z.int().min(1).max(20).default(2).describe("Pods of `back`."),
    maxUploadMib: z.int().min(1).max(1024).default(50).describe("Largest recording that is taken, in MiB."),
    maxSeconds: z.int().min(1).max(3600).default(180).describe("Longest recording that is taken, in seconds."),
    logLevel: z.enum(["DEBUG", "INFO", "WARNING", "ERROR"]).default("INFO").describe("Lines of that level or above."),
  })
  .describe("Stack music-services.");

const scaling = z.strictObject({
  waitingPerPod: z
    .number()
    .positive()
    .default(2)
    .describe("Requests that may wait or run for each pod of a stage before there is another."),
  pollSeconds: z.int().min(5).max(300).default(15).describe("How often the queue's depth is asked for."),
  idleSeconds: z
    .int()
    .min(60)
    .max(86_400)
    .default(600)
    .describe("How long a stage's last pod stays when nothing waits. Its node goes ten minutes later."),
});

const platform = z.strictObject({
  grafana: z.boolean().default(true).describe("Whether Grafana runs, with the pipeline's dashboards."),
  metricsRetentionDays: z.int().min(1).max(90).default(7).describe("Days that Prometheus keeps its metrics."),
  pipelineDatabaseGib: z
    .int()
    .min(5)
    .max(1024)
    .default(10)
    .describe("Disk of Kubeflow Pipelines' database, in GiB. It may grow, and never shrink."),
});

const alarms = z.strictObject({
  emails: z.array(z.email()).default([]).describe("Addresses that the alarm topic writes to; each must confirm once."),
  unschedulableMinutes: z
    .int()
    .min(5)
    .max(240)
    .default(20)
    .describe("Minutes that pods may wait for a node: one with a GPU takes five to ten to start."),
});

/** The section `music` of an environment. */
export const musicSettings = z.strictObject({
  enabled: z.boolean().default(false).describe("Whether the stacks of the Music pipeline exist."),
  network: network.prefault({}).describe("Network of stack music-cluster."),
  cluster: cluster.prefault({}).describe("Control plane of stack music-cluster."),
  nodes: groups.prefault({}).describe("Managed node groups of stack music-cluster."),
  storage: storage.prefault({}).describe("Shared files, artifacts and images, in stack music-cluster."),
  platform: platform.prefault({}).describe("Stack music-platform."),
  services: services.prefault({}),
  scaling: scaling.prefault({}).describe("How the stages of music-services come and go."),
  alarms: alarms.prefault({}).describe("Alarms of stack music-cluster."),
});

/** The Music pipeline's settings with every default filled in. */
export type MusicSettings = z.output<typeof musicSettings>;
