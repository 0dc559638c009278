/**
 * Every permission of every role is needed, and enough: the programs do all that they do with AWS while each of their requests is judged
 * by the policies that the stacks emit; then every action of every statement, on each of its resources, is taken away once, and something
 * that was done has to be refused.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { AutoScalingClient, TerminateInstanceInAutoScalingGroupCommand } from "@aws-sdk/client-auto-scaling";
import { DeleteObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { gridMissing, type Program } from "../support/grid";
import { until } from "../support/servers";
import { describeUnless } from "../support/tools";
import { fetchArtifact, pullImages, readArchiveSecret } from "./boot";
import { localGrants } from "./local-grants";
import { refusals } from "./refusals";
import { CONTROLLER_ROLE, PACKAGE, WORKER_ROLE, World } from "./world";

const START_MS = 900_000;
const SCENARIO_MS = 120_000;
/** Longer than the worker's pause between two heartbeats of its termination hook. */
const LEAVING_SECONDS = 75;

const SLEEP = "import time\n\n\ndef handler(event):\n    time.sleep(event)\n    return event\n";
const ALL_AT_ONCE = `import os, pathlib
def handler(event):
    pathlib.Path("/output/answer.txt").write_text("42")
    return [len(event["text"]), os.environ["TOKEN"]]
`;
/** More than travels in a message, however well it is packed. */
const LARGE = `# ${randomBytes(48 * 1024).toString("base64")}\n`;

jest.setTimeout(SCENARIO_MS);

// Denoise's are shown in denoise.test.ts.
const { out, emitted, grants, shown, excepted, remove } = localGrants(
  (stack) => !/^(denoise|inference|ml|music)-/.test(stack),
);
afterAll(remove);

describeUnless(gridMissing())("permissions", () => {
  let world: World;
  let controller: Program;
  let leaving: Program;
  let worker: Program;

  beforeAll(async () => {
    world = await World.start(emitted);
    controller = await world.controller();
  }, START_MS);
  afterAll(() => world?.stop());

  const logged = (program: Program, event: string) => program.records().filter((record) => record.event === event);
  const create = (code: string, fields: object = {}) => world.grid.createFunction(controller.url, code, fields);
  const start = (functionId: string, input: unknown, headers = {}) =>
    world.grid.invokeAsync(controller.url, functionId, input, headers);
  const result = (jobId: string) => world.grid.result(controller.url, jobId, SCENARIO_MS);
  const invoke = async (functionId: string, input: unknown) => result(await start(functionId, input));
  const request = (method: string, path: string, json?: unknown, headers = {}, url = controller.url) =>
    fetch(`${url}${path}`, {
      method,
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      headers: { authorization: `Bearer ${world.grid.key}`, "content-type": "application/json", ...headers },
      signal: AbortSignal.timeout(60_000),
    });
  const statusOf = async (...asked: Parameters<typeof request>) => {
    const answer = await request(...asked);
    await answer.arrayBuffer();
    return answer.status;
  };
  const fileOf = (jobId: string) => `/v1/jobs/${jobId}/files/answer.txt`;

  describe("what the programs do with AWS is allowed", () => {
    test("boot: each instance fetches its program, a worker its images and the archive's configuration too", async () => {
      expect(await fetchArtifact(world, out, "nanogrid-controllers", CONTROLLER_ROLE)).toContain("controllers");
      expect(await fetchArtifact(world, out, "nanogrid-workers", WORKER_ROLE)).toContain("workers");
      const pulled = grants.filter(({ role, action }) => role === WORKER_ROLE && action === "ecr:BatchGetImage");
      const repositories = pulled.map(({ resource }) => resource.split(":repository/")[1] ?? "");
      expect(await pullImages(world, WORKER_ROLE, repositories)).toEqual(
        repositories.map(() => expect.stringMatching(/^sha256:/)),
      );
      expect(await readArchiveSecret(world, WORKER_ROLE)).toBe("the secret's value");
    });

    test("a worker takes its place in the group, is told to leave, and holds the hook while its job runs", async () => {
      leaving = await world.worker(world.inGroup);
      await start(await create(SLEEP), LEAVING_SECONDS);
      await until("the group protects the worker", () => logged(leaving, "the group was told").length > 0, SCENARIO_MS);
      const groups = new AutoScalingClient(world.options());
      const leave = { InstanceId: world.instanceId, ShouldDecrementDesiredCapacity: true };
      await groups.send(new TerminateInstanceInAutoScalingGroupCommand(leave));
      world.metadata.lifecycleState = "Terminated";
      await until("the worker drains", () => logged(leaving, "draining").length > 0, SCENARIO_MS);
    });

    test("a job whose worker died after its message had left the queue is queued again by another worker", async () => {
      const doomed = await world.worker({ HAND_OVER_AFTER_S: "1" });
      const jobId = await start(await create(SLEEP), 6);
      await until(
        "the job is handed over",
        () => logged(doomed, "job handed over to its lease").length > 0,
        SCENARIO_MS,
      );
      await doomed.kill();
      worker = await world.worker({ CALLBACK_ALLOWED_CIDRS: "127.0.0.0/8,::1/128" });
      expect(await result(jobId)).toMatchObject({ status: "SUCCESS", output: 6 });
    });

    test("a run has its large code and input, its secret, and leaves a file, which is downloaded", async () => {
      const functionId = await create(LARGE + ALL_AT_ONCE, { secrets: { TOKEN: "token" } });
      const done = await invoke(functionId, { text: "x".repeat(200 * 1024) });
      expect(done).toMatchObject({ status: "SUCCESS", output: [200 * 1024, "the secret's value"] });
      expect(await (await request("GET", fileOf(done.job_id))).text()).toBe("42");
    });

    test("a file that was deleted is not found, which is no failure of the service", async () => {
      const functionId = await create(ALL_AT_ONCE, { secrets: { TOKEN: "token" } });
      const { job_id } = await invoke(functionId, { text: "" });
      const Key = `default/${job_id}/answer.txt`;
      await new S3Client(world.options()).send(
        new DeleteObjectCommand({ Bucket: world.grid.values.user_data_bucket, Key }),
      );
      expect(await statusOf("GET", fileOf(job_id))).toBe(404);
    });

    test("dependencies are resolved once and stored, and another worker runs with them", async () => {
      const code = `import ${PACKAGE}\ndef handler(event):\n    return ${PACKAGE}.ANSWER\n`;
      const functionId = await create(code, { dependencies: `${PACKAGE}==1.0\n` });
      expect(await invoke(functionId, null)).toMatchObject({ output: 42 });
      await worker.stop();
      worker = await world.worker({ CALLBACK_ALLOWED_CIDRS: "127.0.0.0/8,::1/128" });
      expect(await invoke(functionId, null)).toMatchObject({ output: 42 });
    });

    test("a job of a function that was deleted in the meantime says so, and a worker does not blame itself", async () => {
      const [slow, doomed] = [await create(SLEEP), await create(LARGE + SLEEP)];
      await start(slow, 4);
      const jobId = await start(doomed, 0);
      expect(await statusOf("DELETE", `/v1/functions/${doomed}`)).toBe(204);
      expect(await result(jobId)).toMatchObject({
        status: "FAILED",
        exit_reason: { code: "exception", message: expect.stringContaining("deleted") },
      });
    });

    test("a result is called back, its code archived, and a waiting job cancelled", async () => {
      const functionId = await create(SLEEP);
      const server = createServer((_, response) => response.end()).listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const called = once(server, "request");
      const headers = { "NanoGrid-Callback-Url": `http://localhost:${port}/done` };
      const jobId = await start(functionId, 0, headers);
      await called;
      const look = async () => (await (await request("GET", `/v1/jobs/${jobId}`)).text()).includes("DELIVERED");
      await until("the callback is noted", look, SCENARIO_MS);
      server.close();
      const waiting = await start(functionId, 30);
      expect(await statusOf("POST", `/v1/jobs/${waiting}/cancellation`)).toBeLessThan(300);
      expect(await result(waiting)).toMatchObject({ status: "CANCELLED" });
    });

    test("functions, jobs, keys and the status are made, listed, changed and deleted", async () => {
      const functionId = await create(SLEEP);
      const path = `/v1/functions/${functionId}`;
      expect(await statusOf("PUT", path, { name: "changed", code: SLEEP })).toBe(200);
      const second = await world.controller();
      // Its memory is empty: the code comes from the bucket.
      expect(await statusOf("POST", `${path}/invocations`, 0, {}, second.url)).toBe(200);
      await second.stop();
      for (const each of [
        "/v1/functions",
        path,
        `${path}/code`,
        "/v1/jobs",
        "/v1/status",
        "/v1/keys",
        "/health",
        "/ready",
      ]) {
        expect([each, await statusOf("GET", each)]).toEqual([each, 200]);
      }
      const made = await request("POST", "/v1/keys", { name: "another", role: "user" });
      const { keyId } = (await made.json()) as { keyId: string };
      expect(await statusOf("DELETE", `/v1/keys/${keyId}`)).toBe(204);
      expect(await statusOf("DELETE", path)).toBe(204);
    });

    test("a call that cannot be queued frees its idempotency key", async () => {
      const functionId = await create(SLEEP);
      const headers = { "Idempotency-Key": randomUUID() };
      const path = `/v1/functions/${functionId}/invocations?mode=async`;
      world.authorizer.without = { sid: "Queue", action: "sqs:SendMessage" };
      try {
        expect(await statusOf("POST", path, 0, headers)).toBe(503);
      } finally {
        world.authorizer.without = undefined;
      }
      expect(await statusOf("POST", path, 0, headers)).toBe(202);
    });

    test("the worker that leaves tells the group that it still works, and when it is done", async () => {
      const calls = () => logged(leaving, "the group was told").map(({ call }) => call);
      await until("the hook is completed", () => calls().includes("complete_lifecycle_action"), SCENARIO_MS);
      expect(calls()).toContain("record_lifecycle_action_heartbeat");
    });

    test("nothing was refused but what was taken away on purpose", () => {
      const refused = world.authorizer.decisions.filter(({ allowed }) => !allowed);
      const queue = "arn:aws:sqs:ap-northeast-2:123456789012:nanogrid-task-queue";
      expect(refused.map(({ role, action, resource }) => [role, action, resource])).toEqual([
        [CONTROLLER_ROLE, "sqs:SendMessage", queue],
      ]);
    });
  });

  describe("without it, something that was done is refused", () => {
    test.each(shown)("$role, $sid: $action on $resource", async ({ role, sid, action, resource }) => {
      const done = world.decisionsOf(role).filter((decision) => decision.allowed && decision.action === action);
      const without = await Promise.all(
        done.map((decision) => world.authorizer.judge.verdict(role, decision, { sid, action, resource })),
      );
      expect(without.some(({ allowed }) => !allowed)).toBe(true);
    });
  });

  describe("what is beside its scope is refused", () => {
    test.each(refusals)("$title", async ({ ask }) => {
      await expect(ask(world)).rejects.toThrow(/not authorized to perform|AccessDenied|WRONGPASS/);
    });

    test("whoever is no role of the environment may do nothing", async () => {
      const ask = {
        action: "sqs:SendMessage",
        resource: "arn:aws:sqs:ap-northeast-2:123456789012:nanogrid-task-queue",
      };
      expect(await world.authorizer.judge.verdict("nanogrid_controller_role", ask)).toMatchObject({ allowed: true });
      expect(await world.authorizer.judge.verdict("nanogrid_controller", ask)).toMatchObject({ allowed: false });
    });

    test("a bucket answers nobody without TLS, whatever the role may do", async () => {
      const ask = { action: "s3:GetObject", resource: `arn:aws:s3:::${world.grid.values.code_bucket}/functions/x` };
      const plain = { "aws:SecureTransport": "false" };
      expect(await world.authorizer.judge.verdict(WORKER_ROLE, ask)).toMatchObject({ allowed: true });
      expect(await world.authorizer.judge.verdict(WORKER_ROLE, ask, undefined, plain)).toMatchObject({
        allowed: false,
      });
    });
  });

  test("what is taken on trust could not be exercised here: none of it was", () => {
    const done = excepted.filter(({ role, action }) => world.decisionsOf(role).some((each) => each.action === action));
    expect(done).toEqual([]);
  });
});
