/** Settings of the API and its functions. */
import { z } from "zod";
import { apiShape, checkAccess } from "../../platform/api-settings";
import { retentionDays } from "../../platform/setting-types";
import { MODEL_ID } from "../bedrock";

const model = z
  .string()
  .regex(MODEL_ID, "the id of a Bedrock model or inference profile such as amazon.titan-embed-text-v2:0");
const origin = z
  .string()
  .regex(/^https?:\/\/[^/*\s]+$/, "an origin such as https://shop.example.com")
  .describe("Origin as a browser sends it: scheme, host and port, without a path.");
const concurrency = (most: number, purpose: string) =>
  z.int().min(2).max(1_000).default(most).describe(`Reserved concurrency of ${purpose}.`);

export const apiSettings = z
  .strictObject({
    ...apiShape({ requestsPerSecond: 50, burst: 100 }),
    corsOrigins: z
      .array(origin)
      .default([])
      .describe("Origins whose pages may call the API. Without any, only the API's own page can."),
    embeddings: z
      .enum(["bedrock", "gpu"])
      .default("bedrock")
      .describe("What makes the vectors: a model of Bedrock, or the GPU tier."),
    embeddingModel: model
      .regex(/^amazon\.titan-embed-text-v\d+:\d+$/, "a Titan model, whose requests the functions know")
      .default("amazon.titan-embed-text-v2:0")
      .describe("Bedrock model that makes embeddings of 1024 dimensions."),
    gpuDimensions: z
      .int()
      .min(64)
      .max(4_096)
      .default(1_024)
      .describe("For embeddings by the GPU tier: length of its model's vectors."),
    titleModel: model
      .default("apac.amazon.nova-lite-v1:0")
      .describe("Bedrock text model, or inference profile of one, that writes the titles of carts."),
    titleDays: z.int().min(1).max(3_650).default(90).describe("Days after which a title is deleted."),
    inlineProducts: z
      .int()
      .min(1)
      .max(50)
      .default(10)
      .describe("Products that one request stores before it is answered; a larger batch is queued."),
    concurrency: z
      .strictObject({
        products: concurrency(10, "the function behind POST /products"),
        search: concurrency(20, "the function behind POST /products/search"),
        titles: concurrency(10, "the function behind POST /carts/{id}/title"),
        batches: concurrency(5, "the function that stores queued products, and most batches at a time"),
      })
      .prefault({})
      .describe("How much runs at once. The account keeps at least 100 unreserved."),
    errorRatePercent: z.number().min(0).max(100).default(5).describe("Share of 5xx answers that raises an alarm."),
    queueMinutes: z
      .int()
      .min(1)
      .max(1_440)
      .default(15)
      .describe("Age of the oldest queued product, in minutes, that raises an alarm."),
    logRetentionDays: retentionDays,
  })
  .superRefine(checkAccess);
