/** The presign function: what it signs is used by a plain HTTP client, and whatever was not signed is refused. */
import { setTimeout as sleep } from "node:timers/promises";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import type { LocalFunction } from "../../../local/lambda/function";
import { nodeRuntimeMissing } from "../../../local/lambda/node-runtime";
import { motoMissing } from "../../support/servers";
import { describeUnless } from "../../support/tools";
import { ask, IN_BUCKET, MAX_UPLOAD_BYTES, PresignWorld, queryOf, SETUP_MS } from "./world";

const TIFF = { "content-type": "image/tiff" };

describeUnless(motoMissing() ?? nodeRuntimeMissing())("presign", () => {
  let world: PresignWorld;
  let presign: LocalFunction;

  beforeAll(async () => {
    world = await PresignWorld.start();
    presign = world.createFunction();
  }, SETUP_MS);
  afterAll(async () => {
    await presign?.close();
    await world?.stop();
  });

  const upload = async (file: string) => (await ask(presign, queryOf(file, "upload"))).body;
  const stored = async (key: string) => {
    const { Body, ContentType } = await world.s3.send(new GetObjectCommand({ Bucket: IN_BUCKET, Key: key }));
    return [await Body?.transformToString(), ContentType];
  };
  const put = (url: string, headers: Record<string, string> = TIFF) =>
    fetch(url, { method: "PUT", body: "image", headers });
  const post = ({ url, fields }: { url: string; fields: object }, changed: object, content = "image") => {
    const form = new FormData();
    for (const [name, value] of Object.entries({ ...fields, ...changed })) {
      form.append(name, String(value));
    }
    form.append("file", new Blob([content]));
    return fetch(url, { method: "POST", body: form });
  };
  const codeOf = async (response: Response) => [
    response.status,
    /<Code>(\w+)</.exec(await response.text())?.[1] ?? "none",
  ];

  test("an upload is signed for one key and type: a plain PUT stores it", async () => {
    const { status, headers, body } = await ask(presign, queryOf("a/frame 7.tif", "upload"));
    expect(status).toBe(200);
    expect(headers["cache-control"]).toBe("no-store");
    expect(body).toMatchObject({ key: "a/frame 7.tif", method: "PUT", headers: TIFF, expiresInSeconds: 300 });
    const url = new URL(body.url);
    expect([url.pathname, url.searchParams.get("X-Amz-Expires")]).toEqual([`/${IN_BUCKET}/a/frame%207.tif`, "300"]);
    expect(url.searchParams.get("X-Amz-SignedHeaders")).toBe("content-type;host");
    expect((await put(body.url, body.headers)).status).toBe(200);
    expect(await stored("a/frame 7.tif")).toEqual(["image", "image/tiff"]);
  });

  test("a browser's POST stores it too", async () => {
    const { key, post: form } = await upload("b.png");
    expect((await post(form, {})).status).toBe(204);
    expect(await stored(key)).toEqual(["image", "image/png"]);
  });

  test.each([
    ["for another key", (url: string) => url.replace("c.tif", "d.tif"), TIFF, "SignatureDoesNotMatch"],
    ["for another bucket", (url: string) => url.replace(IN_BUCKET, "other"), TIFF, "SignatureDoesNotMatch"],
    ["made to last", (url: string) => url.replace("Expires=300", "Expires=900"), TIFF, "SignatureDoesNotMatch"],
    ["with another type", (url: string) => url, { "content-type": "text/html" }, "SignatureDoesNotMatch"],
    ["with a header more", (url: string) => url, { ...TIFF, "x-amz-acl": "public-read" }, "AccessDenied"],
  ])("a PUT %s is refused", async (_what, change, headers, code) => {
    const { url } = await upload("c.tif");
    expect(await codeOf(await put(change(url), headers))).toEqual([403, code]);
  });

  test.each([
    ["that is too large", {}, "x".repeat(MAX_UPLOAD_BYTES + 1), 400, "EntityTooLarge"],
    ["that is empty", {}, "", 400, "EntityTooSmall"],
    ["of another type", { "Content-Type": "text/html" }, "image", 403, "AccessDenied"],
    ["for another key", { key: "f.tif" }, "image", 403, "AccessDenied"],
    ["that others may read", { acl: "public-read" }, "image", 403, "AccessDenied"],
  ])("a POST %s is refused by its policy", async (_what, changed, content, status, code) => {
    const { post: form } = await upload("e.tif");
    expect(await codeOf(await post(form, changed, content))).toEqual([status, code]);
    await expect(stored("e.tif")).rejects.toThrow("does not exist");
  });

  test("what has expired is refused, PUT and POST", async () => {
    const brief = world.createFunction({ DDN_URL_SECONDS: "1" });
    try {
      const { body } = await ask(brief, queryOf("late.tif", "upload"));
      await sleep(2_100);
      expect(await codeOf(await put(body.url))).toEqual([403, "AccessDenied"]);
      expect(await codeOf(await post(body.post, {}))).toEqual([403, "AccessDenied"]);
    } finally {
      await brief.close();
    }
  });

  test("a download is signed for a result that is there, and comes as a file with its name", async () => {
    await world.putResult("out/größe 1.tif", "clean");
    const { status, body } = await ask(presign, queryOf("out/größe 1.tif", "download"));
    expect([status, body.method, body.expiresInSeconds]).toEqual([200, "GET", 300]);
    const response = await fetch(body.url);
    expect([response.status, await response.text()]).toEqual([200, "clean"]);
    expect(response.headers.get("content-disposition")).toBe("attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe%201.tif");
    expect(await codeOf(await fetch(body.url.replace("out/", "in/")))).toEqual([403, "SignatureDoesNotMatch"]);
  });

  test("a download of what is not there is 404, and what was uploaded is no result", async () => {
    await put((await upload("only-in.tif")).url);
    const { status, headers, body } = await ask(presign, queryOf("only-in.tif", "download"));
    expect([status, headers["content-type"]]).toEqual([404, "application/problem+json"]);
    expect(body).toMatchObject({
      type: "urn:denoise:problem:not-found",
      status: 404,
      detail: 'There is no result "only-in.tif".',
      instance: "/presign",
      requestId: "request-1",
      field: "file",
    });
  });

  test.each([
    ["file=a.tif", "mode", 'mode: expected upload or download, got ""'],
    ["file=a.tif&mode=delete", "mode", 'mode: expected upload or download, got "delete"'],
    ["file=a.tif&mode=upload&mode=upload", "mode", "mode: expected it once, got it 2 times"],
    ["mode=upload", "file", "file: expected a key such as 2026/frame-7.tif, got none"],
    ["file=a.tif&file=b.tif&mode=upload", "file", "file: expected it once, got it 2 times"],
    ["file=..%2Fa.tif&mode=upload", "file", 'file: expected no ".." in the path, got "../a.tif"'],
    ["file=%2e%2e%2fa.tif&mode=download", "file", 'file: expected no ".." in the path, got "../a.tif"'],
    ["file=.requests%2Fx.tif&mode=download", "file", /the service's own/],
    ["file=a%FF.tif&mode=upload", "file", /no UTF-8/],
    ["file=a%0d%0ax-amz-acl:public-read.tif&mode=upload", "file", /control character/],
    ["file=a.html&mode=upload", "file", /\.tif, \.tiff or \.png/],
  ])("%s is refused with its field", async (query, field, detail) => {
    const { status, body } = await ask(presign, query);
    expect(status).toBe(400);
    expect(body).toMatchObject({ type: "urn:denoise:problem:invalid-request", field, errors: [{ field }] });
    expect(body.detail).toMatch(detail);
    expect(body.remedy).toContain(`Correct ${field}`);
  });

  test("each request is one line of JSON with its ids, and no signature is in it", async () => {
    world.output = "";
    const { body } = await ask(presign, queryOf("logged.tif", "upload"));
    const lines = world.output.trim().split("\n");
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      level: "info",
      program: "presign",
      requestId: "request-1",
      invocationId: expect.stringMatching(/^[\da-f-]{36}$/),
      mode: "upload",
      file: "logged.tif",
      status: 200,
    });
    const signature = new URL(body.url).searchParams.get("X-Amz-Signature") ?? "none";
    expect(world.output).not.toContain(signature);
    expect(world.output).not.toContain("X-Amz");
  });

  test("S3 that does not answer is 503 with a time to try again", async () => {
    const alone = world.createFunction({ AWS_ENDPOINT_URL: "http://127.0.0.1:9" });
    try {
      const { status, headers, body } = await ask(alone, queryOf("a.tif", "download"));
      expect([status, headers["retry-after"], body.type]).toEqual([503, "5", "urn:denoise:problem:unavailable"]);
    } finally {
      await alone.close();
    }
  });

  test("wrong settings fail the start, every one of them named", async () => {
    const wrong = world.createFunction({ DDN_OUT_BUCKET: "", DDN_URL_SECONDS: "301", DDN_MAX_UPLOAD_BYTES: "2 GiB" });
    try {
      const failed = await wrong.invoke({});
      expect(failed.functionError).toBe("Unhandled");
      const { errorMessage } = JSON.parse(failed.payload);
      expect(errorMessage).toContain("presign: 3 of its environment variables are wrong.");
      expect(errorMessage).toContain("DDN_OUT_BUCKET: is empty");
      expect(errorMessage).toContain('DDN_URL_SECONDS: expected 1 to 300 seconds, got "301"');
      expect(errorMessage).toContain('DDN_MAX_UPLOAD_BYTES: expected bytes as a whole number, got "2 GiB"');
    } finally {
      await wrong.close();
    }
  });

  describe("permissions", () => {
    const attempts: Record<string, () => Promise<unknown>> = {
      SignUploads: async () => (await put((await upload("allowed.tif")).url)).status,
      SignDownloads: async () => {
        await world.putResult("allowed.png", "x");
        return (await ask(presign, queryOf("allowed.png", "download"))).status;
      },
      TellMissingFromForbidden: async () => (await ask(presign, queryOf("missing.tif", "download"))).status,
    };
    const actions: Record<string, [string, number, number]> = {
      SignUploads: ["s3:PutObject", 200, 403],
      SignDownloads: ["s3:GetObject", 200, 500],
      TellMissingFromForbidden: ["s3:ListBucket", 404, 500],
    };

    test.each(Object.keys(attempts))("without %s, what needs it fails", async (sid) => {
      const [action, allowed, denied] = actions[sid] ?? ["", 0, 0];
      expect(await attempts[sid]?.()).toBe(allowed);
      world.authorizer.without = { sid, action };
      try {
        expect(await attempts[sid]?.()).toBe(denied);
      } finally {
        world.authorizer.without = undefined;
      }
    });
  });
});
