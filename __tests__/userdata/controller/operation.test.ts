/** What operators look at: the status of queue and workers, and the metrics. */
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { freePort, motoMissing, until } from "../../support/servers";
import { describeUnless } from "../../support/tools";
import { type Controller, HELLO, World } from "./world";

describeUnless(motoMissing())("operation", () => {
  let world: World;
  let controller: Controller;

  beforeAll(async () => {
    world = await World.create();
    controller = await world.controller();
  }, 60_000);
  afterAll(() => world?.close());

  const worker = (updatedAt: Date) => ({
    slots: 2,
    busy: 1,
    warm: 3,
    runtimes: ["python", "node"],
    version: "1.2.3",
    started_at: "2026-01-01T00:00:00.000Z",
    updated_at: updatedAt.toISOString(),
  });

  test("the status has the queue, the dead letters and the workers heard of within a minute", async () => {
    const now = new Date();
    await world.announce("worker-b", worker(now));
    await world.announce("worker-a", { ...worker(now), something_new: true });
    await world.announce("worker-gone", worker(new Date(Date.now() - 61_000)));
    await world.announce("worker-odd", { slots: "many" });
    const send = (QueueUrl: string | undefined) =>
      world.aws.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "{}" }));
    await send(world.env.SQS_QUEUE_URL);
    await send(world.env.SQS_QUEUE_URL);
    await send(world.env.DEAD_LETTER_QUEUE_URL);

    const { status, body } = await controller.call("GET", "/v1/status");

    expect(status).toBe(200);
    const seen = { slots: 2, busy: 1, warm: 3, runtimes: ["python", "node"], version: "1.2.3" };
    const times = { startedAt: "2026-01-01T00:00:00.000Z", updatedAt: now.toISOString() };
    expect(body).toEqual({
      queue: { visible: 2, inFlight: 0, delayed: 0 },
      deadLetters: 1,
      workers: [
        { workerId: "worker-a", ...seen, ...times },
        { workerId: "worker-b", ...seen, ...times },
      ],
    });
  });

  test("without Redis, and without a queue of dead letters, the status says that it does not know", async () => {
    const alone = await world.controller({ REDIS_PORT: String(await freePort()), DEAD_LETTER_QUEUE_URL: "" });
    const { status, body } = await alone.call("GET", "/v1/status");
    expect(status).toBe(200);
    expect(body).toMatchObject({ deadLetters: null, workers: null });
  });

  test("the metrics count requests by route and status, jobs and failures, and name no tenant, key or job", async () => {
    const own = await world.controller();
    const cut = await world.controller({ SQS_QUEUE_URL: "http://sqs.nowhere.invalid/123456789012/no-such-queue" });
    const { functionId } = (await own.call("POST", "/v1/functions", { json: { name: "f", code: HELLO } })).body;
    const path = `/v1/functions/${functionId}/invocations`;
    const { jobId } = (await own.call("POST", `${path}?mode=async`, { json: 1 })).body;
    await own.call("GET", "/v1/nothing");
    await cut.call("POST", path, { json: 1 });
    const waiting = own.call("POST", path, { json: 1 });
    const metrics = async (of: Controller) => (await of.call("GET", "/metrics", { key: world.adminKey })).text;
    await until("a call waits", async () => /^nanogrid_calls_waiting 1$/m.test(await metrics(own)));
    own.stopping.abort();
    await waiting;

    const text = await metrics(own);
    const route = 'route="/v1/functions/:functionId/invocations"';
    expect(text).toContain(`nanogrid_http_request_duration_seconds_count{method="POST",${route},status="202"} 2`);
    expect(text).toContain('nanogrid_http_request_duration_seconds_count{method="GET",route="none",status="404"} 1');
    expect(text).toContain('nanogrid_jobs_accepted_total{kind="run"} 2');
    expect(text).toContain("nanogrid_redis_connected 1");
    expect(text).toContain("nanogrid_queue_send_failures_total 0");
    expect(text).toContain("process_cpu_seconds_total");
    expect(await metrics(cut)).toContain("nanogrid_queue_send_failures_total 1");
    for (const name of ["default", functionId, jobId, "key_"]) {
      expect(text).not.toContain(name);
    }
  });
});
