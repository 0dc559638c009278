/** Functions over the API: what an upload stores, and what it refuses. */
import { createHash } from "node:crypto";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { strFromU8, strToU8, unzipSync, type Zippable, zipSync } from "fflate";
import { motoMissing } from "../../support/servers";
import { describeUnless } from "../../support/tools";
import { startProxy } from "./proxy";
import { type Controller, HELLO, World } from "./world";

const CODE_BUCKET = "nanogrid-code-bucket";

describeUnless(motoMissing())("functions", () => {
  let world: World;
  let controller: Controller;

  beforeAll(async () => {
    world = await World.create();
    controller = await world.controller();
  }, 60_000);
  afterAll(() => world?.close());

  function form(zip: Zippable | Uint8Array, fields: Record<string, string> = {}): FormData {
    const data = new FormData();
    for (const [name, value] of Object.entries({ name: "zipped", ...fields })) {
      data.set(name, value);
    }
    const bytes = zip instanceof Uint8Array ? zip : zipSync(zip);
    data.set("code", new Blob([Buffer.from(bytes)]), "code.zip");
    return data;
  }

  async function keysOf(functionId: string): Promise<string[]> {
    const reply = await world.aws.s3.send(
      new ListObjectsV2Command({ Bucket: CODE_BUCKET, Prefix: `functions/default/${functionId}/` }),
    );
    return (reply.Contents ?? []).map(({ Key }) => Key ?? "");
  }

  test("inline source becomes a zip with main.py, where the protocol says", async () => {
    const created = await controller.call("POST", "/v1/functions", { json: { name: "hello", code: HELLO } });

    expect(created.status).toBe(201);
    const { functionId, codeSha256, codeBytes } = created.body;
    expect(created.headers.get("location")).toBe(`/v1/functions/${functionId}`);
    expect(created.body).toMatchObject({
      name: "hello",
      runtime: "python",
      handler: "main.handler",
      version: 1,
      memoryMb: 256,
    });
    const zip = await world.object(CODE_BUCKET, `functions/default/${functionId}/1.zip`);
    expect(strFromU8(unzipSync(zip)["main.py"] ?? new Uint8Array())).toBe(HELLO);
    expect(zip.length).toBe(codeBytes);
    expect(createHash("sha256").update(zip).digest("hex")).toBe(codeSha256);
    const { Item } = await world.aws.dynamo.send(
      new GetCommand({ TableName: "NanoGridFunctions", Key: { functionId } }),
    );
    expect(Item).toEqual({
      functionId,
      tenant: "default",
      name: "hello",
      runtime: "python",
      handler: "main.handler",
      version: 1,
      codeKey: `functions/default/${functionId}/1.zip`,
      codeSha256,
      codeBytes,
      memoryMb: 256,
      environment: {},
      secrets: {},
      egress: false,
      hasDependencies: false,
      createdAt: created.body.createdAt,
      updatedAt: created.body.createdAt,
    });
  });

  test("a multipart upload stores the zip byte for byte, with its fields", async () => {
    const zip = zipSync({ "app/run.py": strToU8(HELLO), "data.bin": new Uint8Array(100_000).fill(7) });
    const body = form(zip, {
      handler: "app.run.handler",
      memoryMb: "512",
      timeoutS: "86400",
      environment: '{"MODE":"fast"}',
    });

    const created = await controller.call("POST", "/v1/functions", { body });

    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ memoryMb: 512, timeoutS: 86_400, environment: { MODE: "fast" } });
    const stored = await world.object(CODE_BUCKET, `functions/default/${created.body.functionId}/1.zip`);
    expect(stored.equals(zip)).toBe(true);
    const read = await fetch(`${controller.url}/v1/functions/${created.body.functionId}/code`, {
      headers: { authorization: `Bearer ${world.key}` },
    });
    expect(read.headers.get("content-type")).toBe("application/zip");
    expect(Buffer.from(await read.arrayBuffer()).equals(zip)).toBe(true);
    expect((await controller.call("GET", `/v1/functions/${created.body.functionId}`)).body).toEqual(created.body);
  });

  test("inline source for node becomes main.mjs, and a zip may hold any file that node loads", async () => {
    const source = "export const handler = async (event) => ({ event });\n";
    const json = { name: "node", runtime: "node", code: source };
    const { body } = await controller.call("POST", "/v1/functions", { json });
    expect(body).toMatchObject({ runtime: "node", handler: "main.handler", hasDependencies: false });
    const zip = await world.object(CODE_BUCKET, `functions/default/${body.functionId}/1.zip`);
    expect(strFromU8(unzipSync(zip)["main.mjs"] ?? new Uint8Array())).toBe(source);

    const fields = { runtime: "node", handler: "app.index.run" };
    const cjs = await controller.call("POST", "/v1/functions", {
      body: form({ "app/index.cjs": strToU8("exports.run = () => 1") }, fields),
    });
    expect(cjs.status).toBe(201);
    const python = await controller.call("POST", "/v1/functions", {
      body: form({ "main.py": strToU8(HELLO) }, fields),
    });
    expect(python.body.errors).toEqual([{ field: "handler", detail: expect.stringContaining("app/index.mjs") }]);
  });

  test("egress and secrets are kept by name, as JSON and as a form", async () => {
    const secrets = { DATABASE_URL: "orders-db", TOKEN: "a.b_c-1" };
    const json = { name: "wide", code: HELLO, egress: true, secrets };
    const asJson = await controller.call("POST", "/v1/functions", { json });
    const asForm = await controller.call("POST", "/v1/functions", {
      body: form({ "main.py": strToU8(HELLO) }, { egress: "true", secrets: JSON.stringify(secrets) }),
    });
    for (const { status, body } of [asJson, asForm]) {
      expect(status).toBe(201);
      expect(body).toMatchObject({ egress: true, secrets });
    }
  });

  test.each<[string, object, string]>([
    ["a variable that is a secret too", { environment: { A: "1" }, secrets: { A: "a" } }, "secrets.A"],
    ["a secret's name with a path", { secrets: { A: "../other/secret" } }, "secrets.A"],
    ["a secret for no variable", { secrets: { "A B": "a" } }, "secrets.A B"],
    ["egress as text", { egress: "yes" }, "egress"],
    ["a variable named __proto__", { environment: JSON.parse('{"__proto__": "x"}') }, "environment.__proto__"],
    ["half a character", { environment: { A: "\ud800" } }, "environment.A"],
    ["half a character in the code", { code: "# \udc00" }, "code"],
    ["too large an environment", { environment: { A: "x".repeat(17_000) } }, "environment"],
    ["too many dependencies", { dependencies: "#".repeat(65_537) }, "dependencies"],
    ["a limit beyond all runs", { timeoutS: 1e15 }, "timeoutS"],
    ["a package.json that is none", { runtime: "node", dependencies: "[1]" }, "code"],
  ])("%s is refused by name", async (_what, fields, field) => {
    const { status, body } = await controller.call("POST", "/v1/functions", {
      json: { name: "wrong", code: HELLO, ...fields },
    });
    expect(status).toBe(400);
    expect(body.errors.map((error: { field: string }) => error.field)).toEqual([field]);
  });

  test("dependencies, inline or in the zip, are resolved by a job of their own, with nothing of the function's", async () => {
    const dependencies = "requests==2.32.0\n";
    const json = {
      name: "needs",
      code: HELLO,
      dependencies,
      environment: { MODE: "x" },
      secrets: { T: "t" },
      egress: true,
    };
    await world.emptyQueue();

    const created = await controller.call("POST", "/v1/functions", { json });

    expect(created.status).toBe(201);
    const { functionId, buildJobId, hasDependencies, codeSha256 } = created.body;
    expect(hasDependencies).toBe(true);
    const zip = await world.object(CODE_BUCKET, `functions/default/${functionId}/1.zip`);
    expect(strFromU8(unzipSync(zip)["requirements.txt"] ?? new Uint8Array())).toBe(dependencies);
    const message = await world.receive();
    expect(message?.group).toBe("default");
    expect(message?.body).toMatchObject({
      kind: "build",
      job_id: buildJobId,
      function_id: functionId,
      function_version: 1,
      code_key: `functions/default/${functionId}/1.zip`,
      code_sha256: codeSha256,
      dependencies_key: `dependencies/default/${functionId}/1.zip`,
      environment: {},
      secrets: {},
      egress: false,
      input: null,
      timeout_s: null,
      callback_url: null,
    });
    expect((await controller.call("GET", `/v1/jobs/${buildJobId}`)).body).toMatchObject({ kind: "build", functionId });
    expect((await controller.call("GET", `/v1/functions/${functionId}`)).body).toEqual(created.body);

    const updated = await controller.call("PUT", `/v1/functions/${functionId}`, {
      body: form(
        { "main.mjs": strToU8("export const handler = 1"), "package.json": strToU8('{"dependencies":{"a":"1"}}') },
        {
          runtime: "node",
        },
      ),
    });
    expect(updated.body).toMatchObject({ version: 2, hasDependencies: true });
    expect(updated.body.buildJobId).not.toBe(buildJobId);
    expect((await world.receive())?.body.dependencies_key).toBe(`dependencies/default/${functionId}/2.zip`);

    const without = await controller.call("PUT", `/v1/functions/${functionId}`, {
      json: { name: "needs", code: HELLO },
    });
    expect(without.body).toMatchObject({ hasDependencies: false });
    expect(without.body.buildJobId).toBeUndefined();
    expect(await world.receive(0)).toBeUndefined();
  });

  test("a function whose build cannot be queued is there all the same, without a build job", async () => {
    const cut = await world.controller({ SQS_QUEUE_URL: "http://sqs.nowhere.invalid/123456789012/no-such-queue" });
    const json = { name: "unbuilt", code: HELLO, dependencies: "requests\n" };
    const { status, body } = await cut.call("POST", "/v1/functions", { json });
    expect(status).toBe(201);
    expect(body.hasDependencies).toBe(true);
    expect(body.buildJobId).toBeUndefined();
    expect((await controller.call("GET", `/v1/functions/${body.functionId}`)).body).toEqual(body);
  });

  test("functions are found by their exact name, however many others there are", async () => {
    const key = world.adminKey;
    for (const name of ["needle", "needle 2", "hay", "needle", "Needle"]) {
      await controller.call("POST", "/v1/functions", { key, json: { name, code: HELLO } });
    }
    const found = await controller.call("GET", "/v1/functions?name=needle");
    expect(found.body.items.map(({ name }: { name: string }) => name)).toEqual(["needle", "needle"]);
    const first = await controller.call("GET", "/v1/functions?name=needle&limit=1");
    const second = await controller.call("GET", `/v1/functions?name=needle&limit=1&cursor=${first.body.nextCursor}`);
    expect([...first.body.items, ...second.body.items]).toEqual(found.body.items);
    expect((await controller.call("GET", "/v1/functions?name=needl")).body).toEqual({ items: [] });
    expect((await controller.call("GET", "/v1/functions?name=")).status).toBe(400);
    expect((await controller.call("GET", "/v1/functions?name=a&name=b")).status).toBe(400);
  });

  test("an update is a new version, and the code of the first stays as it was", async () => {
    const { body } = await controller.call("POST", "/v1/functions", { json: { name: "one", code: HELLO } });
    const path = `/v1/functions/${body.functionId}`;
    const first = await world.object(CODE_BUCKET, `functions/default/${body.functionId}/1.zip`);

    const updated = await controller.call("PUT", path, { json: { name: "two", code: `${HELLO}# 2\n` } });

    expect(updated.body).toMatchObject({
      functionId: body.functionId,
      name: "two",
      version: 2,
      createdAt: body.createdAt,
    });
    expect(updated.body.codeSha256).not.toBe(body.codeSha256);
    expect((await world.object(CODE_BUCKET, `functions/default/${body.functionId}/1.zip`)).equals(first)).toBe(true);
    expect(await keysOf(body.functionId)).toHaveLength(2);
  });

  test("updates at the same time never share a version's code", async () => {
    const { body } = await controller.call("POST", "/v1/functions", { json: { name: "raced", code: HELLO } });
    const path = `/v1/functions/${body.functionId}`;

    // moto's conditional writes are two steps, between which another can come; those of AWS are one.
    let turn: Promise<unknown> = Promise.resolve();
    const proxy = await startProxy(world.moto.endpoint, (_request, forward) => {
      const reply = turn.then(forward);
      turn = reply.catch(() => undefined);
      return reply;
    });
    const ordered = await world.controller({ AWS_ENDPOINT_URL: proxy.url });

    const answers = await Promise.all(
      [1, 2, 3, 4].map((n) => ordered.call("PUT", path, { json: { name: `raced ${n}`, code: `${HELLO}# ${n}\n` } })),
    );

    proxy.close();
    expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true);
    const won = answers.filter(({ status }) => status === 200).map((answer) => answer.body);
    expect(won.length).toBeGreaterThan(0);
    expect(new Set(won.map(({ version }) => version)).size).toBe(won.length);
    for (const { version, codeSha256 } of won) {
      const zip = await world.object(CODE_BUCKET, `functions/default/${body.functionId}/${version}.zip`);
      expect(createHash("sha256").update(zip).digest("hex")).toBe(codeSha256);
    }
  });

  test("paging visits each function once, newest first, and ends", async () => {
    const names: string[] = [];
    for (let n = 0; n < 5; n++) {
      names.push(`paged ${n}`);
      await controller.call("POST", "/v1/functions", {
        key: world.otherKey,
        json: { name: `paged ${n}`, code: HELLO },
      });
      await sleep(5);
    }

    const seen: string[] = [];
    let cursor = "";
    for (let pages = 0; pages === 0 || (cursor && pages < 10); pages++) {
      const path = `/v1/functions?limit=2${cursor ? `&cursor=${cursor}` : ""}`;
      const { body } = await controller.call("GET", path, { key: world.otherKey });
      seen.push(...body.items.map(({ name }: { name: string }) => name));
      cursor = body.nextCursor ?? "";
    }

    expect(seen).toEqual(names.reverse());
  });

  test.each(["limit=0", "limit=101", "limit=ten", "cursor=nonsense", "cursor=WyJhIiwiYiJd"])(
    "a list with %s is refused by the name of the parameter",
    async (query) => {
      const { status, body } = await controller.call("GET", `/v1/functions?${query}`);
      expect(status).toBe(400);
      expect(body.errors[0].field).toBe(`query ${query.split("=")[0]}`);
    },
  );

  test("deleting removes the function and the code of all its versions", async () => {
    const { body } = await controller.call("POST", "/v1/functions", { json: { name: "gone", code: HELLO } });
    const path = `/v1/functions/${body.functionId}`;
    await controller.call("PUT", path, { json: { name: "gone", code: `${HELLO}#\n` } });

    expect((await controller.call("DELETE", path)).status).toBe(204);

    expect(await keysOf(body.functionId)).toEqual([]);
    expect((await controller.call("GET", path)).status).toBe(404);
    expect((await controller.call("DELETE", path)).status).toBe(404);
  });

  test("a problem names every wrong field and what to do", async () => {
    const json = {
      name: "",
      memoryMb: 63,
      timeoutS: 0,
      handler: "main",
      environment: { "a b": "1", C: 5 },
      colour: "red",
    };

    const { status, headers, body } = await controller.call("POST", "/v1/functions", { json });

    expect(status).toBe(400);
    expect(headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect(body.errors.map(({ field }: { field: string }) => field).sort()).toEqual(
      ["code", "colour", "environment.C", "environment.a b", "handler", "memoryMb", "name", "timeoutS"].sort(),
    );
    expect(body.remedy).toContain("memoryMb");
    expect(body.requestId).toBe(headers.get("x-request-id"));
  });

  test.each([
    ["JSON that is broken", { body: "{", headers: { "content-type": "application/json" } }, 400, "body"],
    ["text", { body: "hello", headers: { "content-type": "text/plain" } }, 415, "header Content-Type"],
    [
      "a form that breaks off",
      { body: "--x\r\n", headers: { "content-type": "multipart/form-data; boundary=x" } },
      400,
      "body",
    ],
    ["a form without boundary", { body: "x", headers: { "content-type": "multipart/form-data" } }, 400, "body"],
  ])("%s is refused", async (_what, options, expected, field) => {
    const { status, body } = await controller.call("POST", "/v1/functions", options);
    expect(status).toBe(expected);
    expect(body.errors[0].field).toBe(field);
  });

  test("a form without its file, or with the code as text, says so", async () => {
    const without = new FormData();
    without.set("name", "x");
    const asText = new FormData();
    asText.set("name", "x");
    asText.set("code", HELLO);

    for (const body of [without, asText]) {
      const answer = await controller.call("POST", "/v1/functions", { body });
      expect(answer.status).toBe(400);
      expect(answer.body.errors).toEqual([{ field: "code", detail: expect.stringContaining("expected a file part") }]);
    }
  });

  test.each<[string, Zippable, RegExp]>([
    ["an entry above its folder", { "main.py": strToU8(HELLO), "../evil.py": strToU8("x") }, /invalid relative path/],
    ["an absolute entry", { "main.py": strToU8(HELLO), "/etc/evil": strToU8("x") }, /absolute path/],
    [
      "a symbolic link",
      { "main.py": strToU8(HELLO), link: [strToU8("/etc/passwd"), mode(0o120_777)] },
      /links and devices/,
    ],
    ["a device", { "main.py": strToU8(HELLO), device: [strToU8(""), mode(0o020_666)] }, /links and devices/],
  ])("a zip with %s is refused and nothing is stored", async (_what, zip, reason) => {
    const before = (await controller.call("GET", "/v1/functions?limit=100")).body.items.length;

    const { status, body } = await controller.call("POST", "/v1/functions", { body: form(zip) });

    expect(status).toBe(400);
    expect(body.errors).toEqual([{ field: "code", detail: expect.stringMatching(reason) }]);
    expect((await controller.call("GET", "/v1/functions?limit=100")).body.items.length).toBe(before);
  });

  test("a handler whose file is not in the code is refused by its name", async () => {
    const { status, body } = await controller.call("POST", "/v1/functions", {
      body: form({ "other.py": strToU8(HELLO) }),
    });
    expect(status).toBe(400);
    expect(body.errors[0]).toEqual({ field: "handler", detail: expect.stringContaining("main.py") });
  });

  test("an upload over the limit gets 413 while it is still being sent", async () => {
    const small = await world.controller({ UPLOAD_MAX_BYTES: "100000" });
    const { status, sent } = await endlessUpload(`${small.url}/v1/functions`, world.key);
    expect(status).toBe(413);
    expect(sent).toBeLessThan(50_000_000);
  });

  test("an upload whose Content-Length is over the limit gets 413, JSON and form alike", async () => {
    const small = await world.controller({ UPLOAD_MAX_BYTES: "100000" });
    const asForm = form({ "main.py": strToU8(HELLO), "big.bin": [new Uint8Array(200_000), { level: 0 }] });
    const asJson = { name: "big", code: "#".repeat(200_000) };

    for (const options of [{ body: asForm }, { json: asJson }]) {
      const { status, body } = await small.call("POST", "/v1/functions", options);
      expect(status).toBe(413);
      expect(body).toMatchObject({ detail: expect.stringContaining("100000"), errors: [{ field: "body" }] });
    }
  });
});

function mode(attributes: number) {
  return { os: 3, attrs: (attributes << 16) >>> 0 };
}

/** Sends a form without Content-Length and without end until an answer comes. */
function endlessUpload(url: string, key: string): Promise<{ status: number; sent: number }> {
  return new Promise((resolve, reject) => {
    let sent = 0;
    const head =
      '--x\r\nContent-Disposition: form-data; name="code"; filename="c.zip"\r\nContent-Type: application/zip\r\n\r\n';
    const upload = request(url, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "multipart/form-data; boundary=x" },
    });
    const chunk = Buffer.alloc(16_384, 1);
    const timer = setInterval(() => {
      upload.write(chunk);
      sent += chunk.length;
    }, 1);
    upload.on("response", (response) => {
      clearInterval(timer);
      response.resume();
      upload.destroy();
      resolve({ status: response.statusCode ?? 0, sent });
    });
    upload.on("error", (error) => {
      clearInterval(timer);
      reject(error);
    });
    upload.write(head);
  });
}
