import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import {
  AutoScalingClient,
  CreateAutoScalingGroupCommand,
  DescribeAutoScalingGroupsCommand,
  DescribeInstanceRefreshesCommand,
  UpdateAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import {
  CreateLaunchTemplateCommand,
  CreateLaunchTemplateVersionCommand,
  DescribeInstanceAttributeCommand,
  EC2Client,
} from "@aws-sdk/client-ec2";
import { CreateRepositoryCommand, ECRClient, PutImageCommand } from "@aws-sdk/client-ecr";
import {
  type BucketLocationConstraint,
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { artifactIn, userDataText } from "../../commands/support/rollback/user-data";
import { SETUP_MS } from "../local/scratch";
import { ACCOUNT, Cloud, COMMAND_MS, REGION } from "./operations";

// Each run of a command is a process of its own.
jest.setTimeout(COMMAND_MS);

const BUCKET = `nanogrid-artifacts-${ACCOUNT}`;
const REPOSITORY = "nanogrid/runtime-python";
const TAGS = { project: "nanogrid-cloud", environment: "local", stack: "nanogrid-workers" };
const IMAGE = JSON.stringify({
  schemaVersion: 2,
  mediaType: "application/vnd.docker.distribution.manifest.v2+json",
  config: { digest: `sha256:${"1".repeat(64)}` },
  layers: [],
});

let cloud: Cloud;
let s3: S3Client;
let ec2: EC2Client;
let scaling: AutoScalingClient;
/** Of an image that ECR has. */
let digest: string;

beforeAll(async () => {
  cloud = await Cloud.start();
  s3 = new S3Client(cloud.options);
  ec2 = new EC2Client(cloud.options);
  scaling = new AutoScalingClient(cloud.options);
  await s3.send(
    new CreateBucketCommand({
      Bucket: BUCKET,
      CreateBucketConfiguration: { LocationConstraint: REGION as BucketLocationConstraint },
    }),
  );
  await s3.send(new PutBucketVersioningCommand({ Bucket: BUCKET, VersioningConfiguration: { Status: "Enabled" } }));
  const ecr = new ECRClient(cloud.options);
  await ecr.send(new CreateRepositoryCommand({ repositoryName: REPOSITORY }));
  const { image } = await ecr.send(
    new PutImageCommand({ repositoryName: REPOSITORY, imageTag: "one", imageManifest: IMAGE }),
  );
  digest = image?.imageId?.imageDigest ?? "";
}, SETUP_MS);
afterAll(() => cloud?.stop());

/** A build of a program: stored under its hash, as constructs/program-artifact.ts does. */
async function build(program: string, content: string): Promise<string> {
  const sha256 = createHash("sha256").update(content).digest("hex");
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: keyOf(program, sha256), Body: content }));
  return sha256;
}

function keyOf(program: string, sha256: string): string {
  return `programs/${program}/${sha256}.zip`;
}

/** User data as Terraform renders it: gzipped, with the artifact, an image by digest, and a setting. */
function userData(program: string, sha256: string, image: string, setting: string): string {
  const lines = [
    "#cloud-config",
    `CONCURRENCY=${setting}`,
    `docker pull ${ACCOUNT}.dkr.ecr.${REGION}.amazonaws.com/${REPOSITORY}@${image}`,
    `aws s3 cp "s3://${BUCKET}/${keyOf(program, sha256)}" "$work/program.zip"`,
  ];
  return gzipSync(lines.join("\n")).toString("base64");
}

interface Version {
  readonly content: string;
  readonly setting?: string;
  readonly type?: string;
  readonly image?: string;
}

/** A program with these versions; the group runs the last one. @returns its artifacts' hashes */
async function deploy(program: string, versions: readonly Version[]): Promise<string[]> {
  const hashes: string[] = [];
  for (const [index, { content, image = digest, setting = "1", type = "t3.small" }] of versions.entries()) {
    const sha256 = await build(program, content);
    hashes.push(sha256);
    const LaunchTemplateData = {
      ImageId: "ami-12c6146b",
      InstanceType: type as "t3.small",
      UserData: userData(program, sha256, image, setting),
    };
    const LaunchTemplateName = `nanogrid-${program}`;
    const input = { LaunchTemplateName, LaunchTemplateData };
    await (index === 0
      ? ec2.send(new CreateLaunchTemplateCommand(input))
      : ec2.send(new CreateLaunchTemplateVersionCommand(input)));
  }
  await scaling.send(
    new CreateAutoScalingGroupCommand({
      AutoScalingGroupName: `nanogrid-${program}-asg`,
      LaunchTemplate: { LaunchTemplateName: `nanogrid-${program}`, Version: String(versions.length) },
      AvailabilityZones: [`${REGION}a`, `${REGION}c`],
      ...{ MinSize: 2, DesiredCapacity: 2, MaxSize: 5 },
      Tags: Object.entries(TAGS).map(([Key, Value]) => ({ Key, Value, PropagateAtLaunch: true })),
    }),
  );
  return hashes;
}

/** Terraform deletes an artifact once no template of its own names it. */
async function forget(program: string, sha256: string): Promise<void> {
  await s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: keyOf(program, sha256) }));
}

async function groupOf(program: string) {
  const names = { AutoScalingGroupNames: [`nanogrid-${program}-asg`] };
  const { AutoScalingGroups = [] } = await scaling.send(new DescribeAutoScalingGroupsCommand(names));
  return AutoScalingGroups[0];
}

/** Hashes of the artifacts that a group's instances fetched at their boot. */
async function running(program: string): Promise<string[]> {
  const { Instances = [] } = (await groupOf(program)) ?? {};
  const hashes = Instances.map(async ({ InstanceId }) => {
    const { UserData } = await ec2.send(new DescribeInstanceAttributeCommand({ InstanceId, Attribute: "userData" }));
    return artifactIn(userDataText(UserData?.Value ?? ""))?.sha256 ?? "none";
  });
  return Promise.all(hashes);
}

async function contentOf(program: string, sha256: string): Promise<string | undefined> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: keyOf(program, sha256) }));
  return Body?.transformToString();
}

test("rollback: one command brings a worker back to its previous artifact, which Terraform had deleted", async () => {
  const [old = "", bad = ""] = await deploy("worker", [
    { content: "the worker of before", setting: "1" },
    { content: "a worker that breaks", setting: "4", type: "t3.medium" },
  ]);
  await forget("worker", old);
  const before = ((await groupOf("worker"))?.Instances ?? []).map(({ InstanceId }) => InstanceId);

  const { code, stdout, stderr } = await cloud.run("rollback", ["worker", "--yes", "--watch"]);

  expect([code, stderr]).toEqual([0, expect.stringContaining("worker in nanogrid-worker-asg:")]);
  expect(stderr).toContain(`from version 2, artifact ${bad.slice(0, 12)}`);
  expect(stderr).toContain(`to   version 1, artifact ${old.slice(0, 12)}`);
  expect(stderr).toContain("(with CONCURRENCY)");
  expect(stderr).toContain("goes back with it: InstanceType");
  expect(stderr).toContain("the artifact was deleted, and is copied back");
  expect(await contentOf("worker", old)).toBe("the worker of before");
  expect((await groupOf("worker"))?.LaunchTemplate?.Version).toBe("1");
  const after = (await groupOf("worker"))?.Instances ?? [];
  expect(after).toHaveLength(2);
  expect(after.filter(({ InstanceId }) => before.includes(InstanceId))).toEqual([]);
  expect(await running("worker")).toEqual([old, old]);
  expect(stdout).toMatch(/^refresh \S+: Successful, 100 %, 0 to replace$/m);
  expect(stdout).toContain(
    'npm run diff -- nanogrid-workers shows one change: the group\'s launch template version "1" → "2"',
  );
  expect(stdout).toContain("git revert");
});

test("rollback: goes to the version or the hash that is named, and says what it would do without doing it", async () => {
  const [first = "", , third = ""] = await deploy("controller", [
    { content: "controller one" },
    { content: "controller two" },
    { content: "controller three" },
  ]);

  const dry = await cloud.run("rollback", ["controller", "--to", first.slice(0, 10), "--dry-run"]);
  expect([dry.code, dry.stderr]).toEqual([0, ""]);
  expect(dry.stdout).toContain("to   version 1");
  expect((await groupOf("controller"))?.LaunchTemplate?.Version).toBe("3");
  expect(await running("controller")).toEqual([third, third]);

  const { code } = await cloud.run("rollback", ["controller", "--to", "1", "--yes"]);
  expect(code).toBe(0);
  expect(await running("controller")).toEqual([first, first]);
});

test("rollback: a group that mixes spot instances goes back with its mix unchanged", async () => {
  const [first = ""] = await deploy("mixed", [{ content: "mixed one" }, { content: "mixed two" }]);
  const Overrides = [{ InstanceType: "t3.small" }, { InstanceType: "t3a.small" }];
  const LaunchTemplateSpecification = { LaunchTemplateName: "nanogrid-mixed", Version: "2" };
  const InstancesDistribution = { OnDemandBaseCapacity: 1, OnDemandPercentageAboveBaseCapacity: 0 };
  await scaling.send(
    new UpdateAutoScalingGroupCommand({
      AutoScalingGroupName: "nanogrid-mixed-asg",
      MixedInstancesPolicy: { LaunchTemplate: { LaunchTemplateSpecification, Overrides }, InstancesDistribution },
    }),
  );

  const { code } = await cloud.run("rollback", ["mixed", "--yes"]);

  expect(code).toBe(0);
  const { MixedInstancesPolicy: policy } = (await groupOf("mixed")) ?? {};
  expect(policy?.LaunchTemplate?.LaunchTemplateSpecification?.Version).toBe("1");
  expect(policy?.LaunchTemplate?.Overrides).toMatchObject(Overrides);
  expect(policy?.InstancesDistribution).toMatchObject(InstancesDistribution);
  expect(await running("mixed")).toEqual([first, first]);
});

test("rollback: without a program lists all of the environment, by what runs", async () => {
  await deploy("lister", [{ content: "lister one" }, { content: "lister two" }]);

  const { stdout } = await cloud.run("rollback", ["--json"]);

  expect(JSON.parse(stdout)).toContainEqual({
    program: "lister",
    stack: "nanogrid-workers",
    group: "nanogrid-lister-asg",
    current: 2,
    versions: [expect.objectContaining({ version: 2 }), expect.objectContaining({ version: 1 })],
  });
});

test("rollback: without a yes nothing is changed", async () => {
  await deploy("asked", [{ content: "asked one" }, { content: "asked two" }]);

  const { code, stderr } = await cloud.run("rollback", ["asked"]);

  expect(code).toBe(1);
  expect(stderr).toContain("Nothing was changed.");
  expect((await groupOf("asked"))?.LaunchTemplate?.Version).toBe("2");
  const name = { AutoScalingGroupName: "nanogrid-asked-asg" };
  expect((await scaling.send(new DescribeInstanceRefreshesCommand(name))).InstanceRefreshes).toEqual([]);
});

describe("rollback refuses what would not start", () => {
  test("an artifact of which no version is left", async () => {
    const [old = ""] = await deploy("gone", [{ content: "gone one" }, { content: "gone two" }]);
    const Key = keyOf("gone", old);
    const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket: BUCKET, Prefix: Key }));
    await s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key, VersionId: Versions[0]?.VersionId }));

    const { code, stderr } = await cloud.run("rollback", ["gone", "--yes"]);

    expect(code).toBe(1);
    expect(stderr).toContain(`s3://${BUCKET}/${Key} is gone`);
    expect((await groupOf("gone"))?.LaunchTemplate?.Version).toBe("2");
  });

  test("an artifact whose bytes are not what its name says", async () => {
    const [old = ""] = await deploy("tampered", [{ content: "tampered one" }, { content: "tampered two" }]);
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: keyOf("tampered", old), Body: "something else" }));

    const { code, stderr } = await cloud.run("rollback", ["tampered", "--yes"]);

    expect(code).toBe(1);
    expect(stderr).toContain("not the one in its name: instances would refuse it");
    expect((await groupOf("tampered"))?.LaunchTemplate?.Version).toBe("2");
  });

  test("an image that ECR has expired", async () => {
    const expired = `sha256:${"e".repeat(64)}`;
    await deploy("imageless", [{ content: "imageless one", image: expired }, { content: "imageless two" }]);

    const { code, stderr } = await cloud.run("rollback", ["imageless", "--yes"]);

    expect(code).toBe(1);
    expect(stderr).toContain(`${REPOSITORY}@${expired}, which ECR has no more`);
    expect((await groupOf("imageless"))?.LaunchTemplate?.Version).toBe("2");
  });

  test.each([
    [["nobody"], 'There is no program "nobody" in a group of environment "local".'],
    [["fixed", "--to", "9"], "--to 9: no version of fixed is that."],
    [["fixed", "--to", "1"], "--to 1: that is the version of fixed that runs."],
    [["fixed"], "There is no earlier artifact of fixed than the one that runs"],
  ])("%j", async (args, message) => {
    if (!(await groupOf("fixed"))) {
      await deploy("fixed", [{ content: "fixed one" }]);
    }

    const { code, stderr } = await cloud.run("rollback", [...args, "--yes"]);

    expect(code).toBe(1);
    expect(stderr).toContain(message);
  });
});
