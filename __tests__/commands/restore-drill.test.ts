import {
  CreateTableCommand,
  DynamoDBClient,
  ListTablesCommand,
  UpdateContinuousBackupsCommand,
} from "@aws-sdk/client-dynamodb";
import {
  type BucketLocationConstraint,
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { DeleteCommand, DynamoDBDocumentClient, PutCommand, ScanCommand } from "@aws-sdk/lib-dynamodb";
import { type Bucket, Storage } from "@google-cloud/storage";
import { strToU8, zipSync } from "fflate";
import { Drill } from "../../commands/support/drills/drill";
import { drillTable } from "../../commands/support/drills/table-drill";
import { archiveBucketName, bucketNames, TABLES } from "../../commands/support/names";
import { loadSettings } from "../../modules/platform/settings";
import { SETUP_MS } from "../local/scratch";
import { type Controller, World } from "../userdata/controller/world";
import { Cloud, COMMAND_MS, REGION } from "./operations";

// Each run of a command is a process of its own.
jest.setTimeout(COMMAND_MS);

const SETTINGS = loadSettings("local");
const CODE_BUCKET = bucketNames(SETTINGS).code;
const UNVERSIONED = "nanogrid-plain-bucket";

let cloud: Cloud;
let tables: DynamoDBClient;
let items: DynamoDBDocumentClient;
let s3: S3Client;

beforeAll(async () => {
  cloud = await Cloud.start();
  tables = new DynamoDBClient(cloud.options);
  items = DynamoDBDocumentClient.from(tables);
  s3 = new S3Client(cloud.options);
  await createTable(TABLES.functions, true);
  for (let index = 0; index < 250; index++) {
    await items.send(new PutCommand({ TableName: TABLES.functions, Item: itemOf(index) }));
  }
  for (const Bucket of [CODE_BUCKET, UNVERSIONED]) {
    await s3.send(
      new CreateBucketCommand({
        Bucket,
        CreateBucketConfiguration: { LocationConstraint: REGION as BucketLocationConstraint },
      }),
    );
  }
  await s3.send(
    new PutBucketVersioningCommand({ Bucket: CODE_BUCKET, VersioningConfiguration: { Status: "Enabled" } }),
  );
  await s3.send(new PutObjectCommand({ Bucket: CODE_BUCKET, Key: "functions/acme/fn/1.zip", Body: "of a user" }));
}, SETUP_MS);
afterAll(() => cloud?.stop());

async function createTable(TableName: string, recovery: boolean): Promise<void> {
  await tables.send(
    new CreateTableCommand({
      TableName,
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: ["functionId", "tenant"].map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
      KeySchema: [{ AttributeName: "functionId", KeyType: "HASH" }],
      GlobalSecondaryIndexes: [
        {
          IndexName: "by-tenant",
          KeySchema: [{ AttributeName: "tenant", KeyType: "HASH" }],
          Projection: { ProjectionType: "ALL" },
        },
      ],
    }),
  );
  if (recovery) {
    const PointInTimeRecoverySpecification = { PointInTimeRecoveryEnabled: true };
    await tables.send(new UpdateContinuousBackupsCommand({ TableName, PointInTimeRecoverySpecification }));
  }
}

function itemOf(index: number) {
  return { functionId: `fn_${index}`, tenant: "acme", limits: { memory: index }, tags: ["a", "b"] };
}

async function tableNames(): Promise<string[]> {
  return ((await tables.send(new ListTablesCommand({}))).TableNames ?? []).sort();
}

async function empty(TableName: string): Promise<void> {
  const { Items = [] } = await items.send(new ScanCommand({ TableName }));
  expect(Items).toHaveLength(250);
  for (const { functionId } of Items) {
    await items.send(new DeleteCommand({ TableName, Key: { functionId } }));
  }
}

describe("restore-drill table", () => {
  test("restores it beside the original, finds every item again, and leaves nothing behind", async () => {
    const before = await tableNames();

    const { code, stdout, stderr } = await cloud.run("restore-drill", ["table", "--json"]);

    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      table: "NanoGridFunctions",
      ...{ compared: 250, same: 250, changed: 0, missing: 0 },
      steps: expect.arrayContaining([{ what: "held against the original", seconds: expect.any(Number) }]),
    });
    expect(stderr).toMatch(/^✔ restored to \S+ into NanoGridFunctions-restore-drill-\S+ \[\d+\.\d s\]$/m);
    expect(stderr).toMatch(/^✔ NanoGridFunctions-restore-drill-\S+ deleted \[\d+\.\d s\]$/m);
    expect(await tableNames()).toEqual(before);
    expect((await items.send(new ScanCommand({ TableName: TABLES.functions, Select: "COUNT" }))).Count).toBe(250);
  });

  test("a restored table without the items fails the drill, and is deleted all the same", async () => {
    const before = await tableNames();
    // Somebody empties the restored table the moment that it is there.
    const drill = new Drill(async (said) => {
      const [, name] = /^✔ restored to \S+ into (\S+)/.exec(said) ?? [];
      await (name ? empty(name) : undefined);
    }, new AbortController().signal);

    await expect(drillTable(drill, { tables, items, table: TABLES.functions, sample: 50, pollMs: 10 })).rejects.toThrow(
      "Of 50 items of NanoGridFunctions, 50 are not in the restored table.",
    );
    expect(await tableNames()).toEqual(before);
  });

  test("a drill refuses to touch what is not its own", () => {
    const drill = new Drill(() => undefined, new AbortController().signal);

    expect(() => drill.own(TABLES.functions)).toThrow(/NanoGridFunctions is not of this drill/);
    expect(drill.own(`${TABLES.functions}-${drill.mark}`)).toContain("restore-drill-");
  });

  test.each([
    [["NanoGridNothing"], "There is no table NanoGridNothing in this account and region."],
    [["NanoGridUnprotected"], "NanoGridUnprotected has no point-in-time recovery"],
    [["NanoGridFunctions", "--at", "2020-01-01T00:00:00Z"], "--at 2020-01-01T00:00:00.000Z: NanoGridFunctions can be"],
    [["NanoGridFunctions", "--at", "yesterday"], "Expected a time such as"],
  ])("%j is refused with a reason", async (args, message) => {
    if (!(await tableNames()).includes("NanoGridUnprotected")) {
      await createTable("NanoGridUnprotected", false);
    }
    const before = await tableNames();

    const { code, stderr } = await cloud.run("restore-drill", ["table", ...args]);

    expect(code).toBe(1);
    expect(stderr).toContain(message);
    expect(await tableNames()).toEqual(before);
  });
});

describe("restore-drill bucket", () => {
  test("brings its own object back twice, and leaves neither version nor delete marker", async () => {
    const { code, stdout, stderr } = await cloud.run("restore-drill", ["bucket"]);

    expect(code).toBe(0);
    expect(stderr).toContain("✔ brought back by removing its delete marker");
    expect(stderr).toContain("✔ brought back to the version before");
    expect(stdout).toMatch(/^versions: 3$/m);
    const left = await s3.send(new ListObjectVersionsCommand({ Bucket: CODE_BUCKET }));
    expect([left.Versions?.map(({ Key }) => Key), left.DeleteMarkers]).toEqual([
      ["functions/acme/fn/1.zip"],
      undefined,
    ]);
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: CODE_BUCKET, Key: "functions/acme/fn/1.zip" }));
    expect(await Body?.transformToString()).toBe("of a user");
  });

  test.each([
    [UNVERSIONED, `${UNVERSIONED} keeps no versions (versioning is off)`],
    ["nanogrid-no-bucket", "There is no bucket nanogrid-no-bucket."],
  ])("%s is refused with a reason", async (bucket, message) => {
    const { code, stderr } = await cloud.run("restore-drill", ["bucket", bucket]);

    expect(code).toBe(1);
    expect(stderr).toContain(message);
  });
});

describe("restore-drill archive", () => {
  const FUNCTION = "fn_01JD8Q4YB3R6Z7K2M5N8P0QWER";
  let world: World;
  let controller: Controller;
  let bucket: Bucket;

  beforeAll(async () => {
    world = await World.create();
    controller = await world.controller();
    process.env.STORAGE_EMULATOR_HOST = cloud.google;
    const storage = new Storage({ projectId: SETTINGS.google.project });
    await storage.createBucket(archiveBucketName(SETTINGS));
    bucket = storage.bucket(archiveBucketName(SETTINGS));
  }, SETUP_MS);
  afterAll(async () => {
    delete process.env.STORAGE_EMULATOR_HOST;
    await world?.close();
  });

  /** Archives a version as workers do: its code, and a manifest of a job. */
  async function archive(tenant: string, version: number, manifest: object = {}): Promise<void> {
    const folder = `${tenant}/${FUNCTION}/${version}`;
    const zip = zipSync({ "main.py": strToU8("def handler(event):\n    return event\n") });
    await bucket.file(`${folder}/code.zip`).save(Buffer.from(zip), { resumable: false });
    const job = { job_id: "job_01JD8Q4YB3R6Z7K2M5N8P0QWES", status: "SUCCESS", function_id: FUNCTION };
    const document = JSON.stringify({ ...job, function_version: version, ...manifest });
    await bucket.file(`${folder}/${job.job_id}.json`).save(document, { resumable: false });
  }

  function drill(args: readonly string[] = []) {
    const service = { NANOGRID_URL: controller.url, NANOGRID_API_KEY: world.key };
    return cloud.run("restore-drill", ["archive", ...args], service);
  }

  test("brings archived code back into the service, byte for byte, and removes the function again", async () => {
    await archive("default", 1);

    const { code, stdout, stderr } = await drill();

    expect([code, stderr]).toEqual([0, expect.stringContaining("✔ read from the service, byte for byte")]);
    expect(stdout).toMatch(/^jobId: job_01JD8Q4YB3R6Z7K2M5N8P0QWES$/m);
    expect(stdout).toMatch(/^runtime: python$/m);
    expect(stdout).toMatch(/^Restored, compared and cleaned up in \d+\.\d s\.$/m);
    const { body } = await controller.call("GET", "/v1/functions");
    expect(body.items).toEqual([]);
    expect((await bucket.getFiles())[0]).toHaveLength(2);
  });

  test.each([
    [["--tenant", "nobody"], "has no code below nobody/"],
    [["--handler", "other.handler"], 'has no module "other"'],
  ])("%j is refused with a reason", async (args, message) => {
    const { code, stderr } = await drill(args);

    expect(code).toBe(1);
    expect(stderr).toContain(message);
  });

  test("a manifest of another function fails the drill before anything is made", async () => {
    await archive("other", 7, { function_version: 8 });

    const { code, stderr } = await drill(["--tenant", "other"]);

    expect(code).toBe(1);
    expect(stderr).toContain(`is no manifest of ${FUNCTION}, version 7.`);
    expect((await controller.call("GET", "/v1/functions")).body.items).toEqual([]);
  });
});
