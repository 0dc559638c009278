/** Settings of the ML function. */
import { z } from "zod";
import { retentionDays } from "../platform/setting-types";

const image = z.strictObject({
  uri: z
    .string()
    .regex(
      /^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com\/[\w./-]+@sha256:[0-9a-f]{64}$/,
      "an image in ECR by its digest, as in 111122223333.dkr.ecr.ap-northeast-2.amazonaws.com/ml@sha256:…",
    )
    .optional()
    .describe("Image for arm64 that was built elsewhere; then nothing is built. Default: built by the deployment."),
  kept: z.int().min(2).max(1000).default(10).describe("Images that are kept in the repository: the last ones pushed."),
});

/** The section `mlFunction` of an environment. */
export const mlFunctionSettings = z.strictObject({
  enabled: z.boolean().default(false).describe("Whether the stack `ml-function` exists."),
  image: image.prefault({}).describe("The function's container image."),
  memoryMib: z
    .int()
    .min(128)
    .max(10_240)
    .default(256)
    .describe(
      "Memory of the function, with which its share of a processor grows: docs/benchmarks.md has what it needs.",
    ),
  reservedConcurrency: z
    .int()
    .min(1)
    .max(1000)
    .default(10)
    .describe("Requests at once, at most; reserved for the function, out of the account's."),
  maxRows: z.int().min(1).max(10_000).default(1000).describe("Most rows of one request: ML_MAX_ROWS."),
  callerAccounts: z
    .array(z.string().regex(/^\d{12}$/, "the 12 digits of an AWS account, as a string"))
    .default([])
    .describe("Other accounts whose identities may call the URL, as far as their own policies let them."),
  logRetentionDays: retentionDays,
  alarms: z
    .strictObject({
      emails: z
        .array(z.email())
        .default([])
        .describe("Addresses that the alarm topic writes to; each must confirm once."),
      durationPercent: z
        .int()
        .min(1)
        .max(99)
        .default(80)
        .describe("Share of the timeout of 30 s that no request should take."),
    })
    .prefault({})
    .describe("When somebody is told."),
});

/** The ML function's settings with every default filled in. */
export type MlFunctionSettings = z.output<typeof mlFunctionSettings>;
