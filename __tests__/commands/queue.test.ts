import { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { DeleteQueueCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { clientConfig } from "../../commands/support/clients";
import { DEAD_LETTER_QUEUE, QUEUE } from "../../commands/support/names";
import { peekDeadLetters, queueUrl } from "../../commands/support/queue";
import { loadSettings } from "../../modules/platform/settings";
import { SETUP_MS } from "../local/scratch";
import { Cloud, COMMAND_MS, messageOf, send, startMessageMoves, visible } from "./operations";

// Each run of a command is a process of its own.
jest.setTimeout(COMMAND_MS);

const JOBS = Array.from({ length: 25 }, (_, index) => `job_01JD8Q4YB3R6Z7K2M5N8P0QW${String(index).padStart(2, "0")}`);

let cloud: Cloud;
let moves: Awaited<ReturnType<typeof startMessageMoves>>;
let sqs: SQSClient;

beforeAll(async () => {
  cloud = await Cloud.start();
  sqs = await cloud.createQueues();
  moves = await startMessageMoves(cloud);
}, SETUP_MS);
afterAll(async () => {
  await moves?.stop();
  await cloud?.stop();
});
afterEach(async () => {
  for (const name of [QUEUE, DEAD_LETTER_QUEUE]) {
    await sqs.send(new DeleteQueueCommand({ QueueUrl: await queueUrl(sqs, name) }));
  }
  await cloud.createQueues();
});

function bodies(count: number): string[] {
  return JOBS.slice(0, count).map((id) => messageOf("acme", id));
}

function withMoves(args: readonly string[]) {
  return cloud.run("queue", args, { AWS_ENDPOINT_URL: moves.endpoint });
}

test("queue status: counts what waits and what is dead", async () => {
  await send(sqs, QUEUE, bodies(3));
  await send(sqs, DEAD_LETTER_QUEUE, bodies(1));

  const { code, stdout } = await cloud.run("queue", ["status", "--json"]);

  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ visible: 3, inFlight: 0, delayed: 0, oldestSeconds: null, deadLetters: 1 });
});

test("queue status: says the age of the oldest message where CloudWatch knows it", async () => {
  const cloudWatch = new CloudWatchClient(clientConfig(loadSettings("local"), cloud.env));
  await cloudWatch.send(
    new PutMetricDataCommand({
      Namespace: "AWS/SQS",
      MetricData: [
        {
          MetricName: "ApproximateAgeOfOldestMessage",
          Dimensions: [{ Name: "QueueName", Value: QUEUE }],
          Timestamp: new Date(Date.now() - 60_000),
          Value: 431,
        },
      ],
    }),
  );

  const { stdout } = await cloud.run("queue", ["status"]);

  expect(stdout).toContain("oldest 431 s");
});

test("queue peek: shows whose the dead letters are, nothing of the user's, and leaves them to be received", async () => {
  await send(sqs, DEAD_LETTER_QUEUE, [...bodies(1), "not even JSON"]);

  const { code, stdout } = await cloud.run("queue", ["peek"]);

  expect(code).toBe(0);
  expect(stdout).toMatch(
    new RegExp(`^${JOBS[0]} +acme +fn_01JD8Q4YB3R6Z7K2M5N8P0QWER +run +2026-01-02T03:04:05.678Z +\\d$`, "m"),
  );
  expect(stdout).toMatch(/^\(not a job: message \S+\)/m);
  expect(stdout).not.toContain("password");
  expect(await visible(sqs, DEAD_LETTER_QUEUE)).toBe(2);
});

test("queue peek: --show-input shows the input too", async () => {
  await send(sqs, DEAD_LETTER_QUEUE, bodies(1));

  const { stdout } = await cloud.run("queue", ["peek", "--show-input", "--json"]);

  expect(JSON.parse(stdout)).toMatchObject([{ jobId: JOBS[0], input: { password: "of the user" } }]);
});

test("queue peek: finds more than one call of SQS gives, each once, and no more than was asked for", async () => {
  await send(sqs, DEAD_LETTER_QUEUE, bodies(25));

  const all = await peekDeadLetters(sqs, 100, false);
  const some = await peekDeadLetters(sqs, 12, false);

  expect(all.map(({ jobId }) => jobId).sort()).toEqual(JOBS);
  expect(new Set(some.map(({ jobId }) => jobId)).size).toBe(12);
  expect(await visible(sqs, DEAD_LETTER_QUEUE)).toBe(25);
});

test("queue redrive: without a terminal and --yes nothing is sent back, and it says how", async () => {
  await send(sqs, DEAD_LETTER_QUEUE, bodies(2));

  const { code, stderr } = await withMoves(["redrive"]);

  expect(code).toBe(1);
  expect(stderr).toContain("Nothing was sent back.");
  expect(stderr).toContain("--yes");
  expect(await visible(sqs, DEAD_LETTER_QUEUE)).toBe(2);
});

test("queue redrive: sends every dead letter back to the queue", async () => {
  await send(sqs, DEAD_LETTER_QUEUE, bodies(2));

  const { code, stdout } = await withMoves(["redrive", "--yes", "--watch"]);

  expect([code, stdout]).toEqual([0, "redrive: COMPLETED, 2 of 2 moved\n"]);
  expect(await visible(sqs, DEAD_LETTER_QUEUE)).toBe(0);
  expect(await visible(sqs, QUEUE)).toBe(2);
});

test("queue redrive: without dead letters there is nothing to do", async () => {
  const { code, stdout } = await withMoves(["redrive", "--yes"]);

  expect([code, stdout]).toEqual([0, "There are no dead letters to send back.\n"]);
});

test.each(["queue", "workers", "controllers", "erase-tenant"])("%s --help says what it does", async (command) => {
  const { code, stdout } = await cloud.run(command, ["--help"]);

  expect(code).toBe(0);
  expect(stdout).toContain(`Usage: npm run ${command} --`);
});
