/**
 * What the API takes and gives, as zod schemas. Requests are checked with them, the OpenAPI document is made from them, and the
 * tests hold the responses against them.
 */
import { z } from "zod";
import { FUNCTION_ID, JOB_ID } from "./ids";

const ENVIRONMENT_BYTES = 16 * 1024;

const functionId = z.string().regex(FUNCTION_ID);
const jobId = z.string().regex(JOB_ID);
const time = z.iso.datetime({ precision: 3 }).describe("ISO 8601 in UTC");

const environment = z
  .record(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "is not the name of an environment variable"),
    // biome-ignore lint/suspicious/noControlCharactersInRegex: NUL ends a C string, so no environment can hold it.
    z.string({ error: "expected text" }).regex(/^[^\x00]*$/, "holds a NUL character"),
    { error: 'expected an object of texts, such as {"MODE": "fast"}' },
  )
  .refine((value) => Buffer.byteLength(JSON.stringify(value)) <= ENVIRONMENT_BYTES, {
    error: `has over ${ENVIRONMENT_BYTES} bytes as JSON`,
  });

const runtime = z.enum(["python"], { error: 'expected "python"' });
const handler = z
  .string({ error: "expected text" })
  .max(256)
  .regex(/^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$/, "expected module.function, such as main.handler");

/** What creating a function or a version takes besides its code. */
export const functionFields = z.strictObject({
  name: z
    .string({ error: "expected text of 1 to 64 characters" })
    .min(1, "is empty")
    .max(64, "has over 64 characters")
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
    .regex(/^[^\x00-\x1f\x7f]*$/, "holds a control character"),
  runtime: runtime.default("python"),
  handler: handler.default("main.handler").describe("module.function in the code"),
  memoryMb: z
    .int({ error: "expected a whole number of MiB from 64 to 3008" })
    .min(64, "is under 64")
    .max(3_008, "is over 3008")
    .default(256)
    .describe("Memory limit of one run, in MiB"),
  timeoutS: z
    .int({ error: "expected a whole number of seconds" })
    .min(1, "is under 1")
    .optional()
    .describe("Time limit of one run, in seconds; none when left out"),
  environment: environment.default({}).describe("Environment variables of the function, at most 16 KiB as JSON"),
});
export type FunctionFields = z.output<typeof functionFields>;

/** The same with inline code, which becomes main.py. */
export const inlineFunction = functionFields.extend({
  code: z.string({ error: "expected the source text" }).min(1, "is empty").describe("Source text, stored as main.py"),
});

/** A function as the API shows it. */
export const functionView = z.strictObject({
  functionId,
  name: z.string(),
  runtime,
  handler,
  version: z.int().min(1).describe("Grows with each update; a version's code never changes"),
  codeSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe("Hash of the zip"),
  codeBytes: z.int().describe("Size of the zip"),
  memoryMb: z.int(),
  timeoutS: z.number().optional(),
  environment: z.record(z.string(), z.string()),
  createdAt: time,
  updatedAt: time,
});

/** The result document of docs/protocol.md. */
export const resultDocument = z.looseObject({
  job_id: jobId,
  function_id: functionId,
  function_version: z.int(),
  worker_id: z.string().nullable(),
  status: z.enum(["SUCCESS", "FAILED", "CANCELLED"]),
  exit_reason: z.object({
    code: z.enum(["ok", "exception", "timeout", "out_of_memory", "output_too_large", "infrastructure", "cancelled"]),
    message: z.string(),
  }),
  output: z.unknown().describe("What the function returned, any JSON"),
  error: z.object({ type: z.string(), message: z.string(), traceback: z.string() }).nullable(),
  logs: z.string(),
  logs_truncated: z.boolean(),
  files: z.array(z.object({ name: z.string(), bytes: z.int(), sha256: z.string(), key: z.string() })),
  started_at: z.string().nullable(),
  finished_at: z.string(),
  queue_ms: z.number().nullable(),
  duration_ms: z.number().nullable(),
  peak_memory_mb: z.number().nullable(),
  suggested_memory_mb: z.number().nullable(),
});
export type ResultDocument = z.infer<typeof resultDocument>;

/** A job as lists show it. */
export const jobSummary = z.strictObject({
  jobId,
  functionId,
  functionVersion: z.int(),
  status: z.enum(["PENDING", "PROCESSING", "SUCCESS", "FAILED", "CANCELLED"]),
  attempts: z.int().describe("How many workers have started it"),
  createdAt: time,
  startedAt: z.string().optional(),
  finishedAt: z.string().optional(),
});

/** A job as the API shows it. */
export const jobView = jobSummary.extend({
  result: resultDocument.optional().describe("When final"),
});

/** One page of a list. */
export const functionPage = z.strictObject({
  items: z.array(functionView),
  nextCursor: z.string().optional().describe("Pass it as `cursor` for the next page; absent on the last"),
});
/** One page of a list. */
export const jobPage = z.strictObject({
  items: z.array(jobSummary),
  nextCursor: z.string().optional().describe("Pass it as `cursor` for the next page; absent on the last"),
});

/** What /health and /ready answer. */
export const healthView = z.strictObject({
  status: z.enum(["ok", "unavailable"]),
  checks: z.record(z.string(), z.enum(["ok", "unavailable"])),
});

/** What / answers. */
export const rootView = z.strictObject({ name: z.string(), links: z.record(z.string(), z.string()) });

/** Any problem document. */
export const problemView = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  remedy: z.string(),
  instance: z.string(),
  requestId: z.string(),
  jobId: jobId.optional(),
  errors: z.array(z.strictObject({ field: z.string(), detail: z.string() })).optional(),
});
