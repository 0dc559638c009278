/** A world for the controller: real Redis, stand-in AWS with the data stack's tables, buckets and queue, and its application. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Writable } from "node:stream";
import { CreateTableCommand, type GlobalSecondaryIndex } from "@aws-sdk/client-dynamodb";
import { CreateBucketCommand, GetObjectCommand } from "@aws-sdk/client-s3";
import { CreateQueueCommand, DeleteMessageCommand, ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { Redis } from "ioredis";
import pino from "pino";
import { z } from "zod";
import { createApp } from "../../../userdata/controller/src/app";
import { type Aws, createAws } from "../../../userdata/controller/src/aws";
import { createKey } from "../../../userdata/controller/src/keys";
import { openApiDocument } from "../../../userdata/controller/src/openapi";
import { JobEvents } from "../../../userdata/controller/src/redis";
import type { Role } from "../../../userdata/controller/src/schemas";
import { createHttpServer } from "../../../userdata/controller/src/server";
import { readSettings, type Settings } from "../../../userdata/controller/src/settings";
import { type Moto, startMoto, startRedis, type TestServer, until } from "../../support/servers";

export const HELLO = "def handler(event, context):\n    return {'hello': event}\n";

/** A message of the queue, parsed and as it came. */
export interface Message {
  readonly body: Record<string, unknown> & { readonly job_id: string };
  readonly text: string;
  /** Whose share of the queue it counts to. */
  readonly group: string | undefined;
}

/** An answer of the controller. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents of many shapes.
  readonly body: any;
}

export interface CallOptions {
  readonly key?: string;
  readonly json?: unknown;
  readonly body?: string | FormData | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A running application. */
export interface Controller {
  readonly url: string;
  /** Aborting it is what a stopping controller does. */
  readonly stopping: AbortController;
  readonly events: JobEvents;
  /** All that it has logged. */
  logged(): string;
  /** Sends a request and holds the answer against the OpenAPI document. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  stop(): Promise<void>;
}

export class World {
  /** Of tenant default, role user. */
  readonly key: string;
  /** Of tenant other, role user. */
  readonly otherKey: string;
  /** Of tenant default, role admin. */
  readonly adminKey: string;
  /** Of tenant default, role invoker. */
  readonly invokerKey: string;
  private readonly controllers: Controller[] = [];

  private constructor(
    readonly moto: Moto,
    readonly redis: TestServer,
    readonly aws: Aws,
    readonly env: NodeJS.ProcessEnv,
    keys: readonly [string, string, string, string],
  ) {
    [this.key, this.otherKey, this.adminKey, this.invokerKey] = keys;
  }

  static async create(): Promise<World> {
    process.env.AWS_ACCESS_KEY_ID = "test";
    process.env.AWS_SECRET_ACCESS_KEY = "test";
    const [moto, redis] = await Promise.all([startMoto(), startRedis()]);
    const env: NodeJS.ProcessEnv = {
      HOST: "127.0.0.1",
      PORT: "0",
      ENVIRONMENT: "local",
      AWS_REGION: "ap-northeast-2",
      AWS_ENDPOINT_URL: moto.endpoint,
      S3_CODE_BUCKET: "nanogrid-code-bucket",
      S3_USER_DATA_BUCKET: "nanogrid-user-data-123456789012",
      FUNCTIONS_TABLE: "NanoGridFunctions",
      JOBS_TABLE: "NanoGridJobs",
      API_KEYS_TABLE: "NanoGridApiKeys",
      // No such host exists: requests must go to the endpoint all the same.
      SQS_QUEUE_URL: "http://sqs.nowhere.invalid/123456789012/nanogrid-task-queue",
      DEAD_LETTER_QUEUE_URL: "http://sqs.nowhere.invalid/123456789012/nanogrid-task-dlq",
      // Tests ask more often than people.
      KEY_REQUESTS_PER_MINUTE: "100000",
      REDIS_HOST: "127.0.0.1",
      REDIS_PORT: String(redis.port),
      REDIS_TLS: "false",
    };
    const settings = readSettings(env);
    const aws = createAws(settings);
    await createResources(aws, settings);
    const make = (tenant: string, role: Role) =>
      createKey(aws.dynamo, settings.apiKeysTable, { tenant, role, name: `test ${role}` });
    return new World(moto, redis, aws, env, [
      await make("default", "user"),
      await make("other", "user"),
      await make("default", "admin"),
      await make("default", "invoker"),
    ]);
  }

  /** Starts an application; `env` overrides the world's. */
  async controller(env: NodeJS.ProcessEnv = {}): Promise<Controller> {
    const controller = await startController(readSettings({ ...this.env, ...env }), this.key);
    this.controllers.push(controller);
    return controller;
  }

  /** Takes one message from the queue as a worker does; undefined when there is none. */
  async receive(waitSeconds = 5): Promise<Message | undefined> {
    const QueueUrl = this.env.SQS_QUEUE_URL;
    const { Messages } = await this.aws.sqs.send(
      new ReceiveMessageCommand({
        QueueUrl,
        WaitTimeSeconds: waitSeconds,
        MessageSystemAttributeNames: ["MessageGroupId"],
      }),
      {
        requestTimeout: 30_000,
      },
    );
    const message = Messages?.[0];
    if (!message) {
      return undefined;
    }
    await this.aws.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
    const text = message.Body ?? "";
    return { text, body: JSON.parse(text), group: message.Attributes?.MessageGroupId };
  }

  async emptyQueue(): Promise<void> {
    while (await this.receive(0)) {
      // The next one.
    }
  }

  /** Publishes a result as a worker does, and says how many heard it. */
  async publish(jobId: string, result: string, port = this.redis.port): Promise<number> {
    const redis = new Redis({ port, host: "127.0.0.1" });
    await redis.set(`nanogrid:job:${jobId}`, result, "EX", 86_400);
    const heard = await redis.publish(`nanogrid:job:${jobId}:events`, result);
    redis.disconnect();
    return heard;
  }

  /** Appends to a job's live log and tells of it, as a worker does. */
  async log(jobId: string, text: string, attempt = 1): Promise<void> {
    const redis = new Redis({ port: this.redis.port, host: "127.0.0.1" });
    const end = await redis.append(`nanogrid:job:${jobId}:log:${attempt}`, text);
    const event = { job_id: jobId, type: "log", attempt, offset: end - Buffer.byteLength(text), text };
    await redis.publish(`nanogrid:job:${jobId}:events`, JSON.stringify(event));
    redis.disconnect();
  }

  /** Takes a job as a worker does: in the table, then in Redis. */
  async claim(jobId: string, attempt = 1): Promise<void> {
    const now = new Date().toISOString();
    await this.aws.dynamo.send(
      new UpdateCommand({
        TableName: this.env.JOBS_TABLE,
        Key: { jobId },
        UpdateExpression: "SET #status = :processing, startedAt = :now, attempts = :attempt, leaseOwner = :me",
        ExpressionAttributeNames: { "#status": "status" },
        ExpressionAttributeValues: { ":processing": "PROCESSING", ":now": now, ":attempt": attempt, ":me": "worker-1" },
      }),
    );
    await this.publish(jobId, JSON.stringify({ job_id: jobId, status: "PROCESSING", updated_at: now }));
  }

  /** Ends a job as a worker does: its result in the table, and then in Redis. */
  async finish(jobId: string, result: string): Promise<void> {
    await this.aws.dynamo.send(
      new UpdateCommand({
        TableName: this.env.JOBS_TABLE,
        Key: { jobId },
        UpdateExpression: "SET #status = :status, #result = :result, finishedAt = :now REMOVE leaseOwner",
        ExpressionAttributeNames: { "#status": "status", "#result": "result" },
        ExpressionAttributeValues: {
          ":status": JSON.parse(result).status,
          ":result": result,
          ":now": new Date().toISOString(),
        },
      }),
    );
    await this.publish(jobId, result);
  }

  /** Says that a worker is there, as it does every 15 s. */
  async announce(workerId: string, entry: object): Promise<void> {
    const redis = new Redis({ port: this.redis.port, host: "127.0.0.1" });
    await redis.hset("nanogrid:workers", workerId, JSON.stringify({ worker_id: workerId, ...entry }));
    redis.disconnect();
  }

  async object(bucket: string, key: string): Promise<Buffer> {
    const { Body } = await this.aws.s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  }

  async close(): Promise<void> {
    await Promise.all(this.controllers.map((controller) => controller.stop()));
    this.aws.close();
    await Promise.all([this.moto.stop(), this.redis.stop()]);
  }
}

/** A result document of a success. */
export function success(message: Message, output = '{"hello":"world"}'): string {
  const { job_id, function_id, function_version } = message.body;
  const now = new Date().toISOString();
  const rest = JSON.stringify({
    job_id,
    function_id,
    function_version,
    worker_id: "worker-1",
    status: "SUCCESS",
    exit_reason: { code: "ok", message: "The function returned." },
    error: null,
    logs: "",
    logs_truncated: false,
    files: [],
    started_at: now,
    finished_at: now,
    queue_ms: 3,
    duration_ms: 1,
    attempt: 1,
    start: "warm",
    ai: null,
    peak_memory_mb: 20,
    suggested_memory_mb: 64,
  });
  return `${rest.slice(0, -1)},"output":${output}}`;
}

async function startController(settings: Settings, key: string): Promise<Controller> {
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const log = pino({ level: "debug" }, sink);
  const aws = createAws(settings);
  const events = new JobEvents(settings.redis, undefined, log);
  await events.start();
  const stopping = new AbortController();
  const server = createHttpServer(createApp({ settings, aws, events, log, stopping: stopping.signal }));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    stopping,
    events,
    logged: () => lines.join(""),
    call: (method, path, options = {}) => call(`${url}${path}`, method, { key, ...options }),
    stop: async () => {
      stopping.abort();
      events.close();
      server.closeAllConnections();
      server.close();
      aws.close();
      await until("the server is closed", () => !server.listening);
    },
  };
}

async function call(url: string, method: string, { key, json, body, headers = {} }: CallOptions): Promise<Answer> {
  const response = await fetch(url, {
    method,
    body: json === undefined ? body : JSON.stringify(json),
    headers: {
      ...(key ? { authorization: `Bearer ${key}` } : {}),
      ...(json === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    signal: AbortSignal.timeout(60_000),
  });
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  const answer = {
    status: response.status,
    headers: response.headers,
    text,
    body: /json/.test(type) ? JSON.parse(text) : undefined,
  };
  holdAgainstDocument(method, new URL(url).pathname, answer, type.split(";")[0] ?? "");
  return answer;
}

/** Throws unless the OpenAPI document describes the answer. Unknown routes are not described. */
function holdAgainstDocument(method: string, path: string, { status, body, text }: Answer, type: string): void {
  const { paths, components } = openApiDocument();
  const template = Object.keys(paths).find((candidate) =>
    new RegExp(`^${candidate.replace(/\{\w+\}/g, "[^/]+")}$`).test(path),
  );
  const operation = template && (paths[template]?.[method.toLowerCase()] as Operation | undefined);
  if (!operation) {
    return;
  }
  const reply = operation.responses[status];
  const where = `${method} ${path} answered ${status} ${type}`;
  if (!reply) {
    throw new Error(`${where}, which the OpenAPI document does not have: ${text}`);
  }
  if (!reply.content) {
    return;
  }
  const media = reply.content[type];
  if (!media) {
    throw new Error(`${where}; the OpenAPI document has ${Object.keys(reply.content).join(", ")}`);
  }
  if (media.schema) {
    const checked = schemaOf(media.schema, components.schemas).safeParse(body);
    if (!checked.success) {
      throw new Error(`${where}, not as the OpenAPI document says: ${z.prettifyError(checked.error)}\n${text}`);
    }
  }
}

const schemas = new Map<object, z.ZodType>();

function schemaOf(schema: object, all: object): z.ZodType {
  const known = schemas.get(schema);
  if (known) {
    return known;
  }
  const bundled = JSON.stringify({ ...schema, $defs: all }).replaceAll("#/components/schemas/", "#/$defs/");
  const made = z.fromJSONSchema(JSON.parse(bundled));
  schemas.set(schema, made);
  return made;
}

interface Operation {
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema?: object }> }>;
}

/** What the data stack creates, as far as the controller uses it. */
async function createResources({ dynamo, s3, sqs }: Aws, settings: Settings): Promise<void> {
  const index = (name: string, hash: string, range: string, projection: "ALL" | "KEYS_ONLY"): GlobalSecondaryIndex => ({
    IndexName: name,
    KeySchema: [
      { AttributeName: hash, KeyType: "HASH" },
      { AttributeName: range, KeyType: "RANGE" },
    ],
    Projection: { ProjectionType: projection },
  });
  const byTenant = index("by-tenant", "tenant", "createdAt", "ALL");
  const byDuty = index("by-duty", "duty", "dutyAt", "KEYS_ONLY");
  const table = (name: string, key: string, indexes: readonly GlobalSecondaryIndex[]) => {
    const keys = indexes.flatMap(({ KeySchema = [] }) => KeySchema.map(({ AttributeName }) => AttributeName));
    return dynamo.send(
      new CreateTableCommand({
        TableName: name,
        BillingMode: "PAY_PER_REQUEST",
        KeySchema: [{ AttributeName: key, KeyType: "HASH" }],
        AttributeDefinitions: [key, ...keys].map((AttributeName) => ({
          AttributeName,
          AttributeType: AttributeName === "dutyAt" ? "N" : "S",
        })),
        GlobalSecondaryIndexes: [...indexes],
      }),
    );
  };
  await table(settings.functionsTable, "functionId", [byTenant]);
  await table(settings.jobsTable, "jobId", [byTenant, byDuty]);
  await table(settings.apiKeysTable, "keyHash", [byTenant]);
  for (const Bucket of [settings.codeBucket, settings.userDataBucket]) {
    await s3.send(
      new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: "ap-northeast-2" } }),
    );
  }
  await sqs.send(new CreateQueueCommand({ QueueName: "nanogrid-task-queue" }));
  await sqs.send(new CreateQueueCommand({ QueueName: "nanogrid-task-dlq" }));
}
