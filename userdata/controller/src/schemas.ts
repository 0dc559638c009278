/**
 * What the API takes and gives, as zod schemas. Requests are checked with them, the OpenAPI document is made from them, and the
 * tests hold the responses against them.
 */
import { z } from "zod";
import { FUNCTION_ID, JOB_ID, KEY_ID } from "./ids";

/** Largest `environment`, and largest `secrets`, in bytes of JSON. */
const VARIABLES_BYTES = 16 * 1024;
/** Largest `dependencies`, in bytes. */
const DEPENDENCIES_BYTES = 64 * 1024;
/** 400 days: longer than any lease or instance lives. */
const MAX_TIMEOUT_S = 34_560_000;

const functionId = z.string().regex(FUNCTION_ID);
const jobId = z.string().regex(JOB_ID);
const keyId = z.string().regex(KEY_ID).describe("Names a key without giving it away");
const time = z.iso.datetime({ precision: 3 }).describe("ISO 8601 in UTC");
const nextCursor = z.string().optional().describe("Pass it as `cursor` for the next page; absent on the last");

/** Text that every store and every language takes: without lone halves of surrogate pairs, which are no characters. */
const text = (expected: string) =>
  z.string({ error: expected }).refine((value) => !/\p{Surrogate}/u.test(value), { error: "holds half a character" });

const variableName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/);
/** Variables and something for each. */
const variables = <T extends z.ZodType>(value: T, example: string) =>
  z
    .record(variableName, value, {
      error: ({ code }) =>
        code === "invalid_key"
          ? "is not the name of an environment variable"
          : `expected an object, such as ${example}`,
    })
    .refine((record) => Buffer.byteLength(JSON.stringify(record)) <= VARIABLES_BYTES, {
      error: `has over ${VARIABLES_BYTES} bytes as JSON`,
    });

const environment = variables(
  // biome-ignore lint/suspicious/noControlCharactersInRegex: NUL ends a C string, so no environment can hold it.
  text("expected text").regex(/^[^\x00]*$/, "holds a NUL character"),
  '{"MODE": "fast"}',
);
const secrets = variables(
  z
    .string({ error: "expected the name of a secret" })
    .regex(/^[A-Za-z0-9_.-]{1,64}$/, "is not the name of a secret: expected 1 to 64 of letters, digits, _, . and -"),
  '{"DATABASE_URL": "orders-db"}',
);

/** What runs a function. */
export const runtime = z.enum(["python", "node"], { error: 'expected "python" or "node"' });
export type Runtime = z.output<typeof runtime>;

const handler = z
  .string({ error: "expected text" })
  .max(256)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$/, "expected module.function, such as main.handler");

/** The name of a function or a key. */
const name = text("expected text of 1 to 64 characters").regex(
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
  /^[^\x00-\x1f\x7f]{1,64}$/u,
  "expected 1 to 64 characters, none of them a control character",
);

/** What creating a function or a version takes besides its code. */
const fields = z.strictObject({
  name,
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
    .max(MAX_TIMEOUT_S, `is over ${MAX_TIMEOUT_S}`)
    .optional()
    .describe("Time limit of one run, in seconds; none when left out"),
  environment: environment.default({}).describe("Environment variables of the function, at most 16 KiB as JSON"),
  secrets: secrets
    .default({})
    .describe(
      "Variables whose values are secrets of the tenant: variable to name of the secret; the worker reads them",
    ),
  egress: z.boolean({ error: "expected true or false" }).default(false).describe("Whether runs reach the network"),
});
export type FunctionFields = z.output<typeof fields>;

const inlineFields = fields.extend({
  code: text("expected the source text")
    .min(1, "is empty")
    .describe("Source text, stored as main.py, or main.mjs for node"),
  dependencies: text("expected the text of requirements.txt or package.json")
    .refine((value) => Buffer.byteLength(value) <= DEPENDENCIES_BYTES, {
      error: `has over ${DEPENDENCIES_BYTES} bytes`,
    })
    .optional()
    .describe("Text of requirements.txt, or package.json for node, at most 64 KiB; resolved once for each version"),
});

/** The same for a zip: its dependencies are in it. */
export const functionFields = fields.superRefine(eachVariableOnce);
/** The same with inline code. */
export const inlineFunction = inlineFields.superRefine(eachVariableOnce);

function eachVariableOnce(value: Pick<FunctionFields, "environment" | "secrets">, context: z.RefinementCtx): void {
  for (const variable of Object.keys(value.secrets)) {
    if (Object.hasOwn(value.environment, variable)) {
      context.addIssue({ code: "custom", path: ["secrets", variable], message: "is in environment too" });
    }
  }
}

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
  secrets: z.record(z.string(), z.string()).describe("Variable to name of the secret, never its value"),
  egress: z.boolean(),
  hasDependencies: z.boolean().describe("Whether the code comes with a list of dependencies that is not empty"),
  buildJobId: jobId
    .optional()
    .describe(
      "The job that resolves the dependencies; without one, the first run does, as it does when that job fails",
    ),
  createdAt: time,
  updatedAt: time,
});
export type FunctionView = z.output<typeof functionView>;

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
  logs: z.string().describe("The end of stdout and stderr, at most 64 KiB"),
  logs_truncated: z.boolean(),
  files: z.array(z.object({ name: z.string(), bytes: z.int(), sha256: z.string(), key: z.string() })),
  started_at: z.string().nullable(),
  finished_at: z.string(),
  queue_ms: z.number().nullable(),
  duration_ms: z.number().nullable(),
  attempt: z.int().describe("Which start of the job this is the result of; 0 when it never started"),
  start: z
    .enum(["warm", "prewarmed", "cold"])
    .nullable()
    .describe("The container that it ran in; null when nothing ran"),
  ai: z
    .object({
      requests: z.int(),
      prompt_tokens: z.int(),
      completion_tokens: z.int(),
      duration_ms: z.number(),
    })
    .nullable()
    .describe("Calls to the AI node; null without any"),
  peak_memory_mb: z.number().nullable(),
  suggested_memory_mb: z.number().nullable(),
});
export type ResultDocument = z.infer<typeof resultDocument>;

/** Where a job is. */
export const jobStatus = z.enum(["PENDING", "PROCESSING", "SUCCESS", "FAILED", "CANCELLED"]);
export type JobStatus = z.output<typeof jobStatus>;

/** A job as lists and events show it. */
export const jobSummary = z.strictObject({
  jobId,
  functionId,
  functionVersion: z.int(),
  kind: z.enum(["run", "build"]).describe("build: resolves the dependencies of a version"),
  status: jobStatus,
  attempts: z.int().describe("How many workers have started it"),
  createdAt: time,
  startedAt: z.string().optional(),
  finishedAt: z.string().optional(),
  lastError: z
    .strictObject({ message: z.string(), attempt: z.int(), at: z.string() })
    .optional()
    .describe("The last failure of NanoGrid's own, while the job is not final: it is tried again"),
  callback: z
    .strictObject({ url: z.string(), status: z.enum(["PENDING", "DELIVERED", "FAILED"]), attempts: z.int() })
    .optional()
    .describe("Where the result goes, and whether it has arrived"),
});
export type JobSummary = z.output<typeof jobSummary>;

/** A job as the API shows it. */
export const jobView = jobSummary.extend({
  result: resultDocument.optional().describe("When final"),
});
export type JobView = z.output<typeof jobView>;

/** `data` of a `log` event: a piece of the live log. */
export const logEvent = z.strictObject({
  attempt: z.int().min(1).describe("Which start of the job wrote it"),
  offset: z.int().min(0).describe("Where it begins in that attempt's log, in bytes of UTF-8"),
  text: z.string(),
});
export type LogEvent = z.output<typeof logEvent>;

/** One page of a list. */
export const functionPage = z.strictObject({ items: z.array(functionView), nextCursor });
/** One page of a list. */
export const jobPage = z.strictObject({ items: z.array(jobSummary), nextCursor });

/** What a key may do, from least to most: each may do what those before it may. */
export const role = z.enum(["invoker", "user", "admin"], { error: 'expected "invoker", "user" or "admin"' });
export type Role = z.output<typeof role>;

/** What making a key takes. */
export const newKey = z.strictObject({
  name: name.describe("What the key is for"),
  role: role.default("invoker"),
  requestsPerMinute: z
    .int({ error: "expected a whole number" })
    .min(1, "is under 1")
    .max(1_000_000, "is over 1000000")
    .optional()
    .describe("Most requests in a minute; the controller's default when left out"),
});
export type NewKey = z.output<typeof newKey>;

/** A key as the API shows it. */
export const keyView = z.strictObject({
  keyId,
  name: z.string(),
  role,
  requestsPerMinute: z.int().optional(),
  createdAt: time,
});
export type KeyView = z.output<typeof keyView>;

/** A key just made. */
export const createdKey = keyView.extend({
  key: z
    .string()
    .regex(/^ng_[A-Za-z0-9_-]{43}$/)
    .describe("The key itself, shown this once"),
});

/** All keys of a tenant. */
export const keyList = z.strictObject({
  items: z.array(keyView.extend({ current: z.boolean().describe("Whether this request was made with it") })),
});

const count = z.int().min(0);

/** What /v1/status answers. */
export const statusView = z.strictObject({
  queue: z
    .strictObject({ visible: count, inFlight: count, delayed: count })
    .describe("Messages, approximately: waiting, with a worker, not due yet"),
  deadLetters: count.nullable().describe("Messages that were given up; null where nobody has said where they are"),
  workers: z
    .array(
      z.strictObject({
        workerId: z.string(),
        slots: count.describe("Jobs that it runs at once"),
        busy: count.describe("Slots with a job"),
        warm: count.describe("Containers that wait"),
        runtimes: z.array(z.string()),
        version: z.string(),
        startedAt: z.string(),
        updatedAt: z.string(),
      }),
    )
    .nullable()
    .describe("Workers heard of within the last minute; null while Redis is away"),
});
export type StatusView = z.output<typeof statusView>;

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
export type ProblemView = z.output<typeof problemView>;
