/** Requests that nobody would send on purpose, or only on purpose: each is answered with a problem, none with 500. */
import { once } from "node:events";
import { connect } from "node:net";
import { deflateSync, gzipSync } from "node:zlib";
import { openApiDocument } from "../../../userdata/controller/src/openapi";
import { motoMissing } from "../../support/servers";
import { describeUnless } from "../../support/tools";
import { type CallOptions, type Controller, HELLO, World } from "./world";

/** Texts that break what takes them for something else. */
const NASTY = [
  "",
  " ",
  "\u0000",
  "a\u0000b",
  "..",
  "../../etc/passwd",
  "%2e%2e%2f",
  "__proto__",
  "constructor",
  "idem#default#x",
  "health",
  "null",
  "true",
  "-1",
  "1e999",
  "99999999999999999999",
  "' OR 1=1 --",
  "<script>alert(1)</script>",
  "{{7*7}}",
  "\u202eevil",
  "안녕 ✓ \u{1F600}",
  "\uffff\ufffe",
  "x".repeat(3_000),
  "fn_00000000000000000000000000",
  "job_00000000000000000000000000",
  "key_0000000000000000",
];
const BODIES: readonly (readonly [string, string | Uint8Array<ArrayBuffer>])[] = [
  ["application/json", ""],
  ["application/json", "null"],
  ["application/json", "[]"],
  ["application/json", '"text"'],
  ["application/json", "{"],
  ["application/json", "\u0000"],
  ["application/json", new Uint8Array([0xff, 0xfe, 0x00])],
  ["application/json", '{"__proto__": {"name": "x"}, "constructor": 1}'],
  ["application/json", '{"name": {"$gt": ""}, "code": [], "runtime": {}, "handler": null, "memoryMb": 1e999}'],
  [
    "application/json",
    '{"name": "x", "code": "x", "memoryMb": 128.5, "timeoutS": -0, "environment": [], "secrets": 1}',
  ],
  ["application/json", `{"name": "x", "code": "x", "environment": {"A": ${"[".repeat(50_000)}${"]".repeat(50_000)}}}`],
  ["application/json", `{"name": "${"\\ud800".repeat(10)}", "code": "x"}`],
  ["application/json; charset=utf-7", "{}"],
  ["application/xml", "<a/>"],
  ["text/plain", "x"],
  ["", "x"],
  ["nonsense", "x"],
  ["multipart/form-data", "x"],
  ["multipart/form-data; boundary=", "x"],
  ["multipart/form-data; boundary=x", '--x\r\nContent-Disposition: form-data; name="__proto__"\r\n\r\n1\r\n--x--\r\n'],
  [
    "multipart/form-data; boundary=x",
    '--x\r\nContent-Disposition: form-data; name="code"; filename="../x"\r\n\r\nPK\r\n--x--\r\n',
  ],
  ["multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n"],
  ["multipart/form-data; boundary=x", "--x\r\n\u0000\u0001: \u0002\r\n\r\n1\r\n--x--\r\n"],
  ["application/x-www-form-urlencoded", "name=x&code=y"],
];

describeUnless(motoMissing())("hostile requests", () => {
  let world: World;
  let controller: Controller;
  let functionId: string;
  let jobId: string;
  const failed: string[] = [];

  beforeAll(async () => {
    world = await World.create();
    controller = await world.controller({ SYNC_MAX_WAIT_S: "1" });
    const json = { name: "mine", code: HELLO };
    ({ functionId } = (await controller.call("POST", "/v1/functions", { json })).body);
    const path = `/v1/functions/${functionId}/invocations?mode=async`;
    ({ jobId } = (await controller.call("POST", path, { json: 1 })).body);
    await controller.call("POST", `/v1/jobs/${jobId}/cancellation`);
  }, 60_000);
  afterAll(() => world?.close());
  afterEach(() => {
    expect(failed.splice(0)).toEqual([]);
    expect(controller.logged()).not.toContain("An unexpected error happened");
  });

  /** Sends it, and notes an answer that is no success and no problem. What the document lacks, the call itself throws at. */
  async function send(method: string, path: string, options: CallOptions = {}): Promise<number> {
    const { status, headers, body, text } = await controller.call(method, path, { key: world.adminKey, ...options });
    const problem = headers.get("content-type")?.startsWith("application/problem+json") && body.status === status;
    if (status >= 500 || (status >= 400 && !problem)) {
      failed.push(`${method} ${path.slice(0, 200)}: ${status} ${text.slice(0, 200)}`);
    }
    return status;
  }

  /** Sends bytes as they are. */
  async function sendRaw(bytes: string): Promise<string> {
    const { hostname, port } = new URL(controller.url);
    const socket = connect(Number(port), hostname);
    let reply = "";
    socket.on("data", (chunk) => {
      reply += chunk.toString("latin1");
    });
    socket.write(bytes, "latin1");
    socket.setTimeout(5_000, () => socket.destroy());
    await once(socket, "close");
    return reply;
  }

  const operations = Object.entries(openApiDocument().paths).flatMap(([template, methods]) =>
    Object.entries(
      methods as Record<string, { parameters?: { in: string; name: string }[]; requestBody?: object }>,
    ).map(([method, { parameters = [], requestBody }]) => ({
      method: method.toUpperCase(),
      template,
      parameters,
      requestBody,
    })),
  );
  const filled = (template: string) =>
    template
      .replace("{functionId}", functionId)
      .replace("{jobId}", jobId)
      .replace("{keyId}", "key_0000000000000000")
      .replace("{name}", "x");

  type Request = readonly [method: string, path: string, options?: CallOptions];

  /** Sends several at a time. */
  async function sendAll(requests: readonly Request[]): Promise<void> {
    for (let start = 0; start < requests.length; start += 8) {
      await Promise.all(requests.slice(start, start + 8).map((request) => send(...request)));
    }
  }

  /** Each operation with each of its parameters of a kind. */
  const withParameters = (kind: string) =>
    operations.flatMap(({ method, template, parameters }) =>
      parameters.filter((parameter) => parameter.in === kind).map(({ name }) => ({ method, template, name })),
    );

  test("in place of each part of a path", async () => {
    const texts = NASTY.filter((text) => text !== "" && text !== "..");
    await sendAll(
      withParameters("path").flatMap(({ method, template, name }) =>
        texts.map((text) => [method, filled(template.replace(`{${name}}`, encodeURIComponent(text)))] as const),
      ),
    );
  }, 60_000);

  test("in place of each parameter of a query, and twice", async () => {
    await sendAll(
      withParameters("query").flatMap(({ method, template, name }) => {
        const odd = [`${name}=1&${name}=2`, `${name}[]=1`, `${name}[a]=1`, `${name}=%`, `${name}=%ff`, `${name}=%00`];
        const queries = [...NASTY.map((text) => `${name}=${encodeURIComponent(text)}`), ...odd];
        return queries.map((query) => [method, `${filled(template)}?${query}`] as const);
      }),
    );
  }, 60_000);

  test("in place of each header", async () => {
    const sendable = NASTY.filter((text) => /^[\t\x20-\x7e\x80-\xff]*$/.test(text));
    const texts = [...sendable, "\u00e9", "a,b", '"', "respond-async;wait=x,", "00-0-0-0"];
    // Headers are read before the function is looked for: one that there is not saves its job.
    const none = "fn_00000000000000000000000000";
    await sendAll(
      withParameters("header").flatMap(({ method, template, name }) =>
        texts.map(
          (text) => [method, filled(template.replace("{functionId}", none)), { headers: { [name]: text } }] as const,
        ),
      ),
    );
  }, 60_000);

  test("in place of each body, compressed and not", async () => {
    const json = { "content-type": "application/json" };
    const bomb = new Uint8Array(gzipSync(Buffer.alloc(20 * 1024 * 1024, "1")));
    const packed: CallOptions[] = [
      { body: bomb, headers: { ...json, "content-encoding": "gzip" } },
      { body: new Uint8Array(deflateSync("{}")), headers: { ...json, "content-encoding": "gzip" } },
      { body: "{}", headers: { ...json, "content-encoding": "rot13" } },
    ];
    const plain = BODIES.map(([type, body]) => ({ body, headers: { "content-type": type } }));
    await sendAll(
      operations
        .filter(({ requestBody }) => requestBody)
        .flatMap(({ method, template }) =>
          [...plain, ...packed].map((options) => [method, `${filled(template)}?mode=async`, options] as const),
        ),
    );
  }, 60_000);

  test("with a method that a route lacks, 405 says which it has", async () => {
    for (const { template } of operations) {
      for (const method of ["PATCH", "PROPFIND"]) {
        const { status, headers } = await controller.call(method, filled(template), { key: world.adminKey });
        expect(status).toBe(405);
        expect(headers.get("allow")).toBeTruthy();
      }
    }
  });

  test.each([
    [
      "a path that is not percent-encoded as it must be",
      "GET /v1/jobs/%zz HTTP/1.1\r\nHost: x\r\nAuthorization: KEY\r\nConnection: close\r\n\r\n",
      400,
    ],
    [
      "a path with raw bytes",
      "GET /v1/jobs/\xff\xfe HTTP/1.1\r\nHost: x\r\nAuthorization: KEY\r\nConnection: close\r\n\r\n",
      400,
    ],
    ["a NUL byte in the path", "GET /v1/jobs/\0 HTTP/1.1\r\nHost: x\r\n\r\n", 400],
    ["a NUL byte in a header", "GET /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: a\0b\r\n\r\n", 400],
    ["no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400],
    ["headers of 20 KiB", `GET /v1/jobs HTTP/1.1\r\nHost: x\r\nX-Large: ${"x".repeat(20_000)}\r\n\r\n`, 431],
    [
      "so many headers that the key is not among those read",
      `GET /v1/jobs HTTP/1.1\r\nHost: x\r\n${"a: b\r\n".repeat(1_000)}Authorization: KEY\r\nConnection: close\r\n\r\n`,
      401,
    ],
    ["no Host", "GET /v1/jobs HTTP/1.1\r\nConnection: close\r\n\r\n", 400],
    ["two lengths", "POST /v1/keys HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400],
    [
      "a length and chunks",
      "POST /v1/keys HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
    ["a length that is not one", "POST /v1/keys HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400],
    [
      "chunks that are none",
      "POST /v1/keys HTTP/1.1\r\nHost: x\r\nAuthorization: KEY\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      400,
    ],
    [
      "two keys, of which the first counts",
      "GET /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: KEY\r\nAuthorization: Bearer ng_x\r\nConnection: close\r\n\r\n",
      200,
    ],
    [
      "two event ids",
      "GET /v1/jobs/JOB/events HTTP/1.1\r\nHost: x\r\nAuthorization: KEY\r\nLast-Event-ID: 1:1\r\nLast-Event-ID: 1:2\r\nConnection: close\r\n\r\n",
      400,
    ],
    [
      "an expectation that is not known",
      "POST /v1/keys HTTP/1.1\r\nHost: x\r\nExpect: the-best\r\nConnection: close\r\n\r\n",
      401,
    ],
  ])("%s", async (_what, bytes, expected) => {
    const reply = await sendRaw(bytes.replaceAll("KEY", `Bearer ${world.adminKey}`).replace("JOB", jobId));
    expect(reply).toMatch(new RegExp(`^HTTP/1\\.1 ${expected} `));
    if (expected !== 200) {
      const [head = "", body = ""] = reply.split("\r\n\r\n");
      expect(head).toMatch(/content-type: application\/problem\+json/i);
      expect(JSON.parse(body)).toMatchObject({
        status: expected,
        remedy: expect.any(String),
        requestId: expect.any(String),
      });
    }
    expect((await controller.call("GET", "/health")).status).toBe(200);
  });

  test("ids that are another kind's, or forged, are not found", async () => {
    const forged = [
      functionId,
      `idem#default#${"0".repeat(64)}`,
      `${jobId} `,
      jobId.toLowerCase(),
      "job_8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
    ];
    for (const id of forged) {
      const at = `/v1/jobs/${encodeURIComponent(id)}`;
      for (const path of [at, `${at}/events`, `${at}/logs`, `${at}/files/x`]) {
        expect(await send("GET", path)).toBe(404);
      }
      expect(await send("POST", `${at}/cancellation`)).toBe(404);
    }
  });
});
