import {
  type AutoScalingClient,
  DescribeAutoScalingGroupsCommand,
  PutScalingPolicyCommand,
  SetInstanceProtectionCommand,
} from "@aws-sdk/client-auto-scaling";
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  PutLogEventsCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import { Group } from "../../commands/support/group";
import { type LogLine, tailLogs } from "../../commands/support/logs";
import { QUEUE, WORKERS } from "../../commands/support/names";
import { SETUP_MS } from "../local/scratch";
import { until } from "../support/servers";
import { ACCOUNT, Cloud, COMMAND_MS, messageOf, REGION, send } from "./operations";

// Each run of a command is a process of its own.
jest.setTimeout(COMMAND_MS);

const JOB = "job_01JD8Q4YB3R6Z7K2M5N8P0QWES";
const OTHER_JOB = "job_01JD8Q4YB3R6Z7K2M5N8P0QWET";

let cloud: Cloud;
let scaling: AutoScalingClient;

beforeAll(async () => {
  cloud = await Cloud.start();
  const sqs = await cloud.createQueues();
  await send(sqs, QUEUE, [messageOf("acme", JOB), messageOf("acme", OTHER_JOB)]);
  scaling = await cloud.createGroup(WORKERS, { min: 2, desired: 2, max: 5 });
  const policy = { AutoScalingGroupName: WORKERS.group, PolicyType: "SimpleScaling", Cooldown: 300 };
  const change = { AdjustmentType: "ChangeInCapacity", ScalingAdjustment: -1 };
  await scaling.send(new PutScalingPolicyCommand({ ...policy, ...change, PolicyName: "remove-one" }));
}, SETUP_MS);
afterAll(() => cloud?.stop());

async function desired(): Promise<number | undefined> {
  const { AutoScalingGroups = [] } = await scaling.send(new DescribeAutoScalingGroupsCommand({}));
  return AutoScalingGroups[0]?.DesiredCapacity;
}

async function instanceIds(): Promise<string[]> {
  return (await new Group(scaling, WORKERS).status()).instances.map(({ id }) => id);
}

test("workers status: prints the group's numbers, each instance, which of them are protected, and the queue", async () => {
  const [busy = ""] = await instanceIds();
  const protection = { AutoScalingGroupName: WORKERS.group, InstanceIds: [busy], ProtectedFromScaleIn: true };
  await scaling.send(new SetInstanceProtectionCommand(protection));

  const { code, stdout, stderr } = await cloud.run("workers", ["status"]);

  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("nanogrid-worker-asg: min 2, desired 2, max 5, in service 2\n");
  expect(stdout).toMatch(new RegExp(`^${busy} +${REGION}[ac] +Healthy +InService +yes$`, "m"));
  expect(stdout).toMatch(/^i-\w+ +\S+ +Healthy +InService +no$/m);
  expect(stdout).toContain("nanogrid-task-queue: 2 wait, 0 with workers, 0 delayed, oldest not known, 0 dead letters");
});

test("workers status: --json prints the same for programs", async () => {
  const { stdout } = await cloud.run("workers", ["status", "--json"]);

  expect(JSON.parse(stdout)).toMatchObject({
    group: { group: "nanogrid-worker-asg", min: 2, desired: 2, max: 5, inService: 2, suspended: [], refresh: null },
    queue: { visible: 2, inFlight: 0, delayed: 0, oldestSeconds: null, deadLetters: 0 },
  });
});

test("workers scale: sets the desired number, and says what the group's policies do with it", async () => {
  const { code, stdout } = await cloud.run("workers", ["scale", "4"]);

  expect(code).toBe(0);
  expect(await desired()).toBe(4);
  expect(stdout).toBe(
    "nanogrid-worker-asg: desired 2 → 4. Scaling goes on from there:\n" +
      "- remove-one: removes 1 at a time, with 300 s of rest after each.\n",
  );
  await cloud.run("workers", ["scale", "2"]);
});

test.each([
  ["6", "6 is above the maximum of nanogrid-worker-asg (5).", "change nanogrid.workers.max in cdktf.json"],
  ["1", "1 is below the minimum of nanogrid-worker-asg (2).", "change nanogrid.workers.min in cdktf.json"],
  ["two", "value 'two' is invalid for argument 'number'", "Expected a whole number of at least 0."],
])("workers scale: %s is refused with the limit and the remedy, and changes nothing", async (wanted, what, remedy) => {
  const { code, stderr } = await cloud.run("workers", ["scale", wanted]);

  expect(code).toBe(1);
  expect(stderr).toContain(what);
  expect(stderr).toContain(remedy);
  expect(await desired()).toBe(2);
});

test("workers refresh: replaces every instance and follows it to its end", async () => {
  const before = await instanceIds();

  const { code, stdout } = await cloud.run("workers", ["refresh", "--watch"]);

  expect(code).toBe(0);
  expect(stdout).toMatch(/^refresh \S+: Successful, 100 %, 0 to replace$/m);
  const after = await instanceIds();
  expect(after).toHaveLength(2);
  expect(after.filter((id) => before.includes(id))).toEqual([]);
});

test("workers: credentials of another account are refused before anything is looked at", async () => {
  const { code, stderr } = await cloud.run("workers", ["scale", "3"], { ENVIRONMENT: "dev" });

  expect(code).toBe(1);
  expect(stderr).toMatch(new RegExp(`Environment "dev" lives in AWS account 0{12}, and .* is of account ${ACCOUNT}`));
  expect(await desired()).toBe(2);
});

test("workers: an environment without a deployment is told to deploy", async () => {
  const empty = await Cloud.start();
  try {
    const { code, stderr } = await empty.run("workers", ["refresh"]);
    expect(code).toBe(1);
    expect(stderr).toContain("There is no auto-scaling group nanogrid-worker-asg in this account and region.");
    expect(stderr).toContain("Deploy nanogrid-workers, or choose another ENVIRONMENT.");
  } finally {
    await empty.stop();
  }
});

describe("workers logs", () => {
  let logs: CloudWatchLogsClient;

  async function write(instance: string, ...messages: string[]): Promise<void> {
    const logEvents = messages.map((message) => ({ timestamp: Date.now(), message }));
    const names = { logGroupName: WORKERS.logGroup, logStreamName: instance };
    await logs.send(new PutLogEventsCommand({ ...names, logEvents }));
  }

  beforeAll(async () => {
    logs = new CloudWatchLogsClient(cloud.options);
    await logs.send(new CreateLogGroupCommand({ logGroupName: WORKERS.logGroup }));
    for (const instance of ["i-1", "i-2"]) {
      await logs.send(new CreateLogStreamCommand({ logGroupName: WORKERS.logGroup, logStreamName: instance }));
    }
    await write("i-1", `{"event":"job started","job_id":"${JOB}"}`);
    await write("i-2", `{"event":"job started","job_id":"${OTHER_JOB}"}`, '{"event":"worker.heartbeat"}');
  });

  test("prints each line with its time and instance", async () => {
    const { code, stdout } = await cloud.run("workers", ["logs", "--since", "5m"]);

    expect(code).toBe(0);
    expect(stdout.trim().split("\n")).toHaveLength(3);
    expect(stdout).toMatch(/^\d{4}-\d\d-\d\dT\S+Z {2}i-2 {2}\{"event":"worker.heartbeat"\}$/m);
  });

  test("--job leaves only the lines of that job", async () => {
    const { stdout } = await cloud.run("workers", ["logs", "--job", JOB, "--json"]);

    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([{ time: expect.any(String), instance: "i-1", message: `{"event":"job started","job_id":"${JOB}"}` }]);
  });

  test.each([
    [["--job", "7"], "--job 7: expected the id of a job"],
    [["--since", "yesterday"], "such as 90s, 10m, 2h or 1d"],
  ])("%j is refused with what was expected", async (args, message) => {
    const { code, stderr } = await cloud.run("workers", ["logs", ...args]);

    expect(code).toBe(1);
    expect(stderr).toContain(message);
  });

  test("follows: lines come as they are written, each once", async () => {
    const stop = new AbortController();
    const lines: LogLine[] = [];
    const options = { client: logs, program: WORKERS, sinceMs: Date.now(), pollMs: 50, follow: stop.signal };
    const following = tailLogs({ ...options, take: (line) => lines.push(line) });
    await write("i-1", "first");
    await until("the first line is there", () => lines.length > 0);
    await write("i-2", "second", "third");
    await until("the others are there", () => lines.length >= 3);
    stop.abort();
    await following;

    expect(lines.map(({ message }) => message)).toEqual(["first", "second", "third"]);
  });
});
