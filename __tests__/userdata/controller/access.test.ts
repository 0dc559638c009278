/** Who may ask: keys, tenants, and what never gets into a log. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { ScanCommand } from "@aws-sdk/lib-dynamodb";
import { motoMissing } from "../../support/servers";
import { describeUnless } from "../../support/tools";
import { type Controller, HELLO, World } from "./world";

describeUnless(motoMissing())("access", () => {
  let world: World;
  let controller: Controller;
  let functionId: string;
  let jobId: string;

  beforeAll(async () => {
    world = await World.create();
    controller = await world.controller();
    const secret = { TOKEN: "very-secret-value" };
    const json = { name: "mine", code: HELLO, environment: secret };
    ({ functionId } = (await controller.call("POST", "/v1/functions", { json })).body);
    const path = `/v1/functions/${functionId}/invocations?mode=async`;
    ({ jobId } = (await controller.call("POST", path, { json: "very-secret-input" })).body);
  }, 60_000);
  afterAll(() => world?.close());

  test.each([
    ["no key", undefined],
    ["another scheme", "Basic bmc6bmc="],
    ["a key of the wrong form", "Bearer secret"],
    ["a key that there is not", `Bearer ng_${"A".repeat(43)}`],
  ])("%s is 401, with how to do it right", async (_what, authorization) => {
    const headers = authorization ? { authorization } : undefined;
    const answer = await controller.call("GET", "/v1/functions", { key: "", headers });
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
    expect(answer.body.remedy).toContain("Authorization: Bearer ng_");
  });

  test.each(["/", "/health", "/ready", "/openapi.json"])("%s needs no key", async (path) => {
    expect((await controller.call("GET", path, { key: "" })).status).toBe(200);
  });

  test("another tenant's functions and jobs are not found, whatever is done to them", async () => {
    const key = world.otherKey;
    const put = { key, json: { name: "stolen", code: HELLO } };
    const answers = [
      await controller.call("GET", `/v1/functions/${functionId}`, { key }),
      await controller.call("GET", `/v1/functions/${functionId}/code`, { key }),
      await controller.call("PUT", `/v1/functions/${functionId}`, put),
      await controller.call("DELETE", `/v1/functions/${functionId}`, { key }),
      await controller.call("POST", `/v1/functions/${functionId}/invocations`, { key, json: 1 }),
      await controller.call("GET", `/v1/jobs/${jobId}`, { key }),
      await controller.call("GET", `/v1/jobs/${jobId}/files/secret.txt`, { key }),
      await controller.call("GET", `/v1/jobs/${jobId}/logs`, { key }),
      await controller.call("GET", `/v1/jobs/${jobId}/events`, { key }),
      await controller.call("POST", `/v1/jobs/${jobId}/cancellation`, { key }),
    ];
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 404));
    expect((await controller.call("GET", `/v1/jobs/${jobId}`)).body.status).toBe("PENDING");
    expect((await controller.call("GET", `/v1/jobs?functionId=${functionId}`, { key })).body.items).toEqual([]);
    expect((await controller.call("GET", "/v1/functions?name=mine", { key })).body.items).toEqual([]);
    expect((await controller.call("GET", `/v1/functions/${functionId}`)).body).toMatchObject({
      name: "mine",
      version: 1,
    });
    const cursor = Buffer.from(JSON.stringify([new Date().toISOString(), functionId])).toString("base64url");
    expect((await controller.call("GET", `/v1/functions?cursor=${cursor}`, { key })).body.items).toEqual([]);
  });

  test("in production a key over plain HTTP is refused, one over HTTPS is taken", async () => {
    const production = await world.controller({ ENVIRONMENT: "prod" });
    const plain = await production.call("GET", "/v1/functions", { headers: { "x-forwarded-proto": "http" } });
    expect(plain.status).toBe(403);
    expect(plain.body).toMatchObject({
      type: "urn:nanogrid:problem:https-required",
      remedy: expect.stringContaining("https://"),
    });
    expect((await production.call("GET", "/v1/functions")).status).toBe(403);
    const https = await production.call("GET", "/v1/functions", { headers: { "x-forwarded-proto": "https" } });
    expect(https.status).toBe(200);
    expect((await production.call("GET", "/health", { key: "" })).status).toBe(200);
  });

  test("logs have request and job ids, and neither keys nor environments nor events", () => {
    const logged = controller.logged();
    expect(logged).toContain(`"jobId":"${jobId}"`);
    expect(logged).toMatch(/"requestId":"req_[0-9A-Z]{26}"/);
    for (const secret of [world.key, world.otherKey, "very-secret-value", "very-secret-input", HELLO.slice(0, 15)]) {
      expect(logged).not.toContain(secret);
    }
  });

  test("a request id of the client is kept, one that could break a log is replaced", async () => {
    const kept = await controller.call("GET", "/health", { headers: { "x-request-id": "my-request.1" } });
    expect(kept.headers.get("x-request-id")).toBe("my-request.1");
    const replaced = await controller.call("GET", "/health", { headers: { "x-request-id": 'a" b' } });
    expect(replaced.headers.get("x-request-id")).toMatch(/^req_/);
  });

  test("what there is not is a problem too: 404 for a path, 405 with Allow for a method, 400 for a bad escape", async () => {
    const nowhere = await controller.call("GET", "/v2/functions");
    expect(nowhere).toMatchObject({ status: 404, body: { type: "urn:nanogrid:problem:no-such-route" } });
    const method = await controller.call("PATCH", `/v1/functions/${functionId}`);
    expect(method.status).toBe(405);
    expect(method.headers.get("allow")).toBe("GET, PUT, DELETE");
    expect((await controller.call("GET", "/v1/functions/%E0%A4%A")).status).toBe(400);
  });

  test("the operator's command makes a key that works, prints it once, and stores only its hash", async () => {
    const limit = ["--requests-per-minute", "1200"];
    const made = createKey(world, "--tenant", "team-b", "--role", "invoker", "--name", "first key", ...limit);
    expect(made.stderr).toContain("team-b");
    const key = made.stdout.trim();
    expect(key).toMatch(/^ng_[\w-]{43}$/);
    expect((await controller.call("GET", "/v1/functions", { key })).body).toEqual({ items: [] });
    const { Items } = await world.aws.dynamo.send(new ScanCommand({ TableName: "NanoGridApiKeys" }));
    expect(JSON.stringify(Items)).not.toContain(key);
    const keyHash = createHash("sha256").update(key).digest("hex");
    const item = Items?.find((candidate) => candidate.keyHash === keyHash);
    expect(item).toMatchObject({ tenant: "team-b", role: "invoker", name: "first key", requestsPerMinute: 1_200 });
  }, 60_000);

  test("the operator's command refuses a wrong tenant with what is expected, and makes nothing", () => {
    const refused = createKey(world, "--tenant", "Team B", "--name", "x");
    expect(refused.status).toBe(1);
    expect(refused.stdout).toBe("");
    expect(refused.stderr).toContain('tenant "Team B": expected');
    const role = createKey(world, "--role", "root", "--name", "x", "--requests-per-minute", "many");
    expect(role.status).toBe(1);
    expect(role.stderr).toMatch(/role: expected "invoker", "user" or "admin"; requestsPerMinute: expected/);
  }, 60_000);
});

function createKey(world: World, ...args: string[]) {
  return spawnSync(process.execPath, ["--import", "tsx", "userdata/controller/src/create-key.ts", ...args], {
    env: { ...process.env, ...world.env, NODE_NO_WARNINGS: "1" },
    encoding: "utf8",
    timeout: 30_000,
  });
}
