/** Health and readiness when services go away. */
import { motoMissing, until } from "../../support/servers";
import { describeUnless } from "../../support/tools";
import { type Controller, World } from "./world";

describeUnless(motoMissing())("health", () => {
  let world: World;
  let controller: Controller;

  beforeAll(async () => {
    world = await World.create();
    controller = await world.controller();
  }, 60_000);
  afterAll(() => world?.close());

  test("everything is there, then Redis goes, then AWS: /health is about durable work alone, /ready names what is away", async () => {
    expect((await controller.call("GET", "/health")).body).toEqual({
      status: "ok",
      checks: { dynamodb: "ok", sqs: "ok" },
    });
    expect((await controller.call("GET", "/ready")).body).toEqual({
      status: "ok",
      checks: { dynamodb: "ok", sqs: "ok", s3: "ok", redis: "ok" },
    });

    await world.redis.stop();
    await until("/ready is 503", async () => (await controller.call("GET", "/ready")).status === 503);
    const ready = await controller.call("GET", "/ready");
    expect(ready.body.checks).toEqual({ dynamodb: "ok", sqs: "ok", s3: "ok", redis: "unavailable" });
    expect(ready.body.detail).toContain("redis");
    expect((await controller.call("GET", "/health")).status).toBe(200);

    await world.moto.stop();
    await until("/health is 503", async () => (await controller.call("GET", "/health")).status === 503);
    const asked = Date.now();
    const health = await controller.call("GET", "/health");
    expect(Date.now() - asked).toBeLessThan(3_000);
    expect(health.body).toMatchObject({ status: 503, checks: { dynamodb: "unavailable", sqs: "unavailable" } });
    expect(health.body.remedy).toBeTruthy();
  });

  test("an answer is kept for two seconds, so that asking often costs nothing", async () => {
    const lines = () => controller.logged().split("did not answer within").length;
    await controller.call("GET", "/health");
    const before = lines();
    await Promise.all(Array.from({ length: 20 }, () => controller.call("GET", "/health")));
    expect(lines() - before).toBeLessThanOrEqual(2);
  });
});
