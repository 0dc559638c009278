/** The Runtime API's stand-in, with AWS's own runtime interface client for Node.js on the other side. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AwsClient } from "aws4fetch";
import { deployedFunction } from "../../local/lambda/deployed";
import { LocalFunction, ThrottledError } from "../../local/lambda/function";
import { nodeRuntimeMissing, prepareNodeRuntime } from "../../local/lambda/node-runtime";
import { MAX_PAYLOAD_BYTES, RuntimeApi, type Said } from "../../local/lambda/runtime-api";
import { packFiles } from "../../modules/platform/artifact";
import { type Moto, motoMissing, startMoto } from "../support/servers";
import { describeUnless } from "../support/tools";

const SETUP_MS = 600_000;
const CODE = `
let count = 0;
setInterval(() => console.log("tick"), 20).unref();
exports.handler = async (event, context) => {
  if (event.fail) throw new TypeError(event.fail);
  if (event.exit) process.exit(event.exit);
  if (event.waitMs) await new Promise((resolve) => setTimeout(resolve, event.waitMs));
  if (event.bytes) return "x".repeat(event.bytes);
  return {
    event, count: ++count, pid: process.pid, node: process.version, requestId: context.awsRequestId,
    arn: context.invokedFunctionArn, name: context.functionName, leftMs: context.getRemainingTimeInMillis(),
    trace: process.env._X_AMZN_TRACE_ID, memory: context.memoryLimitInMB, own: process.env.OWN,
    region: process.env.AWS_REGION, runtime: process.env.AWS_EXECUTION_ENV,
  };
};`;

describeUnless(nodeRuntimeMissing())("lambda", () => {
  let command: readonly [string, ...string[]];
  const folder = mkdtempSync(join(tmpdir(), "lambda-test-"));
  const functions: LocalFunction[] = [];
  let output = "";

  beforeAll(async () => {
    command = await prepareNodeRuntime();
  }, SETUP_MS);
  afterEach(async () => {
    await Promise.all(functions.splice(0).map((each) => each.close()));
    output = "";
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function create(code = CODE, props: { timeoutS?: number; concurrency?: number } = {}): LocalFunction {
    const zip = join(folder, `${functions.length}-${Date.now()}.zip`);
    writeFileSync(zip, packFiles([{ path: "index.js", content: Buffer.from(code) }]));
    const created = new LocalFunction({
      name: "of-the-test",
      zip,
      handler: "index.handler",
      command,
      runtime: "nodejs22.x",
      region: "ap-northeast-2",
      account: "123456789012",
      environment: { OWN: "value" },
      memoryMb: 256,
      onOutput: (text) => {
        output += text;
      },
      ...props,
    });
    functions.push(created);
    return created;
  }
  const alive = (pid: number) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };

  test("a function gets its event and its context, and answers", async () => {
    const { payload, functionError, requestId, initMs } = await create().invoke({ text: "größe" });
    const answer = JSON.parse(payload);
    expect(functionError).toBeUndefined();
    expect(answer).toMatchObject({
      event: { text: "größe" },
      requestId,
      arn: "arn:aws:lambda:ap-northeast-2:123456789012:function:of-the-test",
      name: "of-the-test",
      memory: "256",
      own: "value",
      region: "ap-northeast-2",
      runtime: "AWS_Lambda_nodejs22.x",
      node: expect.stringMatching(/^v22\./),
      trace: expect.stringMatching(/^Root=1-[\da-f]{8}-[\da-f]{24};Sampled=0$/),
    });
    expect(answer.leftMs).toBeGreaterThan(2_000);
    expect(answer.leftMs).toBeLessThanOrEqual(3_000);
    process.stdout.write(`lambda: a cold start of Node.js 22 took ${Math.round(initMs ?? 0)} ms here\n`);
  });

  test("the environment stays for the next invocation, and does nothing in between", async () => {
    const created = create();
    const first = JSON.parse((await created.invoke({})).payload);
    const ticks = () => output.split("tick").length;
    await sleep(100);
    const before = ticks();
    await sleep(300);
    // Frozen: its timer, of 20 ms, has not run once.
    expect(ticks()).toBe(before);
    const second = await created.invoke({ waitMs: 200 });
    expect(ticks()).toBeGreaterThan(before);
    expect(JSON.parse(second.payload)).toMatchObject({ pid: first.pid, count: 2 });
    expect(second.initMs).toBeUndefined();
    expect(JSON.parse(second.payload).requestId).not.toBe(first.requestId);
  });

  test("an error of the handler is told with type, message and trace, and the environment lives on", async () => {
    const created = create();
    const { payload, functionError } = await created.invoke({ fail: "no such image" });
    expect(functionError).toBe("Unhandled");
    expect(JSON.parse(payload)).toMatchObject({ errorType: "TypeError", errorMessage: "no such image" });
    expect(JSON.parse(payload).trace[0]).toBe("TypeError: no such image");
    expect((await created.invoke({})).initMs).toBeUndefined();
  });

  test("an invocation over its time is cut with its environment, and the next one gets a new one", async () => {
    const created = create(CODE, { timeoutS: 1 });
    const { pid } = JSON.parse((await created.invoke({})).payload);
    const cut = await created.invoke({ waitMs: 5_000 });
    expect(cut.durationMs).toBeGreaterThan(990);
    expect(cut.durationMs).toBeLessThan(2_000);
    expect(JSON.parse(cut.payload)).toEqual({
      errorType: "Sandbox.Timedout",
      errorMessage: `RequestId: ${cut.requestId} Error: Task timed out after 1.00 seconds`,
    });
    expect(alive(pid)).toBe(false);
    const next = await created.invoke({});
    expect(JSON.parse(next.payload).count).toBe(1);
    expect(next.initMs).toBeGreaterThan(0);
  });

  test("a function that exits fails the invocation, and starts again with the next", async () => {
    const created = create();
    const { payload, functionError } = await created.invoke({ exit: 3 });
    expect(functionError).toBe("Unhandled");
    expect(JSON.parse(payload)).toMatchObject({
      errorType: "Runtime.ExitError",
      errorMessage: expect.stringContaining("Runtime exited with error: exit status 3"),
    });
    expect(JSON.parse((await created.invoke({})).payload).count).toBe(1);
  });

  test("an environment that dies between two invocations is replaced", async () => {
    const created = create();
    const { pid } = JSON.parse((await created.invoke({})).payload);
    process.kill(pid, "SIGKILL");
    await sleep(200);
    expect(JSON.parse((await created.invoke({})).payload).count).toBe(1);
  });

  test.each([
    ["throws", 'throw new RangeError("no settings");', "RangeError", "no settings"],
    [
      "has no such export",
      "exports.other = 1;",
      "Runtime.HandlerNotFound",
      "index.handler is undefined or not exported",
    ],
    ["is no JavaScript", "this is not", "Runtime.UserCodeSyntaxError", "SyntaxError"],
  ])("a start that %s fails the invocation with the reason", async (_what, code, errorType, message) => {
    const { payload, functionError } = await create(code).invoke({});
    expect(functionError).toBe("Unhandled");
    expect(JSON.parse(payload)).toMatchObject({ errorType, errorMessage: expect.stringContaining(message) });
  });

  test("a runtime that cannot be started is named", async () => {
    command = ["/nonexistent/node", "index.mjs"];
    try {
      const { payload } = await create().invoke({});
      expect(JSON.parse(payload).errorMessage).toContain("/nonexistent/node cannot be started");
    } finally {
      command = await prepareNodeRuntime();
    }
  });

  test("invocations at the same time get an environment each, and one too many is throttled", async () => {
    const created = create(CODE, { concurrency: 2 });
    const both = [created.invoke({ waitMs: 300 }), created.invoke({ waitMs: 300 })];
    await expect(created.invoke({})).rejects.toThrow(ThrottledError);
    const pids = (await Promise.all(both)).map(({ payload }) => JSON.parse(payload).pid);
    expect(new Set(pids).size).toBe(2);
    expect(pids).toContain(JSON.parse((await created.invoke({})).payload).pid);
  });

  test("closing a function ends what runs, and what is still starting", async () => {
    const created = create();
    await created.invoke({});
    const both = Promise.allSettled([created.invoke({ waitMs: 60_000 }), created.invoke({})]);
    // The first is handed over; a second environment takes many times as long to start.
    await sleep(5);
    await created.close();
    const [cut, starting] = await both;
    expect(cut).toMatchObject({ value: { payload: expect.stringContaining("signal: SIGKILL") } });
    expect(starting).toMatchObject({ reason: expect.objectContaining({ message: "of-the-test: it was closed." }) });
  });

  test("an answer over 6 MB is an error, and the environment lives on", async () => {
    const created = create();
    const { payload } = await created.invoke({ bytes: MAX_PAYLOAD_BYTES });
    expect(JSON.parse(payload).errorType).toBe("Function.ResponseSizeTooLarge");
    expect(JSON.parse((await created.invoke({})).payload)).toMatchObject({ event: {} });
  });
});

describeUnless(motoMissing() ?? nodeRuntimeMissing())("lambda: a deployed function", () => {
  const REGION = "ap-northeast-2";
  const folder = mkdtempSync(join(tmpdir(), "lambda-test-"));
  const file = join(folder, "code.zip");
  let moto: Moto;

  beforeAll(async () => {
    moto = await startMoto();
    const code = `exports.handler = async () => ({
      table: process.env.TABLE, key: process.env.AWS_ACCESS_KEY_ID, aws: process.env.AWS_ENDPOINT_URL,
    });`;
    writeFileSync(file, packFiles([{ path: "index.js", content: Buffer.from(code) }]));
    const client = (service: string) =>
      new AwsClient({ accessKeyId: "local", secretAccessKey: "local", service, region: REGION });
    const role = { Action: "CreateRole", RoleName: "of-role", AssumeRolePolicyDocument: "{}", Version: "2010-05-08" };
    await client("iam").fetch(moto.endpoint, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: String(new URLSearchParams(role)),
    });
    const created = await client("lambda").fetch(`${moto.endpoint}/2015-03-31/functions`, {
      method: "POST",
      body: JSON.stringify({
        FunctionName: "of-stack",
        Runtime: "nodejs22.x",
        Handler: "index.handler",
        Role: "arn:aws:iam::123456789012:role/of-role",
        Timeout: 7,
        Environment: { Variables: { TABLE: "t" } },
        Code: { ZipFile: readFileSync(file).toString("base64") },
      }),
    });
    expect([created.status, await created.text()]).toEqual([201, expect.any(String)]);
  }, SETUP_MS);
  afterAll(async () => {
    await moto?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const deployed = async (name: string) =>
    deployedFunction({
      name,
      region: REGION,
      awsEndpoint: moto.endpoint,
      command: await prepareNodeRuntime(),
      artifact: { program: name, file, sha256: "of-no-use" },
    });

  test("it runs with the settings and in the name of the role that were deployed", async () => {
    const fn = await deployed("of-stack");
    const { payload } = await fn.invoke({});
    await fn.close();
    expect(JSON.parse(payload)).toEqual({ table: "t", key: "of-role", aws: moto.endpoint });
  });

  test("one that is not there, and other code than was deployed, are refused", async () => {
    await expect(deployed("other")).rejects.toThrow(/no function other at .* Deploy its stack first/);
    writeFileSync(file, packFiles([{ path: "index.js", content: Buffer.from("// changed") }]));
    await expect(deployed("of-stack")).rejects.toThrow(/deployed was the code .* Deploy its stack again/);
  });
});

describe("lambda: the Runtime API", () => {
  const said: Said[] = [];
  let api: RuntimeApi;
  const call = async (method: string, path: string, body?: string) => {
    const response = await fetch(`http://${api.address}/2018-06-01/runtime/${path}`, { method, body });
    return [response.status, await response.json().catch(() => undefined)] as const;
  };

  beforeEach(async () => {
    said.length = 0;
    api = await RuntimeApi.start((each) => said.push(each));
  });
  afterEach(() => api.close());

  test("a response to an invocation that is not under way is refused", async () => {
    expect(await call("POST", "invocation/none/response", "{}")).toMatchObject([
      400,
      { errorType: "InvalidRequestID" },
    ]);
    expect(said).toEqual([]);
  });

  test("asking for more before the answer is refused", async () => {
    const first = call("GET", "invocation/next");
    while (said.length === 0) {
      await sleep(5);
    }
    api.send({ requestId: "a b", payload: '{"a":1}', deadlineMs: 5, traceId: "t", functionArn: "arn" });
    expect(await first).toEqual([200, { a: 1 }]);
    expect(await call("GET", "invocation/next")).toMatchObject([403, { errorType: "InvalidStateTransition" }]);
    expect(await call("POST", "invocation/a%20b/response", '"done"')).toMatchObject([202, { status: "OK" }]);
    expect(said).toEqual([{ kind: "ready" }, { kind: "response", requestId: "a b", payload: '"done"' }]);
  });

  test("a path that is not of the API is 404", async () => {
    expect((await call("GET", "elsewhere"))[0]).toBe(404);
  });
});
