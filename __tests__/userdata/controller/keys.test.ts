/** Keys over the API: roles, making and deleting, and how often each may ask. */
import { ScanCommand } from "@aws-sdk/lib-dynamodb";
import { Redis } from "ioredis";
import { ApiKeys, createKey } from "../../../userdata/controller/src/keys";
import { openApiDocument } from "../../../userdata/controller/src/openapi";
import { freePort, motoMissing, startRedis } from "../../support/servers";
import { describeUnless } from "../../support/tools";
import { type Controller, HELLO, World } from "./world";

describeUnless(motoMissing())("keys", () => {
  let world: World;
  let controller: Controller;
  let functionId: string;
  let jobId: string;

  beforeAll(async () => {
    world = await World.create();
    controller = await world.controller();
    const json = { name: "mine", code: HELLO };
    ({ functionId } = (await controller.call("POST", "/v1/functions", { json })).body);
    const path = `/v1/functions/${functionId}/invocations?mode=async`;
    ({ jobId } = (await controller.call("POST", path, { json: 1 })).body);
  }, 60_000);
  afterAll(() => world?.close());

  const ROLES = ["invoker", "user", "admin"] as const;
  const keyOf = (role: (typeof ROLES)[number]) =>
    ({ invoker: world.invokerKey, user: world.key, admin: world.adminKey })[role];

  test("each route takes the roles that the document says, and refuses the others by the role needed", async () => {
    const asked: string[] = [];
    for (const [template, operations] of Object.entries(openApiDocument().paths)) {
      for (const [method, operation] of Object.entries(operations as Record<string, Record<string, unknown>>)) {
        const needed = operation["x-nanogrid-role"] as (typeof ROLES)[number] | undefined;
        const roles = needed === undefined ? [] : ROLES.slice(0, ROLES.indexOf(needed));
        const path = template
          .replace("{functionId}", functionId)
          .replace("{jobId}", jobId)
          .replace("{keyId}", "key_0123456789abcdef")
          .replace("{name}", "x");
        for (const role of roles) {
          const answer = await controller.call(method.toUpperCase(), path, { key: keyOf(role) });
          expect(answer.status).toBe(403);
          expect(answer.body.type).toBe("urn:nanogrid:problem:forbidden");
          expect(answer.body.detail).toContain(`${needed}`);
          asked.push(`${role} ${method} ${template}`);
        }
      }
    }
    expect(asked).toContain("invoker post /v1/functions");
    expect(asked).toContain("user post /v1/keys");
    expect(asked).toContain("user get /metrics");
    expect(asked).toHaveLength(4 + 4 * 2);
  });

  test("an invoker calls, reads and cancels", async () => {
    const key = world.invokerKey;
    const call = await controller.call("POST", `/v1/functions/${functionId}/invocations?mode=async`, { key, json: 1 });
    expect(call.status).toBe(202);
    const statuses = [
      await controller.call("GET", "/v1/functions", { key }),
      await controller.call("GET", `/v1/jobs/${call.body.jobId}`, { key }),
      await controller.call("GET", "/v1/status", { key }),
      await controller.call("POST", `/v1/jobs/${call.body.jobId}/cancellation`, { key }),
    ].map(({ status }) => status);
    expect(statuses).toEqual([200, 200, 200, 200]);
  });

  test("an admin makes a key of its tenant, sees it without its secret, and deletes it", async () => {
    const key = world.adminKey;
    const made = await controller.call("POST", "/v1/keys", { key, json: { name: "CI", role: "user" } });
    expect(made.status).toBe(201);
    const { key: secret, ...view } = made.body;
    expect(secret).toMatch(/^ng_[\w-]{43}$/);
    expect((await controller.call("GET", `/v1/functions/${functionId}`, { key: secret })).status).toBe(200);

    const listed = await controller.call("GET", "/v1/keys", { key });
    expect(listed.body.items[0]).toEqual({ ...view, current: false });
    expect(listed.text).not.toContain(secret);
    expect(listed.body.items.filter(({ current }: { current: boolean }) => current)).toHaveLength(1);
    const { Items } = await world.aws.dynamo.send(new ScanCommand({ TableName: "NanoGridApiKeys" }));
    expect(JSON.stringify(Items)).not.toContain(secret);

    expect((await controller.call("DELETE", `/v1/keys/${view.keyId}`, { key })).status).toBe(204);
    expect((await controller.call("GET", "/v1/functions", { key: secret })).status).toBe(401);
    expect((await controller.call("DELETE", `/v1/keys/${view.keyId}`, { key })).status).toBe(404);
    expect(controller.logged()).not.toContain(secret);
  });

  test("the role of a key is invoker unless it is asked for more", async () => {
    const { body } = await controller.call("POST", "/v1/keys", { key: world.adminKey, json: { name: "least" } });
    expect(body.role).toBe("invoker");
  });

  test("an admin cannot delete the key in use, nor see or delete another tenant's", async () => {
    const key = world.adminKey;
    const { items } = (await controller.call("GET", "/v1/keys", { key })).body;
    const own = items.find(({ current }: { current: boolean }) => current);
    const self = await controller.call("DELETE", `/v1/keys/${own.keyId}`, { key });
    expect(self.status).toBe(409);
    expect(self.body.type).toBe("urn:nanogrid:problem:key-in-use");

    const json = { tenant: "other", role: "admin", name: "other admin" } as const;
    const otherAdmin = await createKey(world.aws.dynamo, "NanoGridApiKeys", json);
    const others = (await controller.call("GET", "/v1/keys", { key: otherAdmin })).body.items;
    expect(others.map(({ name }: { name: string }) => name).sort()).toEqual(["other admin", "test user"]);
    for (const { keyId } of others) {
      expect((await controller.call("DELETE", `/v1/keys/${keyId}`, { key })).status).toBe(404);
    }
    expect((await controller.call("GET", "/v1/keys", { key: otherAdmin })).body.items).toHaveLength(2);
  });

  test.each<[string, unknown, string]>([
    ["no name", {}, "name"],
    ["a role that there is not", { name: "x", role: "root" }, "role"],
    ["a tenant", { name: "x", tenant: "other" }, "tenant"],
    ["no requests at all", { name: "x", requestsPerMinute: 0 }, "requestsPerMinute"],
    ["no object", [], "body"],
  ])("a key with %s is refused by the name of the field", async (_what, json, field) => {
    const { status, body } = await controller.call("POST", "/v1/keys", { key: world.adminKey, json });
    expect(status).toBe(400);
    expect(body.errors[0].field).toBe(field);
  });

  test("a key in another form than JSON, or too large, is refused", async () => {
    const key = world.adminKey;
    const text = { key, body: "name=x", headers: { "content-type": "application/x-www-form-urlencoded" } };
    expect((await controller.call("POST", "/v1/keys", text)).status).toBe(415);
    expect((await controller.call("POST", "/v1/keys", { key, json: { name: "x".repeat(5_000) } })).status).toBe(413);
  });

  test("finding a key costs the same whether it is nearly a real one or nothing like it", async () => {
    const keys = new ApiKeys(world.aws.dynamo, "NanoGridApiKeys");
    const near = `${world.key.slice(0, -1)}${world.key.endsWith("A") ? "Q" : "A"}`;
    const far = `ng_${"z".repeat(43)}`;
    const times: Record<string, number[]> = { [near]: [], [far]: [] };
    for (let round = 0; round < 40; round++) {
      for (const key of [near, far]) {
        const begun = performance.now();
        expect(await keys.owner(key)).toBeUndefined();
        times[key]?.push(performance.now() - begun);
      }
    }
    const median = (key: string) => times[key]?.sort((one, other) => one - other)[20] ?? 0;
    // Comparing secrets would show as a difference that grows with what they share; this only has to tell that from noise.
    expect(median(near) / median(far)).toBeGreaterThan(0.5);
    expect(median(near) / median(far)).toBeLessThan(2);
  });

  describe("limits", () => {
    const make = (requestsPerMinute?: number) =>
      createKey(world.aws.dynamo, "NanoGridApiKeys", {
        tenant: "default",
        role: "user",
        name: "limited",
        requestsPerMinute,
      });
    const ask = (of: Controller, key: string) => of.call("GET", `/v1/functions/${functionId}`, { key });

    test("a key over its limit gets 429 with when to come back, over all controllers, and others go on", async () => {
      const key = await make(3);
      const second = await world.controller();
      const answers = [
        await ask(controller, key),
        await ask(second, key),
        await ask(controller, key),
        await ask(second, key),
      ];

      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
      expect(answers.map(({ headers }) => headers.get("ratelimit"))).toEqual([
        expect.stringMatching(/^"key";r=2;t=\d+$/),
        expect.stringMatching(/^"key";r=1;t=\d+$/),
        expect.stringMatching(/^"key";r=0;t=\d+$/),
        expect.stringMatching(/^"key";r=0;t=\d+$/),
      ]);
      const refused = answers[3];
      expect(refused?.headers.get("ratelimit-policy")).toBe('"key";q=3;w=60');
      const retry = Number(refused?.headers.get("retry-after"));
      expect(retry).toBeGreaterThan(0);
      expect(retry).toBeLessThanOrEqual(60);
      expect(refused?.body).toMatchObject({ type: "urn:nanogrid:problem:rate-limited", remedy: expect.any(String) });
      expect((await ask(controller, await make(3))).status).toBe(200);
      const call = await controller.call("POST", `/v1/functions/${functionId}/invocations`, { key, json: 1 });
      expect(call.status).toBe(429);
    });

    test("the limit of a key that has none of its own is the controller's", async () => {
      const strict = await world.controller({ KEY_REQUESTS_PER_MINUTE: "2" });
      const key = await make();
      const statuses: number[] = [];
      for (let n = 0; n < 3; n++) {
        statuses.push((await ask(strict, key)).status);
      }
      expect(statuses).toEqual([200, 200, 429]);
      for (const path of ["/health", "/ready", "/openapi.json", "/"]) {
        expect((await strict.call("GET", path, { key })).status).not.toBe(429);
      }
    });

    test("while Redis is away each controller counts for itself", async () => {
      const alone = await world.controller({ REDIS_PORT: String(await freePort()) });
      const key = await make(2);
      const statuses = [await ask(alone, key), await ask(alone, key), await ask(alone, key)];
      expect(statuses.map(({ status }) => status)).toEqual([200, 200, 429]);
    });

    test("a Redis that hangs holds up no request for long", async () => {
      const own = await startRedis();
      const alone = await world.controller({ REDIS_PORT: String(own.port) });
      const admin = new Redis({ port: own.port, host: "127.0.0.1" });
      try {
        const key = await make(5);
        expect((await ask(alone, key)).status).toBe(200);
        await admin.call("CLIENT", "PAUSE", "10000", "ALL");
        const begun = Date.now();
        expect((await ask(alone, key)).status).toBe(200);
        // A command is given up after 2 s.
        expect(Date.now() - begun).toBeLessThan(1_900);
      } finally {
        admin.disconnect();
        await own.stop();
      }
    });
  });
});
