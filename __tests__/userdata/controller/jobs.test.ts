/** Jobs over the API: lists, logs, cancelling, and the stream of events. */
import { setTimeout as sleep } from "node:timers/promises";
import { GetCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { Redis } from "ioredis";
import { logEvent, resultDocument, jobSummary as summarySchema } from "../../../userdata/controller/src/schemas";
import { freePort, motoMissing, startRedis, until } from "../../support/servers";
import { describeUnless } from "../../support/tools";
import { type Controller, HELLO, type Message, success, World } from "./world";

describeUnless(motoMissing())("jobs", () => {
  let world: World;
  let controller: Controller;
  let functionId: string;

  beforeAll(async () => {
    world = await World.create();
    controller = await world.controller();
    functionId = await create("hello");
  }, 60_000);
  afterAll(() => world?.close());
  beforeEach(() => world.emptyQueue());

  async function create(name: string): Promise<string> {
    return (await controller.call("POST", "/v1/functions", { json: { name, code: HELLO } })).body.functionId;
  }

  async function start(headers: Record<string, string> = {}, of = functionId): Promise<Message> {
    await controller.call("POST", `/v1/functions/${of}/invocations?mode=async`, { json: 1, headers });
    const message = await world.receive();
    if (!message) {
      throw new Error("the queue has no message");
    }
    return message;
  }

  async function stored(jobId: string) {
    const { Item } = await world.aws.dynamo.send(new GetCommand({ TableName: "NanoGridJobs", Key: { jobId } }));
    return Item;
  }

  function logged(message: Message, logs: string, more: object = {}): string {
    return JSON.stringify({ ...JSON.parse(success(message)), logs, ...more });
  }

  test("a list can be narrowed to a function and a status, page by page, and shows no results", async () => {
    const other = await create("other");
    const [first, second] = [await start({}, other), await start({}, other)];
    await world.finish(first.body.job_id, success(first));
    const ids = async (query: string) =>
      (await controller.call("GET", `/v1/jobs?functionId=${other}${query}`)).body.items.map(
        ({ jobId }: { jobId: string }) => jobId,
      );

    expect(await ids("")).toEqual([second.body.job_id, first.body.job_id]);
    expect(await ids("&status=SUCCESS")).toEqual([first.body.job_id]);
    expect(await ids("&status=CANCELLED")).toEqual([]);
    const page = (await controller.call("GET", `/v1/jobs?functionId=${other}&limit=1`)).body;
    expect(page.items).toHaveLength(1);
    expect(page.items[0].result).toBeUndefined();
    expect(await ids(`&cursor=${page.nextCursor}`)).toEqual([first.body.job_id]);
  });

  test.each(["status=DONE", "functionId=mine", "status=SUCCESS&status=FAILED"])(
    "a list with %s is refused by the name of the parameter",
    async (query) => {
      const { status, body } = await controller.call("GET", `/v1/jobs?${query}`);
      expect(status).toBe(400);
      expect(body.errors[0].field).toBe(`query ${query.split("=")[0]}`);
    },
  );

  test("a job shows the last failure of ours, and its callback", async () => {
    const { body } = await start({ "nanogrid-callback-url": "https://example.org/" });
    const lastError = { message: "S3 did not answer.", attempt: 2, at: new Date().toISOString() };
    await world.aws.dynamo.send(
      new UpdateCommand({
        TableName: "NanoGridJobs",
        Key: { jobId: body.job_id },
        UpdateExpression: "SET lastError = :error, callbackAttempts = :one",
        ExpressionAttributeValues: { ":error": lastError, ":one": 1 },
      }),
    );
    const shown = (await controller.call("GET", `/v1/jobs/${body.job_id}`)).body;
    expect(shown).toMatchObject({
      kind: "run",
      lastError,
      callback: { url: "https://example.org/", status: "PENDING", attempts: 1 },
    });
  });

  test("cancelling ends a job that waits, tells its worker, and is the same when repeated", async () => {
    const { body } = await start();
    const redis = new Redis({ port: world.redis.port, host: "127.0.0.1" });
    const told: string[] = [];
    redis.on("message", (_channel, jobId: string) => told.push(jobId));
    await redis.subscribe("nanogrid:cancel");

    const answer = await controller.call("POST", `/v1/jobs/${body.job_id}/cancellation`);

    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      jobId: body.job_id,
      status: "CANCELLED",
      result: { status: "CANCELLED", exit_reason: { code: "cancelled" }, attempt: 0, start: null, worker_id: null },
    });
    await until("the worker is told", () => told.includes(body.job_id));
    redis.disconnect();
    const item = await stored(body.job_id);
    expect(item?.duty).toBeUndefined();
    expect(item?.expiresAt).toBe(Math.floor(Date.parse(answer.body.finishedAt) / 1_000) + 86_400);
    const again = await controller.call("POST", `/v1/jobs/${body.job_id}/cancellation`);
    expect(again.status).toBe(200);
    expect(again.body).toEqual(answer.body);
  });

  test("cancelling takes the lease of the worker that runs the job, keeps the log, and owes the callback", async () => {
    const { body } = await start({ "nanogrid-callback-url": "https://example.org/" });
    await world.claim(body.job_id, 2);
    await world.log(body.job_id, "half-way ✓\n", 2);

    const { body: job } = await controller.call("POST", `/v1/jobs/${body.job_id}/cancellation`);

    expect(job.result).toMatchObject({ attempt: 2, logs: "half-way ✓\n", logs_truncated: false });
    const item = await stored(body.job_id);
    expect(item).toMatchObject({ status: "CANCELLED", duty: "DELIVER", owes: new Set(["CALLBACK"]) });
    expect(Math.abs(item?.dutyAt - Date.now() / 1_000)).toBeLessThan(30);
    expect(item?.leaseOwner).toBeUndefined();
    expect((await controller.call("GET", `/v1/jobs/${body.job_id}/logs`)).text).toBe("half-way ✓\n");
  });

  test("a cancelled job's log is the end of what there was, cut between characters, however it is escaped", async () => {
    const { body } = await start();
    await world.claim(body.job_id);
    await world.log(body.job_id, `begins${"✓".repeat(30_000)}`);
    const { result } = (await controller.call("POST", `/v1/jobs/${body.job_id}/cancellation`)).body;
    expect(result.logs_truncated).toBe(true);
    expect(result.logs).toMatch(/^✓{21000,}$/);

    const other = await start();
    await world.claim(other.body.job_id);
    await world.log(other.body.job_id, "\u0001".repeat(65_000));
    const cancelled = await controller.call("POST", `/v1/jobs/${other.body.job_id}/cancellation`);
    expect(cancelled.status).toBe(200);
    expect(cancelled.body.result.logs_truncated).toBe(true);
    expect(cancelled.body.result.logs.length).toBeGreaterThan(10_000);
  });

  test("a waiting caller is answered when its job is cancelled", async () => {
    const answering = controller.call("POST", `/v1/functions/${functionId}/invocations`, { json: 1 });
    const message = await world.receive();
    await controller.call("POST", `/v1/jobs/${message?.body.job_id}/cancellation`);
    const answer = await answering;
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ status: "CANCELLED", exit_reason: { code: "cancelled" } });
  });

  test("a job that has ended cannot be cancelled, and keeps its result", async () => {
    const message = await start();
    await world.finish(message.body.job_id, success(message));
    const { status, body } = await controller.call("POST", `/v1/jobs/${message.body.job_id}/cancellation`);
    expect(status).toBe(409);
    expect(body).toMatchObject({ type: "urn:nanogrid:problem:job-is-final", jobId: message.body.job_id });
    expect(body.detail).toContain("SUCCESS");
    expect((await controller.call("GET", `/v1/jobs/${message.body.job_id}`)).body.status).toBe("SUCCESS");
  });

  test("without Redis a job can be cancelled all the same", async () => {
    const alone = await world.controller({ REDIS_PORT: String(await freePort()) });
    const { body } = await start();
    await world.claim(body.job_id);
    const answer = await alone.call("POST", `/v1/jobs/${body.job_id}/cancellation`);
    expect(answer.status).toBe(200);
    expect((await stored(body.job_id))?.status).toBe("CANCELLED");
  });

  test("the log is what there is so far, and then that of the result", async () => {
    const message = await start();
    const path = `/v1/jobs/${message.body.job_id}/logs`;
    expect((await controller.call("GET", path)).text).toBe("");
    await world.claim(message.body.job_id);
    await world.log(message.body.job_id, "<script>1</script>\n");
    const live = await controller.call("GET", path);
    expect(live.text).toBe("<script>1</script>\n");
    expect(live.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(live.headers.get("x-content-type-options")).toBe("nosniff");
    await world.finish(message.body.job_id, logged(message, "all of it\n"));
    expect((await controller.call("GET", path)).text).toBe("all of it\n");
  });

  test("without Redis the log of a job that runs is a 503 that says so", async () => {
    const alone = await world.controller({ REDIS_PORT: String(await freePort()) });
    const { body } = await start();
    await world.claim(body.job_id);
    const answer = await alone.call("GET", `/v1/jobs/${body.job_id}/logs`);
    expect(answer.status).toBe(503);
    expect(answer.body.detail).toContain("its result will have it");
  });

  describe("events", () => {
    interface Event {
      readonly event: string;
      readonly id: string | undefined;
      // biome-ignore lint/suspicious/noExplicitAny: documents of three kinds.
      readonly data: any;
    }

    /** Follows a job from a client that reads what comes. */
    async function follow(jobId: string, of = controller, lastEventId?: string) {
      const gone = new AbortController();
      const response = await fetch(`${of.url}/v1/jobs/${jobId}/events`, {
        headers: {
          authorization: `Bearer ${world.key}`,
          ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
        },
        signal: gone.signal,
      });
      const events: Event[] = [];
      const ended = (async () => {
        let text = "";
        const decoder = new TextDecoder();
        for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
          text += decoder.decode(chunk, { stream: true });
          const blocks = text.split("\n\n");
          text = blocks.pop() ?? "";
          events.push(...blocks.filter((block) => block.startsWith("event:")).map(parse));
        }
      })().catch(() => undefined);
      return { response, events, ended, leave: () => gone.abort() };
    }

    function parse(block: string): Event {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
      return { event: field("event") ?? "", id: field("id"), data: JSON.parse(field("data") ?? "null") };
    }

    const textOf = (events: readonly Event[]) =>
      events
        .filter(({ event }) => event === "log")
        .map(({ data }) => data.text)
        .join("");
    const statuses = (events: readonly Event[]) =>
      events.filter(({ event }) => event === "status").map(({ data }) => data.status);

    test("a job is followed from its waiting to its result, with its log as it is written", async () => {
      const message = await start();
      const jobId = message.body.job_id;
      const { response, events, ended } = await follow(jobId);
      expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
      await until("it waits", () => statuses(events).includes("PENDING"));
      await world.claim(jobId);
      await until("it runs", () => statuses(events).includes("PROCESSING"));
      await world.log(jobId, "one ✓\n");
      await until("the first line is there", () => textOf(events) === "one ✓\n");
      await world.log(jobId, "two\n");
      await world.finish(jobId, logged(message, "one ✓\ntwo\n"));
      await ended;

      expect(statuses(events)).toEqual(["PENDING", "PROCESSING", "SUCCESS"]);
      expect(textOf(events)).toBe("one ✓\ntwo\n");
      const logs = events.filter(({ event }) => event === "log");
      expect(logs.map(({ id }) => id)).toEqual(["1:8", "1:12"]);
      expect(logs.map(({ data }) => logEvent.parse(data))).toEqual([
        { attempt: 1, offset: 0, text: "one ✓\n" },
        { attempt: 1, offset: 8, text: "two\n" },
      ]);
      expect(() =>
        events.filter(({ event }) => event === "status").map(({ data }) => summarySchema.parse(data)),
      ).not.toThrow();
      expect(events.at(-1)?.event).toBe("result");
      expect(resultDocument.parse(events.at(-1)?.data)).toMatchObject({ job_id: jobId, status: "SUCCESS" });
    });

    test("a client that comes late, or again, gets what it has not had", async () => {
      const message = await start();
      const jobId = message.body.job_id;
      await world.claim(jobId);
      await world.log(jobId, "first\n");
      await world.log(jobId, "second\n");
      const late = await follow(jobId);
      await until("all of it is there", () => textOf(late.events) === "first\nsecond\n");
      late.leave();
      await world.log(jobId, "third\n");
      const again = await follow(jobId, controller, late.events.at(-1)?.id);
      await until("the rest is there", () => textOf(again.events) === "third\n");
      await world.finish(jobId, logged(message, "first\nsecond\nthird\n"));
      await again.ended;
      expect(textOf(again.events)).toBe("third\n");
      const after = await follow(jobId, controller, "1:6");
      await after.ended;
      expect(textOf(after.events)).toBe("second\nthird\n");
      expect(statuses(after.events)).toEqual(["SUCCESS"]);
    });

    test("what was missed in between is read from the live log, and a new attempt begins anew", async () => {
      const message = await start();
      const jobId = message.body.job_id;
      await world.claim(jobId);
      const { events, ended } = await follow(jobId);
      await world.log(jobId, "a\n");
      await until("the first is there", () => textOf(events) === "a\n");
      const redis = new Redis({ port: world.redis.port, host: "127.0.0.1" });
      await redis.append(`nanogrid:job:${jobId}:log:1`, "missed\n");
      redis.disconnect();
      await world.log(jobId, "b\n");
      await until("nothing is missing", () => textOf(events) === "a\nmissed\nb\n");
      await world.claim(jobId, 2);
      await world.log(jobId, "anew\n", 2);
      await world.log(jobId, "of a worker that has lost the job\n", 1);
      await world.finish(jobId, logged(message, "anew\n", { attempt: 2 }));
      await ended;
      expect(textOf(events)).toBe("a\nmissed\nb\nanew\n");
      expect(events.filter(({ event }) => event === "log").at(-1)?.id).toBe("2:5");
    });

    test("with Redis lost under it, the stream ends with the result and the rest of the log", async () => {
      const own = await startRedis();
      const alone = await world.controller({ REDIS_PORT: String(own.port) });
      const message = await start();
      const jobId = message.body.job_id;
      const { events, ended } = await follow(jobId, alone);
      await until("it waits", () => statuses(events).includes("PENDING"));
      await own.stop();
      await world.finish(jobId, logged(message, "all of it\n"));
      await ended;
      expect(statuses(events)).toEqual(["PENDING", "SUCCESS"]);
      expect(textOf(events)).toBe("all of it\n");
      expect(events.at(-1)?.data.status).toBe("SUCCESS");
    });

    test("a job that was cancelled ends its stream, and a stopping controller ends all", async () => {
      const { body } = await start();
      const { events, ended } = await follow(body.job_id);
      await until("it waits", () => events.length > 0);
      await controller.call("POST", `/v1/jobs/${body.job_id}/cancellation`);
      await ended;
      expect(statuses(events)).toEqual(["PENDING", "CANCELLED"]);
      expect(events.at(-1)?.data.exit_reason.code).toBe("cancelled");

      const stopping = await world.controller();
      const other = await follow((await start()).body.job_id, stopping);
      await until("it waits", () => other.events.length > 0);
      stopping.stopping.abort();
      await other.ended;
      expect(other.events.map(({ event }) => event)).toEqual(["status"]);
    });

    test("a client that has gone leaves nothing behind", async () => {
      const open = async () => {
        const { text } = await controller.call("GET", "/metrics", { key: world.adminKey });
        return Number(/^nanogrid_event_streams (\d+)$/m.exec(text)?.[1]);
      };
      const { events, leave } = await follow((await start()).body.job_id);
      await until("it is followed", () => events.length > 0);
      expect(await open()).toBe(1);
      leave();
      await until("the stream is closed", async () => (await open()) === 0);
    });

    test("an id that is none of a log event is refused, and a HEAD request ends", async () => {
      const { body } = await start();
      const path = `/v1/jobs/${body.job_id}/events`;
      for (const id of ["nonsense", "1:", "-1:5", "1:99999999999"]) {
        const answer = await controller.call("GET", path, { headers: { "last-event-id": id } });
        expect(answer.status).toBe(400);
        expect(answer.body.errors[0].field).toBe("header Last-Event-ID");
      }
      expect((await controller.call("HEAD", path)).status).toBe(200);
    });

    test("a client that does not read holds up nobody, and has all when it does", async () => {
      const message = await start();
      const jobId = message.body.job_id;
      await world.claim(jobId);
      const line = `${"x".repeat(32_000)}\n`;
      for (let written = 0; written < 30; written++) {
        await world.log(jobId, line);
      }
      const response = await fetch(`${controller.url}/v1/jobs/${jobId}/events`, {
        headers: { authorization: `Bearer ${world.key}` },
      });
      await sleep(300);
      await world.finish(jobId, success(message));
      const text = await response.text();
      expect(text.split("x".repeat(32_000))).toHaveLength(31);
      expect(text).toContain("event: result");
    });
  });
});
