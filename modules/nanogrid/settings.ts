/** Settings of the NanoGrid function service. The defaults are the deployed values. */
import { z } from "zod";
import { subnetIssues } from "../platform/cidr";
import { amiId, checkSizes, cidr, instanceType, nameSuffix, retentionDays, subnet } from "../platform/setting-types";

const packageIndex = z.url({ protocol: /^https?$/, error: "the URL of a package index" });

const network = z
  .strictObject({
    cidr: cidr.default("10.0.0.0/16").describe("Address range of `nanogrid-vpc`."),
    subnets: z
      .strictObject({
        public1: subnet("10.0.1.0/24", "a", "Public 1: controller, NAT gateway."),
        public2: subnet("10.0.2.0/24", "c", "Public 2: controller."),
        privateApp: subnet("10.0.10.0/24", "a", "Private App: reserved."),
        privateData1: subnet("10.0.20.0/24", "a", "Private Data 1: workers, Redis, AI node."),
        privateData2: subnet("10.0.21.0/24", "c", "Private Data 2: workers."),
      })
      .prefault({})
      .describe("The five subnets."),
    natPerZone: z
      .boolean()
      .default(false)
      .describe(
        "A NAT gateway in each zone instead of one in Public 1: no cross-zone dependency, at the price of a second gateway.",
      ),
    flowLogsRetentionDays: retentionDays,
  })
  .superRefine((value, ctx) => {
    for (const { subnet: name, message } of subnetIssues(value.cidr, value.subnets)) {
      ctx.addIssue({ code: "custom", path: ["subnets", name, "cidr"], message });
    }
  });

const data = z.strictObject({
  bucketSuffix: nameSuffix.describe(
    "Appended with a hyphen to the buckets' names, since S3 names are global. Set it when a name is taken.",
  ),
  queue: z
    .strictObject({
      visibilityTimeoutSeconds: z
        .int()
        .min(10)
        .max(43200)
        .default(60)
        .describe("How long a received message stays hidden unless extended."),
      maxReceiveCount: z
        .int()
        .min(1)
        .max(1000)
        .default(5)
        .describe("Receives after which a message goes to the dead-letter queue."),
      retentionSeconds: z
        .int()
        .min(60)
        .max(1209600)
        .default(1209600)
        .describe("How long a message is kept, in both queues (14 days)."),
    })
    .prefault({})
    .describe("`nanogrid-task-queue` and its dead-letter queue."),
  redis: z
    .strictObject({
      nodeType: z
        .string()
        .regex(/^cache\.[a-z0-9]+\.[a-z0-9]+$/, "an ElastiCache node type such as cache.t3.micro")
        .default("cache.t3.micro")
        .describe("ElastiCache node type."),
      engineVersion: z
        .string()
        .regex(/^7\.\d$/, "a Redis 7 version such as 7.1")
        .default("7.1")
        .describe("Redis engine version."),
      replicas: z
        .int()
        .min(0)
        .max(5)
        .default(0)
        .describe("Replicas beside the primary; with one or more, failover is automatic."),
      port: z.int().min(1024).max(65535).default(6379).describe("TCP port."),
    })
    .prefault({})
    .describe("`nanogrid-redis`."),
});

const archive = z.strictObject({
  enabled: z.boolean().default(true).describe("Whether finished code is archived in Google Cloud Storage."),
  bucketSuffix: nameSuffix.describe("Appended with a hyphen to `nanogird_gcp_bucket`, since bucket names are global."),
  nearlineAfterDays: z.int().min(1).default(30).describe("Age at which an object moves to Nearline."),
  coldlineAfterDays: z.int().min(1).default(90).describe("Age at which an object moves to Coldline."),
  archiveAfterDays: z.int().min(1).default(365).describe("Age at which an object moves to Archive."),
});

const controllers = z.strictObject({
  instanceType: instanceType.default("t3.small").describe("EC2 instance type."),
  count: z
    .int()
    .min(1)
    .max(10)
    .default(2)
    .describe("Controllers: min and max of the group, spread over the public subnets."),
  amiId: amiId.describe("AMI instead of the current Ubuntu LTS of Canonical's SSM parameter."),
  port: z.int().min(1024).max(65535).default(8080).describe("TCP port that Express listens on."),
  sshCidrs: z
    .array(cidr)
    .default([])
    .describe("Ranges that may reach port 22. Empty: Session Manager only. The original deployment had 0.0.0.0/0."),
  certificateArn: z
    .string()
    .regex(/^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate\/.+$/, "the ARN of an ACM certificate")
    .optional()
    .describe("ACM certificate: with it the load balancer serves 443 and redirects 80."),
  rateLimitPer5Minutes: z
    .int()
    .min(10)
    .max(2_000_000_000)
    .default(1000)
    .describe("Requests of one IP address in 5 minutes, over which WAF blocks it."),
  maxBodyBytes: z
    .int()
    .min(1)
    .default(1024 ** 3)
    .describe("Body size over which WAF blocks by Content-Length (1 GB)."),
  uploadMaxBytes: z
    .int()
    .min(1024)
    .default(50 * 1024 ** 2)
    .describe("Largest upload that the controller itself accepts."),
  idleTimeoutSeconds: z.int().min(1).max(4000).default(4000).describe("Idle timeout of the load balancer."),
  syncMaxWaitSeconds: z
    .int()
    .min(1)
    .max(3500)
    .default(3500)
    .describe("Longest wait of a synchronous call; beyond it the answer is 202 with the job."),
  deregistrationDelaySeconds: z
    .int()
    .min(0)
    .max(3600)
    .default(3600)
    .describe("How long a leaving controller may finish its calls."),
  requestsPerMinutePerKey: z
    .int()
    .min(1)
    .default(600)
    .describe("Requests of one API key in a minute, over which it is answered 429; a key may have a limit of its own."),
  logRetentionDays: retentionDays,
});

const workers = z
  .strictObject({
    instanceType: instanceType.default("t3.small").describe("EC2 instance type."),
    min: z.int().min(0).max(1000).default(2).describe("Fewest workers."),
    desired: z.int().min(0).max(1000).default(2).describe("Workers at creation; scaling owns the number afterwards."),
    max: z.int().min(1).max(1000).default(5).describe("Most workers."),
    amiId: amiId.describe("AMI instead of the current Amazon Linux 2023 of the SSM public parameter."),
    rootVolumeGib: z.int().min(8).max(16384).default(30).describe("Size of the encrypted gp3 root volume."),
    scaling: z
      .enum(["depth", "backlog"])
      .default("depth")
      .describe(
        "`depth`: alarms on the queue's depth add and remove one. `backlog`: target tracking on messages per worker.",
      ),
    acceptedLatencySeconds: z
      .int()
      .min(1)
      .default(60)
      .describe("For `backlog`: the wait in the queue that users accept."),
    meanJobSeconds: z.number().positive().default(6).describe("For `backlog`: mean duration of a job."),
    spot: z
      .strictObject({
        enabled: z.boolean().default(false).describe("Whether the group mixes spot instances in."),
        instanceTypes: z
          .array(instanceType)
          .min(1)
          .default(["t3.small", "t3a.small", "t2.small"])
          .describe("Types to choose from."),
        onDemandBase: z.int().min(0).default(1).describe("On-demand instances before any spot instance."),
        onDemandPercentageAboveBase: z
          .int()
          .min(0)
          .max(100)
          .default(0)
          .describe("Share of on-demand instances above the base."),
      })
      .prefault({})
      .describe("Spot instances."),
    concurrency: z
      .int()
      .min(1)
      .max(64)
      .default(1)
      .describe("Jobs that one worker runs at once. Each may use a processor and the memory of its function."),
    warm: z
      .strictObject({
        max: z.int().min(0).default(8).describe("Containers that wait for another run of their function, at most."),
        pauseAfterSeconds: z
          .int()
          .min(0)
          .default(10)
          .describe("How long a container waits until it is paused, so that it takes no processor time."),
        keepSeconds: z.int().min(0).default(600).describe("How long a container waits until it is removed."),
        prewarmed: z
          .int()
          .min(0)
          .max(16)
          .default(1)
          .describe("Containers of each runtime that wait for the first run of any function."),
      })
      .prefault({})
      .describe("Containers that wait. Each takes memory of its worker."),
    egress: z
      .strictObject({
        enabled: z
          .boolean()
          .default(true)
          .describe("Whether functions that ask for it reach the internet, and dependencies can be resolved."),
        allowedCidrs: z
          .array(cidr)
          .default([])
          .describe("Private ranges that such functions reach besides. The machine and its metadata they never do."),
      })
      .prefault({})
      .describe("The network of functions. Without `egress` in its own settings a function has none."),
    gvisor: z
      .strictObject({
        enabled: z.boolean().default(false).describe("Whether functions run on gVisor's kernel, `runsc`."),
        version: z
          .string()
          .regex(/^\d{8}(\.\d+)?$/, "a release of gVisor such as 20260914.0")
          .optional()
          .describe("Release of gVisor."),
        sha512: z
          .string()
          .regex(/^[0-9a-f]{128}$/, "128 hexadecimal digits")
          .optional()
          .describe("SHA-512 of that release's runsc for x86_64, from the runsc.sha512 beside it."),
      })
      .prefault({})
      .describe("A second kernel between functions and the machine."),
    dependencies: z
      .strictObject({
        pythonIndexUrl: packageIndex.default("https://pypi.org/simple/").describe("Index of Python packages."),
        nodeRegistryUrl: packageIndex.default("https://registry.npmjs.org/").describe("Registry of Node.js packages."),
      })
      .prefault({})
      .describe("Where functions' dependencies come from. What is not public also needs `egress.allowedCidrs`."),
    callbackAllowedCidrs: z
      .array(cidr)
      .default([])
      .describe("Private ranges that callbacks may go to. Empty: public addresses only."),
    logRetentionDays: retentionDays,
  })
  .superRefine((value, ctx) => {
    checkSizes(value, ctx);
    for (const key of value.gvisor.enabled ? (["version", "sha512"] as const) : []) {
      if (value.gvisor[key] === undefined) {
        ctx.addIssue({
          code: "custom",
          path: ["gvisor", key],
          message: "is missing, and gvisor.enabled is true. Set the release and its checksum, or leave gVisor out.",
        });
      }
    }
  });

const ai = z.strictObject({
  enabled: z.boolean().default(true).describe("Whether the private model server exists."),
  instanceType: instanceType.default("t3.large").describe("EC2 instance type; a g-type puts the node on a GPU."),
  amiId: amiId.describe(
    "AMI instead of the current Amazon Linux 2023 (or, on a GPU type, the Deep Learning base AMI).",
  ),
  privateIp: z.ipv4().default("10.0.20.100").describe("Fixed address in Private Data 1."),
  port: z.int().min(1024).max(65535).default(11434).describe("Ollama's TCP port."),
  models: z
    .array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]*$/, "a model name of Ollama's library such as llama3.2:3b"))
    .min(1)
    .default(["llama3.2:3b"])
    .describe("Models that the node pulls."),
  ollama: z
    .strictObject({
      version: z
        .string()
        .regex(/^\d+\.\d+\.\d+$/, "a release such as 0.8.0")
        .default("0.8.0")
        .describe("Release of Ollama."),
      sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/, "64 hexadecimal digits")
        .default("a0b6d2a8f172fd2c046287efdc1b249cd4ec7498dedd86eeefa2118b88fed985")
        .describe("SHA-256 of that release's ollama-linux-amd64.tgz, from its sha256sum.txt."),
    })
    .prefault({})
    .describe("The pinned Ollama. Change both together."),
  modelVolumeGib: z.int().min(10).max(16384).default(50).describe("Size of the volume that holds the models."),
  logRetentionDays: retentionDays,
});

const observability = z.strictObject({
  alarmEmails: z
    .array(z.email())
    .default([])
    .describe("Addresses that the alarm topic writes to; each must confirm once."),
  oldestMessageSeconds: z
    .int()
    .min(60)
    .default(900)
    .describe("Age of the oldest waiting message that raises an alarm."),
  errorRatePercent: z.number().min(0).max(100).default(5).describe("Share of 5xx answers that raises an alarm."),
  redisMemoryPercent: z.number().min(1).max(100).default(80).describe("Redis memory in use that raises an alarm."),
});

/** The section `nanogrid` of an environment. */
export const nanogridSettings = z.strictObject({
  network: network.prefault({}).describe("Stack nanogrid-network."),
  data: data.prefault({}).describe("Stack nanogrid-data."),
  archive: archive.prefault({}).describe("Stack nanogrid-archive."),
  controllers: controllers.prefault({}).describe("Stack nanogrid-controllers."),
  workers: workers.prefault({}).describe("Stack nanogrid-workers."),
  ai: ai.prefault({}).describe("Stack nanogrid-ai."),
  observability: observability.prefault({}).describe("Stack nanogrid-observability."),
});

/** NanoGrid's settings with every default filled in. */
export type NanogridSettings = z.output<typeof nanogridSettings>;
