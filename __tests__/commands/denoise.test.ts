import { DescribeScalableTargetsCommand } from "@aws-sdk/client-application-auto-scaling";
import { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { CreateRepositoryCommand, ECRClient, ListImagesCommand, PutImageCommand } from "@aws-sdk/client-ecr";
import { ECSClient, UpdateServiceCommand } from "@aws-sdk/client-ecs";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { chosenOf, emptiedOf } from "../../commands/support/denoise/emptying";
import { gpuText, gpuUse } from "../../commands/support/denoise/gpu";
import { DENOISE } from "../../commands/support/denoise/tier";
import { findGroups, findService } from "../../commands/support/ecs-tier/deployment";
import { readPaused } from "../../commands/support/ecs-tier/memory";
import { pause, resume } from "../../commands/support/ecs-tier/pause";
import { followRollout, startRollout } from "../../commands/support/ecs-tier/rollout";
import { scalingActivities } from "../../commands/support/ecs-tier/status";
import { scaledOf } from "../../commands/support/ecs-tier/tier";
import { CLUSTER, IN_BUCKET, METRICS_NAMESPACE, OUT_BUCKET, REPOSITORY, SERVICE } from "../../modules/denoise/names";
import { loadSettings } from "../../modules/platform/settings";
import { SETUP_MS } from "../local/scratch";
import { boxBlur, clientsOf, deployService, deployTargets, startApi, startPlayed, TARGETS } from "./denoise-world";
import { Cloud, COMMAND_MS, REGION } from "./operations";

// Each run of a command is a process of its own.
jest.setTimeout(COMMAND_MS);

let cloud: Cloud;
let registerTargets: () => Promise<void>;
const MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json";
const said: string[] = [];
const WAITING = { everyMs: 20, limitMs: 10_000, say: (text: string) => said.push(text) };

beforeAll(async () => {
  cloud = await Cloud.start();
  await deployService(cloud);
  registerTargets = await deployTargets(cloud);
}, SETUP_MS);
afterAll(() => cloud?.stop());
beforeEach(() => said.splice(0));

async function suspendedState() {
  const query = new DescribeScalableTargetsCommand({
    ServiceNamespace: "ecs",
    ResourceIds: [scaledOf(DENOISE).ResourceId],
  });
  return (await clientsOf(cloud).serviceScaling.send(query)).ScalableTargets?.[0]?.SuspendedState;
}

async function sizes() {
  const [group] = await findGroups(clientsOf(cloud));
  return { min: group?.MinSize, desired: group?.DesiredCapacity, instances: group?.Instances?.length };
}

/** Makes both buckets, empty: what an earlier test left goes. */
async function createBuckets(s3: S3Client): Promise<void> {
  const CreateBucketConfiguration = { LocationConstraint: REGION as never };
  for (const Bucket of [IN_BUCKET, OUT_BUCKET]) {
    const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
    if (Buckets.every(({ Name }) => Name !== Bucket)) {
      await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration }));
    }
    for (const { Key } of (await s3.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []) {
      await s3.send(new DeleteObjectCommand({ Bucket, Key }));
    }
  }
}

test("denoise status: prints tasks, deployments, scaling and the groups of instances", async () => {
  const { code, stdout, stderr } = await cloud.run("denoise", ["status"]);

  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^ddn-triton-service: desired 2, running 2, pending 0, ddn-triton-task:1$/m);
  expect(stdout).toMatch(/^scaling: 1 to 4 tasks$/m);
  expect(stdout).toMatch(/^deployment ecs-svc\/\d+: PRIMARY, COMPLETED$/m);
  expect(stdout).toMatch(/^ddn-gpu-on-demand: min 1, desired 2, max 3, instances 2$/m);
});

test("denoise status: an environment without a deployment is told to deploy", async () => {
  const empty = await Cloud.start();
  try {
    const { code, stderr } = await empty.run("denoise", ["status"]);
    expect(code).toBe(1);
    expect(stderr).toContain("There is no ECS service ddn-triton-service in the cluster ddn-cluster");
    expect(stderr).toContain("Deploy denoise-service, or choose another ENVIRONMENT.");
  } finally {
    await empty.stop();
  }
});

test("denoise health: without a target it fails, with healthy ones it prints them", async () => {
  const before = await cloud.run("denoise", ["health"]);
  expect(before.code).toBe(1);
  expect(before.stdout).toContain("ddn-triton-tg: no target.");
  expect(before.stderr).toContain("0 of 0 targets are healthy.");
  await registerTargets();

  const { code, stdout } = await cloud.run("denoise", ["health", "--json"]);

  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ targets: [{ address: `${TARGETS[0]}:50101`, state: "healthy" }] });
});

describe("denoise roll", () => {
  test("starts a deployment, and is done when it is complete", async () => {
    const { code, stdout, stderr } = await cloud.run("denoise", ["roll"]);

    expect(code).toBe(0);
    const [, id] = /deployment (ecs-svc\/\d+) has begun/.exec(stderr) ?? [];
    expect(stdout).toMatch(new RegExp(`^ddn-triton-service: deployment ${id} is complete`));
  });

  test("a rollback by the circuit breaker is an error with the failed tasks' reasons", async () => {
    let looks = 0;
    const deployment = (id: string, status: string, rolloutState: string, reason = "") => {
      return { id, status, rolloutState, rolloutStateReason: reason, runningCount: 1, failedTasks: 3 };
    };
    const started = deployment("ecs-svc/2", "PRIMARY", "IN_PROGRESS");
    const back = deployment("ecs-svc/3", "PRIMARY", "IN_PROGRESS", "circuit breaker: rolling back to ecs-svc/1");
    const failed = deployment(
      "ecs-svc/2",
      "ACTIVE",
      "FAILED",
      "ECS deployment circuit breaker: tasks failed to start.",
    );
    const service = (...deployments: object[]) => ({ services: [{ status: "ACTIVE", desiredCount: 1, deployments }] });
    const containers = [
      { name: "triton", exitCode: 137, reason: "OutOfMemoryError: Container killed due to memory usage" },
      { name: "api", exitCode: 0 },
    ];
    const aws = await startPlayed(cloud, {
      UpdateService: () => ({ service: service(started).services[0] as object }),
      DescribeServices: () => (looks++ < 3 ? service(started) : service(back, failed)),
      ListTasks: ({ desiredStatus }) => ({ taskArns: desiredStatus === "STOPPED" ? ["arn:task/a", "arn:task/b"] : [] }),
      DescribeTasks: () => ({
        tasks: [
          { taskArn: "arn:task/a", startedBy: "ecs-svc/2", stoppedReason: "Essential container exited", containers },
          { taskArn: "arn:task/b", startedBy: "ecs-svc/1", stoppedReason: "Scaling activity" },
        ],
      }),
    });
    try {
      const clients = { tier: DENOISE, ecs: new ECSClient({ ...cloud.options, endpoint: aws.endpoint }) };
      const deploymentId = await startRollout(clients);

      const failure = await followRollout(clients, deploymentId, WAITING).catch((error: Error) => error.message);

      expect(failure).toContain("The circuit breaker rolled ddn-triton-service back");
      expect(failure).toContain("task a: Essential container exited; triton: exit code 137, OutOfMemoryError");
      expect(failure).not.toContain("Scaling activity");
      expect(said[0]).toMatch(/^IN_PROGRESS: 1 of 1 new tasks run/);
    } finally {
      await aws.stop();
    }
  });

  test("a deployment that another one replaced is an error, and one without an end is given up with what was seen", async () => {
    await expect(followRollout(clientsOf(cloud), "ecs-svc/1", WAITING)).rejects.toThrow("was replaced by ecs-svc/");
    const waits = { id: "ecs-svc/9", status: "PRIMARY", rolloutState: "IN_PROGRESS", runningCount: 0 };
    const aws = await startPlayed(cloud, {
      DescribeServices: () => ({ services: [{ status: "ACTIVE", desiredCount: 1, deployments: [waits] }] }),
    });
    try {
      const clients = { tier: DENOISE, ecs: new ECSClient({ ...cloud.options, endpoint: aws.endpoint }) };
      const short = { ...WAITING, limitMs: 100 };
      await expect(followRollout(clients, "ecs-svc/9", short)).rejects.toThrow(
        "Last seen: IN_PROGRESS: 0 of 1 new tasks",
      );
    } finally {
      await aws.stop();
    }
  });
});

test("denoise activities: those of the service and of the groups come newest first, with their causes", async () => {
  // moto has no activities of Application Auto Scaling.
  const one = { ServiceNamespace: "ecs", ResourceId: scaledOf(DENOISE).ResourceId, StatusCode: "Successful" };
  const activity = {
    ...one,
    StartTime: 4_000_000_000,
    Description: "Setting desired count to 2.",
    Cause: "PendingRequests",
  };
  const aws = await startPlayed(cloud, { DescribeScalingActivities: () => ({ ScalingActivities: [activity] }) });
  try {
    const config = { ...cloud.options, endpoint: aws.endpoint };
    const { serviceScaling } = clientsOf({ ...cloud, options: config } as Cloud);

    const activities = await scalingActivities({ ...clientsOf(cloud), serviceScaling }, 20);

    expect(activities[0]).toMatchObject({
      what: SERVICE,
      description: "Setting desired count to 2.",
      cause: "PendingRequests",
    });
    expect(activities.slice(1).every(({ what }) => what === "ddn-gpu-on-demand")).toBe(true);
  } finally {
    await aws.stop();
  }
});

test("denoise gpu: shows the mean and the maximum of what the sidecars publish, of this service alone", async () => {
  const cloudWatch = new CloudWatchClient(cloud.options);
  const dimensions = (ServiceName: string) => [
    { Name: "ClusterName", Value: CLUSTER },
    { Name: "ServiceName", Value: ServiceName },
  ];
  const metric = (MetricName: string, Value: number, service = SERVICE) => {
    return { MetricName, Value, Timestamp: new Date(Date.now() - 120_000), Dimensions: dimensions(service) };
  };
  const MetricData = [
    metric("GpuUtilization", 20),
    metric("GpuUtilization", 60),
    metric("GpuMemoryUsed", 3 * 2 ** 30),
    metric("PendingRequests", 5),
    metric("PendingRequests", 500, "another"),
  ];
  await cloudWatch.send(new PutMetricDataCommand({ Namespace: METRICS_NAMESPACE, MetricData }));

  const use = await gpuUse(clientsOf(cloud).ecs, cloudWatch, 3_600);

  const values = { utilization: 40, utilizationMax: 60, memory: 3 * 2 ** 30, pending: 5, pendingMax: 5 };
  expect(use.points).toEqual([expect.objectContaining(values)]);
  expect(gpuText(use)).toMatch(/Z +40 +60 +3\.00 +5\.0 +5$/m);
});

describe("denoise pause and resume", () => {
  test("resume without a pause says so and changes nothing", async () => {
    await expect(resume(clientsOf(cloud))).rejects.toThrow("ddn-triton-service is not paused");
    expect(await sizes()).toEqual({ min: 1, desired: 2, instances: 2 });
  });

  test("pause brings tasks and protected instances to zero, and says what stays and costs", async () => {
    const { code, stdout } = await cloud.run("denoise", ["pause"]);

    expect(code).toBe(0);
    expect(stdout).toContain("No GPU instance is left. What stays and costs:\n- the internal load balancer");
    expect((await findService(clientsOf(cloud))).desiredCount).toBe(0);
    expect(await sizes()).toEqual({ min: 0, desired: 0, instances: 0 });
    expect(await suspendedState()).toMatchObject({ DynamicScalingOutSuspended: true, DynamicScalingInSuspended: true });
  });

  test("a second pause remembers what the first one did, and a paused service is not rolled", async () => {
    await pause(clientsOf(cloud), WAITING);

    expect(await readPaused(clientsOf(cloud))).toMatchObject({
      tasks: 2,
      groups: [{ name: "ddn-gpu-on-demand", min: 1, desired: 2 }],
    });
    await expect(startRollout(clientsOf(cloud))).rejects.toThrow("wants 0 tasks: there is nothing to roll");
  });

  test("resume gives back tasks, instances and scaling, and forgets", async () => {
    const { code, stdout } = await cloud.run("denoise", ["resume"]);

    expect([code, stdout]).toEqual([0, "ddn-triton-service: 2 tasks run.\n"]);
    expect((await findService(clientsOf(cloud))).desiredCount).toBe(2);
    expect(await sizes()).toEqual({ min: 1, desired: 2, instances: 2 });
    expect(await suspendedState()).toMatchObject({
      DynamicScalingOutSuspended: false,
      DynamicScalingInSuspended: false,
    });
    expect(await readPaused(clientsOf(cloud))).toBeUndefined();
  });

  test("a pause that tasks outlast is given up with what was seen, and goes on when it is run again", async () => {
    const { ecs } = clientsOf(cloud);
    const stuck = { services: [{ status: "ACTIVE", desiredCount: 0, runningCount: 1, deployments: [] }] };
    const aws = await startPlayed(cloud, { DescribeServices: () => stuck });
    try {
      const client = new ECSClient({ ...cloud.options, endpoint: aws.endpoint });
      const first = pause({ ...clientsOf(cloud), ecs: client }, { ...WAITING, limitMs: 100 });
      await expect(first).rejects.toThrow("Last seen: tasks: 1 left.");
      expect((await sizes()).instances).toBe(2);
    } finally {
      await aws.stop();
    }
    await pause(clientsOf(cloud), WAITING);
    expect((await sizes()).instances).toBe(0);
    await resume(clientsOf(cloud));
    await ecs.send(new UpdateServiceCommand({ cluster: CLUSTER, service: SERVICE, desiredCount: 2 }));
  });
});

describe("denoise smoke, upload and download", () => {
  let s3: S3Client;

  beforeAll(async () => {
    s3 = new S3Client({ ...cloud.options, forcePathStyle: true });
    await createBuckets(s3);
  });

  const keys = async (Bucket: string) => {
    return ((await s3.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).map(({ Key }) => Key);
  };

  test("smoke: a cleaner image passes, with decibels and steps, and nothing is left behind", async () => {
    const api = await startApi(cloud, boxBlur);
    try {
      const { code, stdout, stderr } = await cloud.run("denoise", ["smoke", "--url", api.url, "--size", "256"]);

      expect(code).toBe(0);
      const [, noisy, clean] =
        /^efficient, 256 × 256: ([\d.]+) dB noisy, ([\d.]+) dB denoised, gain/.exec(stdout) ?? [];
      expect(Number(clean)).toBeGreaterThan(Number(noisy) + 5);
      expect(stdout).toMatch(/^service: denoise +13 ms$/m);
      expect(stderr).toMatch(/^POST \/inference: 202 in \d+ ms, request request-1$/m);
      expect(stderr).not.toMatch(/X-Amz-Signature/i);
      expect([await keys(IN_BUCKET), await keys(OUT_BUCKET)]).toEqual([[], []]);
    } finally {
      await api.stop();
    }
  });

  test("smoke: an image that comes back as noisy as it was fails", async () => {
    const api = await startApi(cloud, (counts) => counts);
    try {
      const { code, stderr } = await cloud.run("denoise", ["smoke", "--url", api.url, "--size", "256"]);

      expect(code).toBe(1);
      expect(stderr).toMatch(/The result of one has [\d.]+ dB and the noisy frame [\d.]+ dB: expected a gain of 5 dB/);
      expect(await keys(OUT_BUCKET)).toHaveLength(1);
    } finally {
      await api.stop();
    }
  });

  test("smoke: what the API refuses is said in its words, with the field and the remedy", async () => {
    const api = await startApi(cloud, boxBlur);
    try {
      const { code, stderr } = await cloud.run("denoise", [
        "smoke",
        "--url",
        api.url,
        "--size",
        "64",
        "--strength",
        "21",
      ]);

      expect(code).toBe(1);
      expect(stderr).toContain(
        "POST /inference answered 400, request request-1: strength: expected 0 to 20, got 21 (field strength)",
      );
      expect(stderr).toContain("Send a strength from 0 to 20.");
    } finally {
      await api.stop();
    }
  });

  test("an upload brings a frame to the in-bucket, and without an API the command says what to deploy", async () => {
    const api = await startApi(cloud, boxBlur);
    try {
      const { code, stdout } = await cloud.run("denoise", ["upload", "test/a.tif", "--url", api.url, "--size", "64"]);
      expect([code, stdout]).toEqual([0, "test/a.tif: 8314 bytes uploaded.\n"]);
      expect(await keys(IN_BUCKET)).toContain("test/a.tif");
    } finally {
      await api.stop();
    }
    const without = await cloud.run("denoise", ["download", "test/a.tif"]);
    expect(without.code).toBe(1);
    expect(without.stderr).toContain("There is no API ddn-presign-api in this account and region.");
  });
});

describe("denoise empty", () => {
  let s3: S3Client;
  let ecr: ECRClient;

  beforeAll(async () => {
    s3 = new S3Client({ ...cloud.options, forcePathStyle: true });
    ecr = new ECRClient(cloud.options);
    await createBuckets(s3);
    for (const Bucket of [IN_BUCKET, OUT_BUCKET]) {
      const VersioningConfiguration = { Status: "Enabled" } as const;
      await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
      for (const Body of ["first", "second"]) {
        await s3.send(new PutObjectCommand({ Bucket, Key: "a.tif", Body }));
      }
    }
    await ecr.send(new CreateRepositoryCommand({ repositoryName: REPOSITORY }));
    const imageManifest = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, config: {}, layers: [] });
    await ecr.send(new PutImageCommand({ repositoryName: REPOSITORY, imageTag: "one", imageManifest }));
  });

  const versions = async (Bucket: string) => {
    return ((await s3.send(new ListObjectVersionsCommand({ Bucket }))).Versions ?? []).length;
  };

  test("where data is protected nothing goes that was not named, and what is not ours never", () => {
    const all = emptiedOf(loadSettings("local"), s3, ecr);
    expect(() => chosenOf(all, [], true)).toThrow(
      "Name what may be lost for good: npm run denoise -- empty ddn-in-bucket ddn-out-bucket deepdenoising-triton",
    );
    expect(chosenOf(all, [OUT_BUCKET], true).map(({ name }) => name)).toEqual([OUT_BUCKET]);
    expect(() => chosenOf(all, ["nanogrid-code-bucket"], false)).toThrow("not something that can be emptied here");
  });

  test("without a terminal to type the environment's name on, nothing is deleted", async () => {
    const { code, stderr } = await cloud.run("denoise", ["empty"]);

    expect(code).toBe(1);
    expect(stderr).toContain("Nothing was changed.");
    expect(await versions(IN_BUCKET)).toBe(2);
  });

  test("deletes every version of what is named, and of all when nothing is", async () => {
    const named = await cloud.run("denoise", ["empty", IN_BUCKET, "--yes"]);
    expect(named.code).toBe(0);
    expect([await versions(IN_BUCKET), await versions(OUT_BUCKET)]).toEqual([0, 2]);

    const all = await cloud.run("denoise", ["empty", "--yes", "--json"]);

    expect(JSON.parse(all.stdout)).toEqual({
      found: { [IN_BUCKET]: 0, [OUT_BUCKET]: 2, [REPOSITORY]: 1 },
      left: { [IN_BUCKET]: 0, [OUT_BUCKET]: 0, [REPOSITORY]: 0 },
    });
    expect((await ecr.send(new ListImagesCommand({ repositoryName: REPOSITORY }))).imageIds).toEqual([]);
  });
});

test("denoise destroy: refused where data is protected, and not begun without the environment's name", async () => {
  const { code, stderr } = await cloud.run("denoise", ["destroy"]);

  expect(code).toBe(1);
  expect(stderr).toContain("Nothing was changed.");
  expect((await findService(clientsOf(cloud))).desiredCount).toBe(2);
});
