import { CreateRepositoryCommand, PutImageCommand } from "@aws-sdk/client-ecr";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { type CheckOptions, checkBeforePlan } from "../../commands/support/checks";
import { createClients } from "../../commands/support/clients";
import { Problems } from "../../commands/support/problem";
import type { SynthesizedStack, TerraformJson } from "../../commands/support/synthesis";
import { parseSettings, type Settings } from "../../modules/platform/settings";
import { SETUP_MS } from "../local/scratch";
import { freePort, type Moto, startMoto } from "../support/servers";

const ACCOUNT = "123456789012";
const OTHER_ACCOUNT = "999999999999";
const REGION = "ap-northeast-2";

/** Two stacks: the second reads the first, and asks for an instance type. */
const STACKS: readonly SynthesizedStack[] = [
  { name: "data", dependencies: [] },
  { name: "workers", dependencies: ["data"] },
];

/** It has many accounts: 123456789012 for any key, others for the keys of assumed roles; and here a bucket is only for its own. */
let moto: Moto;

beforeAll(async () => {
  moto = await startMoto({ MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS: "false" });
}, SETUP_MS);
afterAll(() => moto?.stop());
beforeEach(async () => {
  await fetch(`${moto.endpoint}/moto-api/reset`, { method: "POST" });
});

function settingsOf(changes: object = {}): Settings {
  return parseSettings({ test: { accountId: ACCOUNT, owner: "tests", standIns: true, ...changes } }, "test");
}

function json(
  changes: { readonly type?: string; readonly zones?: string[]; readonly bucket?: string } = {},
): Record<string, TerraformJson> {
  const { bucket = "acme-code", type = "t3.small", zones = [`${REGION}a`, `${REGION}c`] } = changes;
  const filter = [
    { name: "instance-type", values: [type] },
    { name: "location", values: zones },
  ];
  return {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: an expression of Terraform, whose value is not known before a plan.
    data: { resource: { aws_s3_bucket: { code: { bucket }, computed: { bucket: "${var.name}" } } } },
    workers: { data: { aws_ec2_instance_type_offerings: { offered: { filter } } } },
  };
}

/** A stack that asks for a container image. */
const ASKS_FOR_IMAGE: TerraformJson = {
  data: { aws_ecr_image: { runtime: { repository_name: "acme/runtime", image_tag: "0123456789abcdef" } } },
};

/** What the checks find, as the lines that a person reads. */
async function findings(options: Partial<CheckOptions> = {}, stacks = json()): Promise<string[]> {
  const settings = options.settings ?? settingsOf();
  const clients = createClients(settings, { HTTP_PROXY: moto.endpoint });
  const read = (stack: string) => stacks[stack] ?? {};
  try {
    await checkBeforePlan({ settings, clients, stacks: STACKS, wanted: ["data", "workers"], read, ...options });
    return [];
  } catch (error) {
    if (error instanceof Problems) {
      return error.problems.map(({ message }) => message);
    }
    throw error;
  }
}

/** An S3 client of an account: moto knows the account of credentials that it gave out for a role of it. */
async function s3Of(account: string): Promise<S3Client> {
  const common = { region: REGION, endpoint: moto.endpoint };
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const role = { RoleArn: `arn:aws:iam::${account}:role/test`, RoleSessionName: "test" };
  const { Credentials } = await new STSClient({ ...common, credentials }).send(new AssumeRoleCommand(role));
  return new S3Client({
    ...common,
    forcePathStyle: true,
    credentials: {
      accessKeyId: Credentials?.AccessKeyId ?? "",
      secretAccessKey: Credentials?.SecretAccessKey ?? "",
      sessionToken: Credentials?.SessionToken ?? "",
    },
  });
}

async function createBucket(name: string, account = ACCOUNT): Promise<S3Client> {
  const s3 = await s3Of(account);
  await s3.send(new CreateBucketCommand({ Bucket: name, CreateBucketConfiguration: { LocationConstraint: REGION } }));
  return s3;
}

test("preflight: nothing stands in the way when the account is right and the state bucket is there", async () => {
  await createBucket(settingsOf().state.bucket);

  expect(await findings()).toEqual([]);
});

test("preflight: credentials of another account are told before anything else is looked at", async () => {
  const settings = settingsOf({ accountId: OTHER_ACCOUNT });

  expect(await findings({ settings })).toEqual([
    expect.stringMatching(
      /^Environment "test" lives in AWS account 999999999999, and arn:\S+ is of account 123456789012\. .* correct context\.environments\.test\.accountId/,
    ),
  ]);
});

test("preflight: where AWS cannot be reached, that is the one thing that is said", async () => {
  const settings = settingsOf();
  const clients = createClients(settings, { HTTP_PROXY: `http://127.0.0.1:${await freePort()}` });

  expect(await findings({ settings, clients })).toEqual([
    expect.stringMatching(/^No AWS identity: .* Sign in \(aws sso login\)/),
  ]);
});

test("preflight: a missing state bucket is named with the command that creates it", async () => {
  expect(await findings()).toEqual([
    `The state bucket "nanogrid-cloud-state-${ACCOUNT}" does not exist in account ${ACCOUNT}. ` +
      "Create it once: ENVIRONMENT=test npm run state-backend",
  ]);
});

test("preflight: everything that is wrong is told at once: zones without the type, and a bucket name that another account has", async () => {
  await createBucket(settingsOf().state.bucket);
  await createBucket("acme-code", OTHER_ACCOUNT);

  const found = await findings({}, json({ type: "p5.48xlarge", zones: [`${REGION}z`] }));

  expect(found).toHaveLength(2);
  expect(found).toContainEqual(
    expect.stringContaining(`workers: ${REGION}z does not offer p5.48xlarge. Choose another instanceType`),
  );
  expect(found).toContainEqual(
    expect.stringContaining(
      'data: the bucket name "acme-code" is taken by another AWS account. Set the stack\'s bucketSuffix',
    ),
  );
});

test("preflight: a bucket of the account that no state has is told, and one that a state has is not", async () => {
  const settings = settingsOf();
  const s3 = await createBucket(settings.state.bucket);
  await createBucket("acme-code");
  expect(await findings()).toEqual([
    expect.stringContaining('the bucket "acme-code" exists in account 123456789012, and no state'),
  ]);

  await s3.send(
    new PutObjectCommand({ Bucket: settings.state.bucket, Key: "nanogrid-cloud/test/data.tfstate", Body: "{}" }),
  );
  expect(await findings()).toEqual([]);
});

test("preflight: a region that was changed under what is deployed is told, and a resource with a region of its own is not", async () => {
  const settings = settingsOf({ region: "us-east-1" });
  const s3 = await createBucket(settings.state.bucket);
  const resource = (type: string, region: string, mode = "managed") => ({
    ...{ mode, type, name: "one" },
    instances: [{ attributes: { region } }],
  });
  const resources = [
    resource("aws_sqs_queue", REGION),
    resource("aws_sns_topic", REGION),
    resource("aws_acm_certificate", "eu-west-1"),
    resource("aws_region", REGION, "data"),
  ];
  await s3.send(
    new PutObjectCommand({
      Bucket: settings.state.bucket,
      Key: "nanogrid-cloud/test/data.tfstate",
      Body: JSON.stringify({ version: 4, resources }),
    }),
  );
  const stacks = { data: { resource: { aws_acm_certificate: { one: { region: "eu-west-1" } } } }, workers: {} };

  expect(await findings({ settings }, stacks)).toEqual([
    'data: 2 of its resources are deployed in ap-northeast-2, and environment "test" is set to us-east-1. ' +
      "Set context.environments.test.region back, or move on purpose: a new environment first, then destroy the old one.",
  ]);
  expect(await findings({}, stacks)).toEqual([]);
});

test("preflight: a stack whose producer is not deployed is told which to deploy first", async () => {
  const settings = settingsOf();
  const s3 = await createBucket(settings.state.bucket);
  expect(await findings({ wanted: ["workers"] })).toEqual([
    'workers reads the state of data, which is not deployed in environment "test". ' +
      "Deploy it first: ENVIRONMENT=test npx cdktf deploy data --ignore-missing-stack-dependencies",
  ]);

  await s3.send(
    new PutObjectCommand({ Bucket: settings.state.bucket, Key: "nanogrid-cloud/test/data.tfstate", Body: "{}" }),
  );
  expect(await findings({ wanted: ["workers"] })).toEqual([]);
});

test("preflight: an image that was not pushed is named with the command that pushes it, with its repository or without", async () => {
  await createBucket(settingsOf().state.bucket);
  const wanted = { data: {}, workers: ASKS_FOR_IMAGE };
  const missing = [
    "workers: the image acme/runtime:0123456789abcdef, which this checkout's sources give, is not in ECR. " +
      "Once nanogrid-data is deployed, push it: ENVIRONMENT=test npm run runtime-images",
  ];
  expect(await findings({}, wanted)).toEqual(missing);

  const { ecr } = createClients(settingsOf(), { HTTP_PROXY: moto.endpoint });
  await ecr.send(new CreateRepositoryCommand({ repositoryName: "acme/runtime" }));
  expect(await findings({}, wanted)).toEqual(missing);

  const imageManifest = JSON.stringify({ schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json" });
  await ecr.send(new PutImageCommand({ repositoryName: "acme/runtime", imageTag: "0123456789abcdef", imageManifest }));
  expect(await findings({}, wanted)).toEqual([]);
});
