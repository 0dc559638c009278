import { readFileSync } from "node:fs";
import { inferenceSettings } from "../../../modules/inference/settings";
import { TEXTS_OF_A_PRODUCT } from "../../../modules/inference/settings/gpu";

function problems(gpu: object): readonly string[] {
  const parsed = inferenceSettings.safeParse({ gpu });
  return (parsed.error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);
}

describe("settings of the GPU tier", () => {
  test("defaults fit each other: on-demand and spot instances for three tasks and the spare one of a rollout", () => {
    expect(problems({})).toEqual([]);
    expect(inferenceSettings.parse({}).gpu).toEqual({
      bucketSuffix: "",
      image: {},
      keptImages: 10,
      machines: {
        instanceType: "g4dn.xlarge",
        min: 1,
        max: 2,
        weight: 1,
        base: 1,
        rootVolumeGib: 100,
        spot: { enabled: true, instanceTypes: ["g4dn.xlarge", "g5.xlarge"], min: 0, max: 2, weight: 1 },
      },
      service: {
        min: 1,
        desired: 1,
        max: 3,
        rollout: "spare",
        requestsPerTask: 600,
        outCooldownSeconds: 60,
        inCooldownSeconds: 600,
        memoryMib: 8192,
        graceSeconds: 600,
        requestSeconds: 20,
        deregistrationDelaySeconds: 60,
        idleTimeoutSeconds: 60,
        batching: { maxBatch: 64, maxWaitMs: 2, batchTokens: 16_384, queue: 4_096 },
        limits: { maxTexts: 128, maxProducts: 32, maxCharacters: 8_192, maxBodyBytes: 2_097_152 },
        logLevel: "INFO",
        logRetentionDays: 30,
      },
      alarms: { errorRatePercent: 5, slowSeconds: 2 },
    });
  });

  test("they are the program's own, so that it does the same without them", () => {
    const { service } = inferenceSettings.parse({}).gpu;
    const program = readFileSync("containers/product-inference/service/product_inference/settings.py", "utf8");
    const [, queue] = /queue: Count = Field\(([\d_]+)/.exec(program) ?? [];
    const [, batch] = /max_batch: int = Field\(([\d_]+)/.exec(program) ?? [];
    const [, products] = /max_products: int = Field\(([\d_]+)/.exec(program) ?? [];
    expect([queue, batch, products].map((value) => Number(value?.replace("_", "")))).toEqual([
      service.batching.queue,
      service.batching.maxBatch,
      service.limits.maxProducts,
    ]);
  });

  test("fewer instances than tasks are refused, with what to raise", () => {
    expect(problems({ service: { max: 6 } })).toEqual([
      "gpu.machines.max: 4 instances are too few for service.max (6) and the spare one of a rollout: each runs one task. " +
        "Raise machines.max to 5, lower service.max, or set service.rollout to stop-first.",
    ]);
    expect(problems({ service: { max: 4, rollout: "stop-first" } })).toEqual([]);
    expect(problems({ machines: { spot: { enabled: false } } })).toEqual([
      expect.stringContaining("2 instances are too few"),
    ]);
  });

  test("a task that does not fit an instance type is refused for each type that it may run on", () => {
    const found = problems({ service: { memoryMib: 16_000 } });
    expect(found.map((each) => /does not fit (\S+),/.exec(each)?.[1])).toEqual([
      "g4dn.xlarge",
      "g4dn.xlarge",
      "g5.xlarge",
    ]);
    expect(found[0]).toContain("gpu.service.memoryMib: a task of 16000 MiB does not fit");
  });

  test("a queue that could not take one request is refused", () => {
    expect(problems({ service: { batching: { queue: 1000 } } })).toEqual([
      "gpu.service.batching.queue: 1000 is too small for one request of limits.maxTexts (128) texts, or of limits.maxProducts (32) " +
        "products with 50 texts each. Raise it to 1600, or lower them.",
    ]);
  });

  test("the program counts a product's texts as the settings do", () => {
    const phrases = readFileSync("containers/product-inference/service/product_inference/attributes.py", "utf8");
    const [, count] = /^PHRASES = (\d+)$/m.exec(phrases) ?? [];
    expect(Number(count) + 2).toBe(TEXTS_OF_A_PRODUCT);
  });
});
