/** `npm run state`, with the states in a bucket of the AWS stand-in as Terraform writes them. */
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { stateKey } from "../../commands/support/state-bucket";
import { loadSettings } from "../../modules/platform/settings";
import { SETUP_MS } from "../local/scratch";
import { Cloud, COMMAND_MS } from "./operations";

const settings = loadSettings("local");
const Bucket = settings.state.bucket;
const LOCK = { ID: "0f2a6bb2", Operation: "OperationTypeApply", Who: "me@there", Created: "2026-01-02T03:04:05Z" };

let cloud: Cloud;
let s3: S3Client;

beforeAll(async () => {
  cloud = await Cloud.start();
  s3 = new S3Client(cloud.options);
}, SETUP_MS);
afterAll(async () => {
  s3?.destroy();
  await cloud?.stop();
});
beforeEach(async () => {
  await fetch(`${cloud.endpoint}/moto-api/reset`, { method: "POST" });
  await s3.send(
    new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: "ap-northeast-2" } }),
  );
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
});

/** A state with a queue for each name, a secret in one of them, and a secret output. */
function state(serial: number, queues: readonly string[], lineage = "line"): string {
  const attributes = (name: string) => ({
    id: `id-${name}`,
    policy: "hunter2",
    auth_token: "hunter2",
    tags: { name },
    empty: null,
  });
  const sensitive_attributes = [[{ type: "get_attr", value: "policy" }]];
  return JSON.stringify({
    ...{ version: 4, terraform_version: "1.11.4", serial, lineage, check_results: null },
    outputs: {
      url: { value: "https://queue", type: "string" },
      key: { value: "hunter2", type: "string", sensitive: true },
    },
    resources: queues.map((name) => ({
      ...{ mode: "managed", type: "aws_sqs_queue", name, provider: 'provider["registry.terraform.io/hashicorp/aws"]' },
      instances: [{ schema_version: 0, attributes: attributes(name), sensitive_attributes }],
    })),
  });
}

async function put(stack: string, Body: string, suffix = ""): Promise<string> {
  const { VersionId = "" } = await s3.send(
    new PutObjectCommand({ Bucket, Key: `${stateKey(settings, stack)}${suffix}`, Body }),
  );
  return VersionId;
}

async function json(...args: string[]): Promise<unknown> {
  const { code, stderr, stdout } = await cloud.run("state", [...args, "--json"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

test(
  "state: every state with its resources, serial and lock, and one that is damaged says so",
  async () => {
    await put("data", state(7, ["queue", "letters"]));
    await put("data", JSON.stringify(LOCK), ".tflock");
    await put("workers", "{ broken");

    const { stdout } = await cloud.run("state", []);

    expect(stdout).toMatch(/^ {2}state +last change +locked +resources +outputs +serial\n {2}─/);
    expect(stdout).toMatch(/^ {2}data +\S+Z +by me@there \(OperationTypeApply\) since 2026-01-02T03:04:05Z +2 +2 +7$/m);
    expect(stdout).toMatch(/^ {2}workers +\S+Z +damaged$/m);
  },
  COMMAND_MS,
);

test(
  "state: a stack's addresses and outputs, and one resource's attributes, without a secret",
  async () => {
    await put("data", state(7, ["queue", "letters"]));

    const listed = await cloud.run("state", ["data"]);
    expect(listed.stdout).toBe(
      'aws_sqs_queue.letters  id-letters\naws_sqs_queue.queue    id-queue\n\nurl  "https://queue"\nkey  "(sensitive)"\n',
    );
    const { stdout } = await cloud.run("state", ["data", "aws_sqs_queue.q"]);
    expect(stdout).toMatch(/^aws_sqs_queue\.queue\n {2}id +"id-queue"\n {2}policy +"\(sensitive\)"\n/);
    expect(stdout).toMatch(/ {2}auth_token +"\(sensitive\)"\n {2}tags +\{"name":"queue"\}\n$/);
    expect(JSON.stringify([await json(), await json("data"), await json("data", "aws_sqs_queue")])).not.toContain(
      "hunter2",
    );
    expect((await cloud.run("state", ["data", "aws_vpc"])).stderr).toMatch(/data has no resource aws_vpc/);
    expect((await cloud.run("state", ["nope"])).stderr).toMatch(/nope has no state in environment "local"/);
  },
  COMMAND_MS * 2,
);

test(
  "state: an earlier version becomes the present one, newer than all that were written, also after a deletion",
  async () => {
    const good = await put("data", state(7, ["queue", "letters"]));
    await put("data", state(9, ["queue"]));
    await s3.send(new DeleteObjectCommand({ Bucket, Key: stateKey(settings, "data") }));
    expect(await json("versions", "data")).toMatchObject([
      { deleted: true, latest: true },
      { serial: 9 },
      { serial: 7 },
    ]);

    const { stdout } = await cloud.run("state", ["restore", "data", "--version", good, "--yes"]);

    expect(stdout).toMatch(/^The state of data has serial 10 and 2 resources\. .*npm run diff -- data$/m);
    expect(await json()).toMatchObject([{ stack: "data", serial: 10, resources: 2 }]);
  },
  COMMAND_MS * 2,
);

test(
  "state: nothing is restored over a lock, without an answer, or from a version that is none",
  async () => {
    const damaged = await put("data", "{ broken");
    const good = await put("data", state(7, ["queue"]));

    const unasked = await cloud.run("state", ["restore", "data", "--version", good]);
    expect(unasked).toMatchObject({ code: 1, stderr: expect.stringContaining("Nothing was restored.") });
    const wrong = await cloud.run("state", ["restore", "data", "--version", damaged, "--yes"]);
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining("data has no state in a version") });
    await put("data", JSON.stringify(LOCK), ".tflock");
    const locked = await cloud.run("state", ["restore", "data", "--version", good, "--yes"]);
    expect(locked).toMatchObject({ code: 1, stderr: expect.stringContaining("is locked by me@there") });
    expect(await json()).toMatchObject([{ serial: 7, lock: { ID: LOCK.ID } }]);
  },
  COMMAND_MS * 2,
);

test(
  "state: a lock is freed by its ID only",
  async () => {
    await put("data", state(7, ["queue"]));
    await put("data", JSON.stringify(LOCK), ".tflock");

    const other = await cloud.run("state", ["unlock", "data", "--id", "other", "--yes"]);
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining(`has the ID ${LOCK.ID}`) });
    expect((await cloud.run("state", ["unlock", "data", "--id", LOCK.ID, "--yes"])).code).toBe(0);
    expect(await json()).toEqual([expect.not.objectContaining({ lock: expect.anything() })]);
  },
  COMMAND_MS * 2,
);
