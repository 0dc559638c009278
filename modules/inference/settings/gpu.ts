/** Settings of the GPU tier. */
import { z } from "zod";
import {
  checkTaskMemory,
  checkTier,
  imageSettings,
  gpuSettings as machinesSettings,
} from "../../platform/gpu-settings";
import { checkSizes, nameSuffix, retentionDays } from "../../platform/setting-types";

const batching = z.strictObject({
  maxBatch: z.int().min(1).max(1024).default(64).describe("Texts that the model runs together at most."),
  maxWaitMs: z.number().min(0).max(1000).default(2).describe("Milliseconds that a text waits for others."),
  batchTokens: z
    .int()
    .min(512)
    .max(1_048_576)
    .default(16_384)
    .describe("Tokens that run together at most, with the padding between texts. It bounds the GPU's memory."),
  queue: z.int().min(1).max(1_000_000).default(4_096).describe("Texts that wait; beyond it the answer is 503."),
});

const limits = z.strictObject({
  maxTexts: z.int().min(1).max(4096).default(128).describe("Texts that one request may have."),
  maxProducts: z.int().min(1).max(1024).default(32).describe("Products that one request may have."),
  maxCharacters: z.int().min(1).max(1_000_000).default(8_192).describe("Characters of a text, or of a product."),
  maxBodyBytes: z
    .int()
    .min(1024)
    .max(64 * 1024 ** 2)
    .default(2 * 1024 ** 2)
    .describe("Bytes of a request's body; beyond it the answer is 413."),
});

/** Texts that each product of a request becomes: itself, its title, and its phrases. */
export const TEXTS_OF_A_PRODUCT = 50;

const service = z
  .strictObject({
    min: z.int().min(1).max(100).default(1).describe("Fewest tasks. `npm run inference -- pause` goes to none."),
    desired: z.int().min(1).max(100).default(1).describe("Tasks at creation; scaling owns the number afterwards."),
    max: z.int().min(1).max(100).default(3).describe("Most tasks."),
    rollout: z
      .enum(["spare", "stop-first"])
      .default("spare")
      .describe("`spare`: the new task starts on another instance first. `stop-first`: nobody answers meanwhile."),
    requestsPerTask: z
      .number()
      .positive()
      .default(600)
      .describe("Requests a minute of each task that scaling aims at."),
    outCooldownSeconds: z.int().min(0).max(3600).default(60).describe("Rest after tasks were added."),
    inCooldownSeconds: z.int().min(0).max(3600).default(600).describe("Rest after tasks were taken away."),
    memoryMib: z.int().min(2048).default(8192).describe("Memory limit of the container."),
    graceSeconds: z
      .int()
      .min(60)
      .max(3600)
      .default(600)
      .describe("How long a new task may fail its health checks: its image of some gigabytes is pulled."),
    requestSeconds: z.number().min(1).max(55).default(20).describe("How long a request may take; then it is a 503."),
    deregistrationDelaySeconds: z.int().min(0).max(3600).default(60).describe("How long a leaving task may finish."),
    idleTimeoutSeconds: z.int().min(30).max(4000).default(60).describe("Idle timeout of the load balancer."),
    batching: batching.prefault({}).describe("Which texts run together."),
    limits: limits.prefault({}).describe("What a request may ask for."),
    logLevel: z.enum(["DEBUG", "INFO", "WARNING", "ERROR"]).default("INFO").describe("Lines of that level or above."),
    logRetentionDays: retentionDays,
  })
  .superRefine((value, ctx) => {
    checkSizes(value, ctx);
    const { batching: queues, limits: requests } = value;
    const needed = Math.max(requests.maxTexts, requests.maxProducts * TEXTS_OF_A_PRODUCT);
    if (queues.queue < needed) {
      ctx.addIssue({
        code: "custom",
        path: ["batching", "queue"],
        message:
          `${queues.queue} is too small for one request of limits.maxTexts (${requests.maxTexts}) texts, or of limits.maxProducts ` +
          `(${requests.maxProducts}) products with ${TEXTS_OF_A_PRODUCT} texts each. Raise it to ${needed}, or lower them.`,
      });
    }
  });

const alarms = z.strictObject({
  errorRatePercent: z.number().min(0).max(100).default(5).describe("Share of 5xx answers that raises an alarm."),
  slowSeconds: z
    .number()
    .positive()
    .default(2)
    .describe("Time within which 95 % of requests are answered; an alarm rings when they are not."),
});

export const gpuSettings = z
  .strictObject({
    bucketSuffix: nameSuffix.describe("Appended with a hyphen to the access logs' bucket, since S3 names are global."),
    image: imageSettings.prefault({}).describe("The container image."),
    keptImages: z.int().min(2).max(1000).default(10).describe("Container images that are kept: the last ones pushed."),
    machines: machinesSettings({ max: 2, spot: true }).prefault({}).describe("GPU instances."),
    service: service.prefault({}).describe("Tasks."),
    alarms: alarms.prefault({}).describe("Alarms."),
  })
  .superRefine(({ machines, service: tasks }, ctx) => {
    checkTier({ machines, tasks, machinesPath: "machines", tasksPath: "service" }, ctx);
    const which = `a task of ${tasks.memoryMib} MiB`;
    checkTaskMemory({ machines, needed: tasks.memoryMib, path: ["service", "memoryMib"], which }, ctx);
  });
