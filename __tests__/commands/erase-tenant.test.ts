import { CreateTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  type BucketLocationConstraint,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { CreateSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDBDocumentClient, GetCommand, PutCommand, ScanCommand } from "@aws-sdk/lib-dynamodb";
import { Storage } from "@google-cloud/storage";
import { clientConfig } from "../../commands/support/clients";
import { archiveBucketName, bucketNames, DEAD_LETTER_QUEUE, TABLES } from "../../commands/support/names";
import { countHoldings, eraseTenant, type HoldingReport } from "../../commands/support/tenant-erasure";
import { holdingsOf } from "../../commands/support/tenant-holdings";
import { loadSettings, type Settings } from "../../modules/platform/settings";
import { SETUP_MS } from "../local/scratch";
import { Cloud, COMMAND_MS, messageOf, REGION, send } from "./operations";

// Each run of a command is a process of its own.
jest.setTimeout(COMMAND_MS);

const SETTINGS = loadSettings("local");
const BUCKETS = bucketNames(SETTINGS);
const ARCHIVE = archiveBucketName(SETTINGS);
/** The second one's name begins like the first one's. */
const TENANT = "acme";
const NEIGHBOUR = "acme-2";

let cloud: Cloud;
let dynamo: DynamoDBDocumentClient;
let s3: S3Client;
let sqs: SQSClient;
let secrets: SecretsManagerClient;
let storage: Storage;

beforeAll(async () => {
  cloud = await Cloud.start();
  process.env.STORAGE_EMULATOR_HOST = cloud.google;
  const tables = new DynamoDBClient(cloud.options);
  dynamo = DynamoDBDocumentClient.from(tables);
  s3 = new S3Client(cloud.options);
  sqs = await cloud.createQueues();
  secrets = new SecretsManagerClient(config());
  storage = new Storage({ projectId: SETTINGS.google.project });
  for (const [table, key] of [
    [TABLES.functions, "functionId"],
    [TABLES.jobs, "jobId"],
    [TABLES.apiKeys, "keyHash"],
  ] as const) {
    await tables.send(
      new CreateTableCommand({
        TableName: table,
        BillingMode: "PAY_PER_REQUEST",
        AttributeDefinitions: [{ AttributeName: key, AttributeType: "S" }],
        KeySchema: [{ AttributeName: key, KeyType: "HASH" }],
      }),
    );
  }
  for (const Bucket of Object.values(BUCKETS)) {
    await s3.send(
      new CreateBucketCommand({
        Bucket,
        CreateBucketConfiguration: { LocationConstraint: REGION as BucketLocationConstraint },
      }),
    );
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
  }
  await storage.createBucket(ARCHIVE);
}, SETUP_MS);
afterAll(async () => {
  delete process.env.STORAGE_EMULATOR_HOST;
  await cloud?.stop();
});

function config() {
  return clientConfig(SETTINGS, cloud.env);
}

function jobId(tenant: string, name: string): string {
  return `job_${tenant}-${name}`;
}

async function putObject(Bucket: string, Key: string): Promise<void> {
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: "data" }));
}

/** Leaves something of a tenant in every place. */
async function fill(tenant: string): Promise<void> {
  const put = (TableName: string, Item: object) => dynamo.send(new PutCommand({ TableName, Item }));
  await put(TABLES.apiKeys, { keyHash: `hash of ${tenant}`, tenant });
  await put(TABLES.functions, { functionId: `fn_${tenant}`, tenant, environment: { TOKEN: "a value" } });
  for (const status of ["PENDING", "PROCESSING", "SUCCESS", "FAILED", "CANCELLED"]) {
    const result = { output: "of the user" };
    await put(TABLES.jobs, { jobId: jobId(tenant, status), tenant, status, result, duty: "DELIVER" });
  }
  await put(TABLES.jobs, { jobId: `idem#${tenant}#abc`, forJobId: jobId(tenant, "SUCCESS") });
  await send(sqs, DEAD_LETTER_QUEUE, [messageOf(tenant, jobId(tenant, "PENDING"))]);
  await putObject(BUCKETS.code, `functions/${tenant}/fn_1/1.zip`);
  await putObject(BUCKETS.code, `functions/${tenant}/fn_1/1.zip`);
  await putObject(BUCKETS.code, `inputs/${tenant}/job_1.json`);
  await putObject(BUCKETS.code, `dependencies/${tenant}/fn_1/1.zip`);
  await s3.send(new DeleteObjectCommand({ Bucket: BUCKETS.code, Key: `inputs/${tenant}/job_1.json` }));
  await putObject(BUCKETS.userData, `${tenant}/job_1/result.csv`);
  await s3.send(new CreateMultipartUploadCommand({ Bucket: BUCKETS.userData, Key: `${tenant}/job_2/half.bin` }));
  await secrets.send(new CreateSecretCommand({ Name: `nanogrid/functions/${tenant}/token`, SecretString: "x" }));
  await storage.bucket(ARCHIVE).file(`${tenant}/fn_1/1/code.zip`).save("zip", { resumable: false });
}

async function counts(tenant: string): Promise<Record<string, number | null>> {
  const reports = await countHoldings(holdingsOf(SETTINGS, config(), tenant));
  return Object.fromEntries(reports.map(({ name, found }) => [name, found]));
}

async function erase(tenant: string, settings = SETTINGS, said: string[] = []): Promise<HoldingReport[]> {
  const holdings = holdingsOf(settings, config(), tenant);
  const waits = { keyMs: 0, jobMs: 0 };
  return await eraseTenant(holdings, await countHoldings(holdings), waits, (text) => said.push(text));
}

/** Settings that name an archive which is not there. */
function withArchive(bucketSuffix: string): Settings {
  const { nanogrid } = SETTINGS;
  return { ...SETTINGS, nanogrid: { ...nanogrid, archive: { ...nanogrid.archive, bucketSuffix } } };
}

const EVERYTHING = {
  "API keys": 1,
  "open jobs": 2,
  functions: 1,
  "ended jobs and idempotency keys": 4,
  [`messages in ${DEAD_LETTER_QUEUE}`]: 1,
  [`object versions in ${BUCKETS.code}`]: 5,
  [`object versions in ${BUCKETS.userData}`]: 2,
  "function secrets": 1,
  [`object generations in the archive ${ARCHIVE}`]: 1,
};

test("erase-tenant: a dry run counts everything there is and takes nothing", async () => {
  await fill(TENANT);
  await fill(NEIGHBOUR);

  const { code, stdout } = await cloud.run("erase-tenant", [TENANT, "--dry-run", "--json"]);

  expect(code).toBe(0);
  const { holdings } = JSON.parse(stdout) as { holdings: HoldingReport[] };
  expect(Object.fromEntries(holdings.map(({ name, found }) => [name, found]))).toEqual(EVERYTHING);
  expect(await counts(TENANT)).toEqual(EVERYTHING);
});

test("erase-tenant: without a terminal and --yes nothing is erased, and it says how", async () => {
  const { code, stderr } = await cloud.run("erase-tenant", [TENANT]);

  expect(code).toBe(1);
  expect(stderr).toContain("Nothing was erased.");
  expect(await counts(TENANT)).toEqual(EVERYTHING);
});

test("erase-tenant: where one place cannot be reached, the rest is erased, and running it again goes on", async () => {
  const elsewhere = withArchive("gone");
  const after = await erase(TENANT, elsewhere);

  const [open, ...others] = after.filter(({ left }) => left !== 0);
  expect(others).toEqual([]);
  expect(open).toMatchObject({ name: `object generations in the archive ${ARCHIVE}-gone`, found: null, left: null });
  expect(open?.problem).toContain("✖");

  const again = await erase(TENANT);
  expect(again.filter(({ left, problem }) => left !== 0 || problem !== null)).toEqual([]);
  expect(again.map(({ erased }) => erased)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1]);
});

test("erase-tenant: nothing of the tenant is left in any place, and everything of one with a similar name is", async () => {
  expect(Object.values(await counts(TENANT)).every((count) => count === 0)).toBe(true);
  const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket: BUCKETS.code }));
  const keys = [...Versions, ...DeleteMarkers].map(({ Key = "" }) => Key);
  expect(keys.filter((key) => !key.includes(`/${NEIGHBOUR}/`))).toEqual([]);
  expect(await counts(NEIGHBOUR)).toEqual(EVERYTHING);
});

test("erase-tenant: of jobs whose message may still be in the queue only the id and CANCELLED stay, for as long as messages do", async () => {
  const { Items = [] } = await dynamo.send(new ScanCommand({ TableName: TABLES.jobs }));
  const marks = Items.filter((item) => String(item.jobId).startsWith(`job_${TENANT}-`) && !("tenant" in item));
  const inTwoWeeks = Date.now() / 1_000 + 14 * 24 * 3_600;

  expect(marks.map((item) => item.jobId).sort()).toEqual(
    ["CANCELLED", "PENDING", "PROCESSING"].map((status) => jobId(TENANT, status)),
  );
  for (const mark of marks) {
    expect(mark).toEqual({ jobId: mark.jobId, status: "CANCELLED", expiresAt: expect.any(Number) });
    expect(Math.abs(Number(mark.expiresAt) - inTwoWeeks)).toBeLessThan(600);
  }
});

test("erase-tenant: a job that ends while it is erased is deleted, not marked", async () => {
  const holdings = holdingsOf(SETTINGS, config(), "gamma");
  const Item = { jobId: "job_gamma", tenant: "gamma", status: "PROCESSING" };
  await dynamo.send(new PutCommand({ TableName: TABLES.jobs, Item }));
  const endsFirst = {
    ...holdings,
    keys: {
      name: "keys",
      count: async () => 0,
      erase: async () => {
        await dynamo.send(new PutCommand({ TableName: TABLES.jobs, Item: { ...Item, status: "SUCCESS" } }));
        return 0;
      },
    },
  };

  await eraseTenant(endsFirst, await countHoldings(endsFirst), { keyMs: 0, jobMs: 0 }, () => undefined);

  expect((await dynamo.send(new GetCommand({ TableName: TABLES.jobs, Key: { jobId: "job_gamma" } }))).Item).toBe(
    undefined,
  );
});

test("erase-tenant: keys and open jobs go before anything else is touched", async () => {
  await fill("beta");
  const said: string[] = [];
  await erase("beta", SETTINGS, said);

  const first = (words: string) => said.findIndex((line) => line.startsWith(words));
  expect(first("API keys: 1 of 1")).toBeLessThan(first("waiting 0 s: controllers"));
  expect(first("waiting 0 s: controllers")).toBeLessThan(first("open jobs: 2 of 2"));
  expect(first("open jobs")).toBeLessThan(first("waiting 0 s: workers"));
  expect(first("waiting 0 s: workers")).toBeLessThan(first("functions"));
});

test("erase-tenant: a tenant of whom nothing is left is told at once, with what erasing does not reach", async () => {
  const { code, stdout } = await cloud.run("erase-tenant", ["nobody", "--yes"]);

  expect(code).toBe(0);
  expect(stdout).toMatch(/^API keys +0 +0 +0$/m);
  expect(stdout).toContain("What stays:\n- Redis: results and live logs, at most 24 hours");
});

test("erase-tenant: a name that no tenant can have is refused before anything is looked at", async () => {
  const { code, stderr } = await cloud.run("erase-tenant", ["../acme", "--yes"]);

  expect(code).toBe(1);
  expect(stderr).toContain('The tenant "../acme" cannot exist.');
});

test("erase-tenant: an address of Google's stand-in in a shell for a real environment is refused", () => {
  const real = { ...SETTINGS, standIns: false };

  expect(() => holdingsOf(real, config(), TENANT)).toThrow("STORAGE_EMULATOR_HOST leads to a stand-in");
});
