/** Invocations over the API, with a worker's side played over the real queue, table and Redis. */

import { PutObjectCommand } from "@aws-sdk/client-s3";
import { GetCommand, PutCommand, ScanCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { strToU8, zipSync } from "fflate";
import { freePort, motoMissing, startRedis, until } from "../../support/servers";
import { describeUnless } from "../../support/tools";
import { type AwsProxy, startProxy } from "./proxy";
import { type Controller, HELLO, type Message, success, World } from "./world";

describeUnless(motoMissing())("invocations", () => {
  let world: World;
  let controller: Controller;
  let production: Controller;
  let functionId: string;
  let path: string;

  beforeAll(async () => {
    world = await World.create();
    controller = await world.controller();
    production = await world.controller({ ENVIRONMENT: "prod" });
    const json = {
      name: "hello",
      code: HELLO,
      timeoutS: 60,
      environment: { MODE: "fast" },
      secrets: { TOKEN: "token" },
      egress: true,
    };
    ({ functionId } = (await controller.call("POST", "/v1/functions", { json })).body);
    path = `/v1/functions/${functionId}/invocations`;
  }, 60_000);
  afterAll(() => world?.close());
  beforeEach(() => world.emptyQueue());

  async function job(jobId: string) {
    const { Item } = await world.aws.dynamo.send(new GetCommand({ TableName: "NanoGridJobs", Key: { jobId } }));
    return Item;
  }

  async function received(): Promise<Message> {
    const message = await world.receive();
    if (!message) {
      throw new Error("the queue has no message");
    }
    return message;
  }

  async function finish(message: Message, result: string): Promise<void> {
    await world.aws.dynamo.send(
      new UpdateCommand({
        TableName: "NanoGridJobs",
        Key: { jobId: message.body.job_id },
        UpdateExpression: "SET #s = :s, #r = :r, finishedAt = :f",
        ExpressionAttributeNames: { "#s": "status", "#r": "result" },
        ExpressionAttributeValues: { ":s": "SUCCESS", ":r": result, ":f": new Date().toISOString() },
      }),
    );
  }

  test("an asynchronous call answers 202 with a job, which is in the table and in the queue as the protocol says", async () => {
    const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    const headers = {
      prefer: "respond-async",
      traceparent,
      "nanogrid-callback-url": "https://example.org/done?x=1",
      "nanogrid-deadline": "2100-01-01T01:00:00+01:00",
    };
    const options = { json: { name: "world" }, headers };

    const answer = await controller.call("POST", path, options);

    expect(answer.status).toBe(202);
    const { jobId } = answer.body;
    expect(answer.headers.get("location")).toBe(`/v1/jobs/${jobId}`);
    expect(answer.body).toMatchObject({ functionId, functionVersion: 1, status: "PENDING", attempts: 0 });
    const fn = (await controller.call("GET", `/v1/functions/${functionId}`)).body;
    const { body, group } = await received();
    expect(group).toBe("default");
    expect(body).toEqual({
      schema: 1,
      kind: "run",
      job_id: jobId,
      tenant: "default",
      function_id: functionId,
      function_version: 1,
      runtime: "python",
      handler: "main.handler",
      code: expect.any(String),
      code_key: `functions/default/${functionId}/1.zip`,
      code_sha256: fn.codeSha256,
      input: { name: "world" },
      input_key: null,
      timeout_s: 60,
      memory_mb: 256,
      environment: { MODE: "fast" },
      secrets: { TOKEN: "token" },
      dependencies_key: null,
      callback_url: "https://example.org/done?x=1",
      egress: true,
      enqueued_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      deadline: "2100-01-01T00:00:00.000Z",
      traceparent,
    });
    const zip = await world.object("nanogrid-code-bucket", `functions/default/${functionId}/1.zip`);
    expect(Buffer.from(String(body.code), "base64").equals(zip)).toBe(true);
    const created = Date.parse(answer.body.createdAt) / 1_000;
    expect(await job(jobId)).toEqual({
      jobId,
      tenant: "default",
      functionId,
      functionVersion: 1,
      kind: "run",
      codeKey: `functions/default/${functionId}/1.zip`,
      codeSha256: fn.codeSha256,
      status: "PENDING",
      attempts: 0,
      callbackUrl: "https://example.org/done?x=1",
      callbackStatus: "PENDING",
      callbackAttempts: 0,
      createdAt: answer.body.createdAt,
      expiresAt: Math.floor(created) + 14 * 86_400,
    });
    await until("Redis knows the job", async () => (await controller.events.view(jobId)) !== null);
    expect(JSON.parse((await controller.events.view(jobId)) ?? "")).toMatchObject({ job_id: jobId, status: "PENDING" });
  });

  test("a call right after a change runs the new version, and none of a deleted function, whichever controller made it", async () => {
    const other = await world.controller();
    const { body } = await controller.call("POST", "/v1/functions", { json: { name: "changed", code: HELLO } });
    const at = `/v1/functions/${body.functionId}`;
    const versionAt = async (of: Controller) =>
      (await of.call("POST", `${at}/invocations?mode=async`, { json: 1 })).body.functionVersion;
    await until(
      "both hear of changes",
      () => controller.events.hearsFunctionChanges && other.events.hearsFunctionChanges,
    );
    expect([await versionAt(controller), await versionAt(other)]).toEqual([1, 1]);

    await controller.call("PUT", at, { json: { name: "changed", code: `${HELLO}#` } });
    expect(await versionAt(controller)).toBe(2);
    await until("the other has heard", async () => (await versionAt(other)) === 2, 1_500);

    await other.call("DELETE", at);
    expect(await versionAt(other)).toBeUndefined();
    await until("the other has heard", async () => (await versionAt(controller)) === undefined, 1_500);
  });

  test("a function that was just called, and changed in the table by another hand, is read anew within seconds", async () => {
    const { body } = await controller.call("POST", "/v1/functions", { json: { name: "by hand", code: HELLO } });
    const call = () => controller.call("POST", `/v1/functions/${body.functionId}/invocations?mode=async`, { json: 1 });
    await call();
    await world.aws.dynamo.send(
      new UpdateCommand({
        TableName: "NanoGridFunctions",
        Key: { functionId: body.functionId },
        UpdateExpression: "SET version = :version",
        ExpressionAttributeValues: { ":version": 7 },
      }),
    );
    await until("the change is seen", async () => (await call()).body.functionVersion === 7, 5_000);
  });

  test("another tenant's function is not found, although this controller remembers it", async () => {
    await controller.call("POST", `${path}?mode=async`, { json: 1 });
    expect((await controller.call("POST", path, { key: world.otherKey, json: 1 })).status).toBe(404);
  });

  test("mode=async does the same, mode=sync goes before Prefer, and any other is refused by name", async () => {
    expect((await controller.call("POST", `${path}?mode=async`, { json: 1 })).status).toBe(202);
    const { status, body } = await controller.call("POST", `${path}?mode=later`, { json: 1 });
    expect(status).toBe(400);
    expect(body.errors[0].field).toBe("query mode");
  });

  test("a synchronous call answers with the result as soon as Redis has it, every digit of it", async () => {
    const output = '{"big": 12345678901234567890, "text": "안녕"}';
    const answering = controller.call("POST", path, { body: output, headers: { "content-type": "application/json" } });

    const message = await received();
    expect(message.text).toContain(`"input":${output}`);
    const published = Date.now();
    // Published once, and never written to the table: who had not subscribed before the job was queued would miss it.
    await world.publish(message.body.job_id, success(message, output));
    const answer = await answering;

    expect(answer.status).toBe(200);
    expect(Date.now() - published).toBeLessThan(2_000);
    expect(answer.text).toContain(`"output":${output}`);
    expect(answer.body).toMatchObject({ job_id: message.body.job_id, status: "SUCCESS", exit_reason: { code: "ok" } });
  });

  test("a call without a body has the event null, and characters that SQS refuses arrive", async () => {
    expect((await controller.call("POST", `${path}?mode=async`)).status).toBe(202);
    expect((await received()).body.input).toBeNull();
    await controller.call("POST", `${path}?mode=async`, { json: "a\uffff\ufffe\u0001\ud83d\ude00" });
    expect((await received()).body.input).toBe("a\uffff\ufffe\u0001\ud83d\ude00");
  });

  test("large input travels in the code bucket, large code by its key", async () => {
    const json = { text: "x".repeat(200_000) };
    const form = new FormData();
    form.set("name", "large");
    const zip = zipSync({ "main.py": strToU8(HELLO), "data.bin": [new Uint8Array(40_000), { level: 0 }] });
    form.set("code", new Blob([Buffer.from(zip)]), "code.zip");
    const created = await controller.call("POST", "/v1/functions", { body: form });
    expect(created.body).toMatchObject({ codeBytes: zip.length });
    const large = created.body.functionId;

    const { body } = await controller.call("POST", `/v1/functions/${large}/invocations?mode=async`, { json });

    const message = await received();
    const key = `inputs/default/${body.jobId}.json`;
    expect(message.body).toMatchObject({ input: null, input_key: key, code: null });
    expect(JSON.parse((await world.object("nanogrid-code-bucket", key)).toString())).toEqual(json);
  });

  test("a synchronous call is answered through the table when Redis is killed under it", async () => {
    const own = await startRedis();
    const alone = await world.controller({ REDIS_PORT: String(own.port) });
    const answering = alone.call("POST", path, { json: 1 });
    const message = await received();

    await own.stop();
    await finish(message, success(message));
    const answer = await answering;

    expect(answer.status).toBe(200);
    expect(answer.body.output).toEqual({ hello: "world" });
  });

  test("without Redis from the start, both kinds of calls work", async () => {
    const alone = await world.controller({ REDIS_PORT: String(await freePort()) });
    expect((await alone.call("POST", `${path}?mode=async`, { json: 1 })).status).toBe(202);
    await received();
    const answering = alone.call("POST", path, { json: 2 });
    const message = await received();
    await finish(message, success(message));
    expect((await answering).body.status).toBe("SUCCESS");
  });

  test("a call that began to wait without Redis hears of its result through one that came meanwhile", async () => {
    const port = await freePort();
    const alone = await world.controller({ REDIS_PORT: String(port) });
    const answering = alone.call("POST", path, { json: 1 });
    const message = await received();
    const late = await startRedis({ port });
    try {
      await until("the controller is connected", () => alone.logged().includes("Redis: connected"), 15_000);
      // Only published: the table never has it, so that the answer can have come this way alone.
      await until(
        "the controller hears",
        async () => (await world.publish(message.body.job_id, success(message), port)) > 0,
      );
      expect((await answering).status).toBe(200);
    } finally {
      await late.stop();
    }
  });

  test("a call that waited as long as it may gets its job, whose result can be had later", async () => {
    const hasty = await world.controller({ SYNC_MAX_WAIT_S: "1" });
    const answer = await hasty.call("POST", path, { json: 1 });
    expect(answer.status).toBe(202);
    expect(answer.body.status).toBe("PENDING");

    const message = await received();
    await finish(message, success(message));
    const later = await hasty.call("GET", answer.headers.get("location") ?? "");

    expect(later.body).toMatchObject({
      jobId: message.body.job_id,
      status: "SUCCESS",
      result: { output: { hello: "world" } },
    });
  });

  test("a stopping controller answers waiting calls with their job", async () => {
    const stopping = await world.controller();
    const answering = stopping.call("POST", path, { json: 1 });
    const message = await received();

    stopping.stopping.abort();
    const answer = await answering;

    expect(answer.status).toBe(202);
    expect(answer.body.jobId).toBe(message.body.job_id);
  });

  test("the same idempotency key makes one job and one message, and gives its result again", async () => {
    const options = { json: { n: 1 }, headers: { "idempotency-key": "once", prefer: "respond-async" } };
    const first = await controller.call("POST", path, options);
    const message = await received();
    await until("the job is marked as queued", async () => (await job(first.body.jobId))?.queuedAt !== undefined);

    const second = await controller.call("POST", path, options);

    expect(second.status).toBe(202);
    expect(second.body.jobId).toBe(first.body.jobId);
    expect(await world.receive(1)).toBeUndefined();
    await finish(message, success(message));
    const third = await controller.call("POST", path, { json: { n: 1 }, headers: { "idempotency-key": "once" } });
    expect(third.status).toBe(200);
    expect(third.body.job_id).toBe(first.body.jobId);
    const other = await controller.call("POST", `/v1/functions/${functionId}/invocations`, {
      key: world.otherKey,
      json: { n: 1 },
      headers: { "idempotency-key": "once" },
    });
    expect(other.status).toBe(404);
  });

  test("an idempotency key with another body, or another callback, is refused and names the job", async () => {
    const headers = { "idempotency-key": "reused", prefer: "respond-async" };
    const first = await controller.call("POST", path, { json: 1, headers });
    const callback = { ...headers, "nanogrid-callback-url": "https://example.org/" };
    for (const options of [
      { json: 2, headers },
      { json: 1, headers: callback },
    ]) {
      const { status, body } = await controller.call("POST", path, options);
      expect(status).toBe(422);
      expect(body.jobId).toBe(first.body.jobId);
      expect(body.errors[0].field).toBe("header Idempotency-Key");
    }
  });

  test("a repeated request queues the job of a controller that died between table and queue", async () => {
    const headers = { "idempotency-key": "died", prefer: "respond-async" };
    const first = await controller.call("POST", path, { json: 1, headers });
    await until("the job is marked as queued", async () => (await job(first.body.jobId))?.queuedAt !== undefined);
    const left = await job(first.body.jobId);
    const { queuedAt: _queuedAt, ...unqueued } = left ?? {};
    await world.aws.dynamo.send(new PutCommand({ TableName: "NanoGridJobs", Item: unqueued }));
    await world.emptyQueue();

    const second = await controller.call("POST", path, { json: 1, headers });

    expect(second.body.jobId).toBe(first.body.jobId);
    expect((await received()).body.job_id).toBe(first.body.jobId);
  });

  test("a queue that is away gives 503, a failed job, and the idempotency key back", async () => {
    const cut = await world.controller({ AWS_ENDPOINT_URL: await split(world.moto.endpoint, "refused") });
    const options = {
      json: 1,
      headers: {
        "idempotency-key": "cut",
        prefer: "respond-async",
        "nanogrid-callback-url": "https://example.org/",
      },
    };

    const { status, headers, body } = await cut.call("POST", path, options);

    expect(status).toBe(503);
    expect(headers.get("retry-after")).toBe("5");
    const failed = await cut.call("GET", `/v1/jobs/${body.jobId}`);
    expect(failed.body.callback).toBeUndefined();
    expect(failed.body).toMatchObject({ status: "FAILED", result: { exit_reason: { code: "infrastructure" } } });
    const again = await controller.call("POST", path, options);
    expect(again.status).toBe(202);
    expect(again.body.jobId).not.toBe(body.jobId);
  });

  test("a job that the queue took, though its answer was lost, is not failed", async () => {
    const lossy = await world.controller({
      AWS_ENDPOINT_URL: await split(world.moto.endpoint, "forwarded, answered 500"),
    });
    const answering = lossy.call("POST", path, { json: 1 });
    const message = await received();

    await finish(message, success(message));
    await world.publish(message.body.job_id, success(message));

    const answer = await answering;
    expect(answer.status).toBe(200);
    expect(answer.body.status).toBe("SUCCESS");
  });

  test("a file that a function left can be read by its name, and no other object of the bucket", async () => {
    const { body } = await controller.call("POST", `${path}?mode=async`, { json: 1 });
    const message = await received();
    const { jobId } = body;
    const key = `default/${jobId}/out/report 1.txt`;
    const file = (name: string, at: string) => ({ name, bytes: 5, sha256: "0".repeat(64), key: at });
    const files = [
      file("out/report 1.txt", key),
      file("stolen", "other/job_1/secret"),
      file("lost", `default/${jobId}/lost`),
    ];
    for (const Key of [key, "other/job_1/secret"]) {
      await world.aws.s3.send(new PutObjectCommand({ Bucket: "nanogrid-user-data-123456789012", Key, Body: "hello" }));
    }
    await finish(message, JSON.stringify({ ...JSON.parse(success(message)), files }));

    const read = await controller.call("GET", `/v1/jobs/${jobId}/files/out%2Freport%201.txt`);

    expect(read).toMatchObject({ status: 200, text: "hello" });
    expect(read.headers.get("content-disposition")).toBe('attachment; filename="report 1.txt"');
    for (const name of ["stolen", "lost", "unknown"]) {
      expect((await controller.call("GET", `/v1/jobs/${jobId}/files/${name}`)).status).toBe(404);
    }
  });

  test.each<[string, { body: string; headers: Record<string, string> }, number, string]>([
    ["broken JSON", { body: "{", headers: { "content-type": "application/json" } }, 400, "body"],
    ["text", { body: "x", headers: { "content-type": "text/plain" } }, 415, "header Content-Type"],
    [
      "over 6 MiB",
      { body: `"${"x".repeat(6 * 1024 * 1024)}"`, headers: { "content-type": "application/json" } },
      413,
      "body",
    ],
    [
      "a key too long",
      { body: "1", headers: { "content-type": "application/json", "idempotency-key": "k".repeat(256) } },
      400,
      "header Idempotency-Key",
    ],
  ])("an event of %s is refused, and no job is made", async (_what, options, expected, field) => {
    const before = await world.aws.dynamo.send(new ScanCommand({ TableName: "NanoGridJobs", Select: "COUNT" }));
    const { status, body } = await controller.call("POST", path, options);
    expect(status).toBe(expected);
    expect(body.errors[0].field).toBe(field);
    const after = await world.aws.dynamo.send(new ScanCommand({ TableName: "NanoGridJobs", Select: "COUNT" }));
    expect(after.Count).toBe(before.Count);
  });

  test.each([
    ["100 levels and a large whole number", `${"[".repeat(100)}9007199254740993${"]".repeat(100)}`, 202],
    ["a pair of surrogates, escaped", '"\\ud83d\\ude00 and \\\\ud800"', 202],
    ["101 levels", `${"[".repeat(101)}${"]".repeat(101)}`, 400],
    ["a million levels", "[".repeat(1_000_000) + "]".repeat(1_000_000), 400],
    ["half a character", '{"a\\udc00": 1}', 400],
    ["a number that is not finite", '{"a": [1e999]}', 400],
    ["a number of 5000 digits", "1".repeat(5_000), 400],
  ])("an event with %s, which not every reader would take: %#", async (_what, text, expected) => {
    const options = { body: text, headers: { "content-type": "application/json" } };
    const { status, body } = await controller.call("POST", `${path}?mode=async`, options);
    expect(status).toBe(expected);
    if (expected === 400) {
      expect(body.errors[0].field).toBe("body");
    } else {
      expect((await received()).text).toContain(`"input":${text}`);
    }
  });

  test.each([
    ["http://example.org/"],
    ["https://user:hunter2@example.org/"],
    ["https://user@example.org/"],
    ["ftp://example.org/"],
    ["javascript:alert(1)"],
    ["example.org"],
    ["https://"],
    ["https://exa mple.org/"],
    ["https://example.org/\u00e9"],
    [`https://example.org/${"x".repeat(2_000)}`],
    [`https://example.org/${'"'.repeat(800)}`],
    ["https://127.0.0.1/"],
    ["https://0x7f.1/"],
    ["https://2130706433/"],
    ["https://127.0.0.1./"],
    ["https://10.1.2.3:8443/"],
    ["https://169.254.169.254/latest/meta-data/"],
    ["https://172.31.0.1/"],
    ["https://192.168.1.1/"],
    ["https://100.64.0.1/"],
    ["https://0.0.0.0/"],
    ["https://224.0.0.1/"],
    ["https://255.255.255.255/"],
    ["https://[::1]/"],
    ["https://[::]/"],
    ["https://[::ffff:10.0.0.1]/"],
    ["https://[fd00:ec2::254]/"],
    ["https://[fe80::1]/"],
    ["https://[2002:7f00:1::]/"],
    ["https://[64:ff9b::7f00:1]/"],
  ])("a callback to %s is refused in production", async (url) => {
    const headers = { "x-forwarded-proto": "https", "nanogrid-callback-url": url };
    const { status, body } = await production.call("POST", `${path}?mode=async`, { json: 1, headers });
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ field: "header NanoGrid-Callback-Url", detail: expect.any(String) }]);
    expect(body.detail).not.toContain("hunter2");
  });

  test.each(["https://example.org/a?b=c", "https://8.8.8.8/", "https://[2600::1]:8443/", "https://localhost/"])(
    "a callback to %s is taken: where its name leads is looked at when it is made",
    async (url) => {
      const headers = { "x-forwarded-proto": "https", "nanogrid-callback-url": url };
      const { status, body } = await production.call("POST", `${path}?mode=async`, { json: 1, headers });
      expect(status).toBe(202);
      expect(body.callback).toEqual({ url, status: "PENDING", attempts: 0 });
    },
  );

  test("a callback over plain HTTP is taken where the environment is local", async () => {
    const headers = { "nanogrid-callback-url": "http://localhost:9/" };
    expect((await controller.call("POST", `${path}?mode=async`, { json: 1, headers })).status).toBe(202);
  });

  test.each(["tomorrow", "2030-01-01", "2030-13-01T00:00:00Z", "2030-01-01T00:00:00", "2020-01-01T00:00:00Z"])(
    "a deadline of %s is refused",
    async (deadline) => {
      const headers = { "nanogrid-deadline": deadline };
      const { status, body } = await controller.call("POST", `${path}?mode=async`, { json: 1, headers });
      expect(status).toBe(400);
      expect(body.errors[0].field).toBe("header NanoGrid-Deadline");
    },
  );

  test("a function that there is not is 404", async () => {
    for (const id of ["fn_01JD8Q4YB3R6Z7K2M5N8P0QWER", "nonsense", "idem%23default"]) {
      expect((await controller.call("POST", `/v1/functions/${id}/invocations`, { json: 1 })).status).toBe(404);
    }
  });

  test("jobs are listed newest first, without those of other tenants", async () => {
    const { body } = await controller.call("POST", `${path}?mode=async`, { json: 1 });
    const mine = await controller.call("GET", "/v1/jobs?limit=1");
    expect(mine.body.items[0].jobId).toBe(body.jobId);
    expect((await controller.call("GET", "/v1/jobs", { key: world.otherKey })).body.items).toEqual([]);
  });

  const proxies: AwsProxy[] = [];
  afterAll(() => {
    for (const proxy of proxies) {
      proxy.close();
    }
  });

  /** What stands between the controller and SQS: everything else passes to moto unchanged. */
  async function split(endpoint: string, sends: "refused" | "forwarded, answered 500"): Promise<string> {
    const proxy = await startProxy(endpoint, async (request, forward) => {
      if (!String(request.headers["x-amz-target"]).endsWith("SendMessage")) {
        return await forward();
      }
      if (sends === "refused") {
        return undefined;
      }
      await forward();
      return { status: 500, headers: new Headers(), body: Buffer.from("{}") };
    });
    proxies.push(proxy);
    return proxy.url;
  }
});
