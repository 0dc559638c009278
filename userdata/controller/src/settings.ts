/** The controller's settings: environment variables, parsed once. Nothing else reads process.env, the AWS SDK apart. */
import { z } from "zod";

const MIB = 1024 * 1024;

const text = z.string().min(1);
const count = (minimum: number, maximum: number) =>
  z.string().regex(/^\d+$/, "is not a whole number").transform(Number).pipe(z.number().min(minimum).max(maximum));

/** One entry a variable; the description is the remedy in error messages. */
const shape = {
  PORT: count(0, 65_535)
    .default(8080)
    .describe("Set a TCP port from 1 to 65535 (0: any free one); the default is 8080."),
  HOST: text.default("0.0.0.0").describe("Set the address to listen on; the default is 0.0.0.0."),
  ENVIRONMENT: text.describe(
    "Set the name of the environment, such as prod; only local and dev take keys over plain HTTP.",
  ),
  AWS_REGION: text.describe("Set the region of the tables, the queue and the buckets, such as ap-northeast-2."),
  AWS_ENDPOINT_URL: z.url().optional().describe("Set the URL of a stand-in for AWS, or leave it out to use AWS."),
  S3_CODE_BUCKET: text.describe("Set it to the output codeBucket of nanogrid-data."),
  S3_USER_DATA_BUCKET: text.describe("Set it to the output userDataBucket of nanogrid-data."),
  FUNCTIONS_TABLE: text.describe("Set it to the output functionsTable of nanogrid-data."),
  JOBS_TABLE: text.describe("Set it to the output jobsTable of nanogrid-data."),
  API_KEYS_TABLE: text.describe("Set it to the output apiKeysTable of nanogrid-data."),
  SQS_QUEUE_URL: z.url().describe("Set it to the output queueUrl of nanogrid-data."),
  DEAD_LETTER_QUEUE_URL: z
    .union([z.literal(""), z.url()])
    .default("")
    .describe(
      "Set it to the output deadLetterQueueUrl of nanogrid-data, or leave it empty: the status then lacks them.",
    ),
  KEY_REQUESTS_PER_MINUTE: count(1, 1_000_000)
    .default(600)
    .describe("Set how many requests a key may make in a minute unless it has a limit of its own; the default is 600."),
  REDIS_HOST: text.describe("Set it to the output redisHost of nanogrid-data."),
  REDIS_PORT: count(1, 65_535).default(6379).describe("Set a TCP port from 1 to 65535; the default is 6379."),
  REDIS_TLS: z
    .enum(["true", "false"])
    .transform((value) => value === "true")
    .describe('Set it to the output redisTls of nanogrid-data: "true" or "false".'),
  REDIS_USER: z.string().default("").describe("Set the Redis user to sign in as with IAM, or leave it empty for none."),
  REDIS_CACHE_NAME: z.string().default("").describe("Set it to the output redisName of nanogrid-data."),
  LOG_FILE: z.string().default("").describe("Set the path of the log, or leave it empty for standard output."),
  SYNC_MAX_WAIT_S: count(1, 3_900)
    .default(3_500)
    .describe(
      "Set how long a synchronous call waits, 1 to 3900 s (the load balancer cuts it at 4000); the default is 3500.",
    ),
  UPLOAD_MAX_BYTES: count(1_024, 1_024 * MIB)
    .default(50 * MIB)
    .describe("Set the largest body of an upload in bytes, 1 KiB to 1 GiB; the default is 52428800."),
  SHUTDOWN_GRACE_S: count(0, 3_600)
    .default(25)
    .describe(
      "Set how long calls in flight may end before shutdown, 0 to 3600 s; the default is 25. Keep PM2's kill_timeout above.",
    ),
} as const;

/** What the controller runs with. Names and defaults are those of the environment variables. */
export interface Settings {
  readonly port: number;
  readonly host: string;
  readonly environment: string;
  readonly region: string;
  /** URL of a stand-in for AWS; undefined for AWS itself. */
  readonly awsEndpointUrl: string | undefined;
  readonly codeBucket: string;
  readonly userDataBucket: string;
  readonly functionsTable: string;
  readonly jobsTable: string;
  readonly apiKeysTable: string;
  readonly queueUrl: string;
  /** Empty where the status shall not have the dead letters. */
  readonly deadLetterQueueUrl: string;
  /** Most requests of a key in a minute, unless it has a limit of its own. */
  readonly keyRequestsPerMinute: number;
  readonly redis: RedisSettings;
  /** Path of the log; empty for standard output. */
  readonly logFile: string;
  /** Longest wait of a synchronous call, in seconds. */
  readonly syncMaxWaitS: number;
  /** Largest body of an upload, in bytes. */
  readonly uploadMaxBytes: number;
  /** How long calls in flight may end before shutdown, in seconds. */
  readonly shutdownGraceS: number;
}

/** How to reach Redis. */
export interface RedisSettings {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** User that signs in with an IAM token; empty for none. */
  readonly user: string;
  /** Id of the replication group, which the token is signed for. */
  readonly cacheName: string;
}

/** What making an API key needs. */
export type KeySettings = Pick<Settings, "region" | "awsEndpointUrl" | "apiKeysTable">;

/** Environment variables that are wrong or missing: all of them, each with its remedy. */
export class SettingsError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(
      `The environment of the controller has ${problems.length} problem(s):\n${problems.map((p) => `- ${p}`).join("\n")}`,
    );
    this.name = "SettingsError";
  }
}

/**
 * Reads the settings.
 * @throws SettingsError with every problem at once
 */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const values = parse(z.object(shape), env, contradictions(env));
  return {
    port: values.PORT,
    host: values.HOST,
    environment: values.ENVIRONMENT,
    region: values.AWS_REGION,
    awsEndpointUrl: values.AWS_ENDPOINT_URL,
    codeBucket: values.S3_CODE_BUCKET,
    userDataBucket: values.S3_USER_DATA_BUCKET,
    functionsTable: values.FUNCTIONS_TABLE,
    jobsTable: values.JOBS_TABLE,
    apiKeysTable: values.API_KEYS_TABLE,
    queueUrl: values.SQS_QUEUE_URL,
    deadLetterQueueUrl: values.DEAD_LETTER_QUEUE_URL,
    keyRequestsPerMinute: values.KEY_REQUESTS_PER_MINUTE,
    redis: {
      host: values.REDIS_HOST,
      port: values.REDIS_PORT,
      tls: values.REDIS_TLS,
      user: values.REDIS_USER,
      cacheName: values.REDIS_CACHE_NAME,
    },
    logFile: values.LOG_FILE,
    syncMaxWaitS: values.SYNC_MAX_WAIT_S,
    uploadMaxBytes: values.UPLOAD_MAX_BYTES,
    shutdownGraceS: values.SHUTDOWN_GRACE_S,
  };
}

/**
 * Reads the few settings that making an API key needs.
 * @throws SettingsError with every problem at once
 */
export function readKeySettings(env: NodeJS.ProcessEnv): KeySettings {
  const { AWS_REGION, AWS_ENDPOINT_URL, API_KEYS_TABLE } = shape;
  const values = parse(z.object({ AWS_REGION, AWS_ENDPOINT_URL, API_KEYS_TABLE }), env, []);
  return { region: values.AWS_REGION, awsEndpointUrl: values.AWS_ENDPOINT_URL, apiKeysTable: values.API_KEYS_TABLE };
}

function parse<S extends z.ZodRawShape>(
  schema: z.ZodObject<S>,
  env: NodeJS.ProcessEnv,
  contradictions: readonly string[],
): z.output<z.ZodObject<S>> {
  const parsed = schema.safeParse(env);
  if (parsed.success && contradictions.length === 0) {
    return parsed.data;
  }
  const wrong = parsed.success ? [] : parsed.error.issues.map((issue) => describe(issue, env));
  throw new SettingsError([...wrong, ...contradictions]);
}

function describe(issue: z.core.$ZodIssue, env: NodeJS.ProcessEnv): string {
  const name = String(issue.path[0]) as keyof typeof shape;
  const value = env[name];
  const came = value === undefined ? "is not set" : `is ${JSON.stringify(value)}: ${issue.message}`;
  return `${name} ${came}. ${shape[name].description}`;
}

/** What is wrong between variables that are right one by one. */
function contradictions(env: NodeJS.ProcessEnv): string[] {
  if (!env.REDIS_USER) {
    return [];
  }
  const problems: string[] = [];
  if (!env.REDIS_CACHE_NAME) {
    problems.push(`REDIS_CACHE_NAME is not set, and REDIS_USER is. ${shape.REDIS_CACHE_NAME.description}`);
  }
  if (env.REDIS_TLS === "false") {
    problems.push(
      'REDIS_TLS is "false", and REDIS_USER is set: IAM tokens need TLS. Set REDIS_TLS to "true", or empty REDIS_USER.',
    );
  }
  return problems;
}
