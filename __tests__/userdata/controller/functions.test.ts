/** Functions over the API: what an upload stores, and what it refuses. */
import { createHash } from "node:crypto";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { strFromU8, strToU8, unzipSync, type Zippable, zipSync } from "fflate";
import { motoMissing } from "../../support/servers";
import { describeUnless } from "../../support/tools";
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
    expect((await controller.call("GET", `/v1/functions/${created.body.functionId}`)).body).toEqual(created.body);
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

    const answers = await Promise.all(
      [1, 2, 3, 4].map((n) => controller.call("PUT", path, { json: { name: `raced ${n}`, code: `${HELLO}# ${n}\n` } })),
    );

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
