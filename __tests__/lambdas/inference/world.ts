/**
 * The inference functions under AWS's runtime interface client, against FerretDB behind the stand-in of Atlas, the GPU tier's own program
 * with a MiniLM, and stand-ins of Bedrock and SQS that ask the emitted policies about each request.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { SQSBatchResponse } from "aws-lambda";
import { unzipSync } from "fflate";
import { MongoClient } from "mongodb";
import { batchesArtifact } from "../../../lambdas/inference-batches/artifact";
import { bootstrapArtifact } from "../../../lambdas/inference-bootstrap/artifact";
import { productsArtifact } from "../../../lambdas/inference-products/artifact";
import { searchArtifact } from "../../../lambdas/inference-search/artifact";
import { titlesArtifact } from "../../../lambdas/inference-titles/artifact";
import { Atlas } from "../../../local/atlas/proxy";
import { clientOptions } from "../../../local/clouds";
import { ferretdbMissing, prepareFerretdb } from "../../../local/ferretdb/ferretdb";
import { LocalFunction } from "../../../local/lambda/function";
import { nodeRuntimeMissing, prepareNodeRuntime } from "../../../local/lambda/node-runtime";
import { QueueSource } from "../../../local/lambda/queue-source";
import { type ProductInference, startProductInference } from "../../../local/product-inference";
import { FUNCTION_ROLES, FUNCTIONS, type InferenceFunction } from "../../../modules/inference/names";
import type { Artifact } from "../../../modules/platform/artifact";
import { Authorizer } from "../../permissions/authorizer";
import type { Emitted } from "../../permissions/emitted";
import { type LocalGrants, localGrants } from "../../permissions/local-grants";
import { type Ferretdb, motoMissing, type StandIns, startFerretdb, startStandIns } from "../../support/servers";

export const REGION = "ap-northeast-2";
export const ACCOUNT = "123456789012";
export const EMBEDDING_MODEL = "amazon.titan-embed-text-v2:0";
export const TITLE_MODEL = "apac.amazon.nova-lite-v1:0";
export const DATABASE = "shop";
export const DIMENSIONS = 1_024;
/** Products that are stored before the answer. */
export const INLINE = 10;
/** Time to build AWS's runtime interface client and FerretDB, once on a machine. */
export const SETUP_MS = 900_000;
const MANY_CALLS = join(__dirname, "many-calls.mjs");
const QUEUE = "inference-batches";
/** Seconds that a function may run: enough for a failover, and for a test of a deadline. */
const TIMEOUT_S = 20;

const ARTIFACTS: Readonly<Record<InferenceFunction, () => Artifact>> = {
  products: productsArtifact,
  search: searchArtifact,
  titles: titlesArtifact,
  batches: batchesArtifact,
  bootstrap: bootstrapArtifact,
};

/** Why none of it can be had here; undefined when it can. */
export function inferenceMissing(): string | undefined {
  return motoMissing() ?? nodeRuntimeMissing() ?? ferretdbMissing();
}

/** What the roles of the cluster may do in the environment `local`. */
export function inferenceGrants(): Omit<LocalGrants, "out" | "remove"> {
  const { remove, ...grants } = localGrants((stack) => stack.startsWith("inference-"));
  remove();
  return grants;
}

/** An answer of a function behind the HTTP API. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: the document of an answer, whose members each test names.
  readonly body: any;
}

/** Trouble of Bedrock's: how often, on which operation. */
export interface Fault {
  readonly operation: "InvokeModel" | "Converse";
  readonly kind: "throttle" | "unavailable" | "slow" | "malformed";
  readonly times: number;
  readonly seconds?: number;
}

export class InferenceWorld {
  /** What the functions have written, line by line. */
  output = "";
  private ferretdb: Ferretdb;
  private readonly made: LocalFunction[] = [];

  private constructor(
    readonly atlas: Atlas,
    readonly database: MongoClient,
    readonly tier: ProductInference,
    readonly standIns: StandIns,
    readonly authorizer: Authorizer,
    readonly queueUrl: string,
    private readonly program: string,
    private readonly folder: string,
    private readonly command: readonly [string, ...string[]],
    ferretdb: Ferretdb,
  ) {
    this.ferretdb = ferretdb;
  }

  /** @param emitted what the roles may do */
  static async start(emitted: Emitted): Promise<InferenceWorld> {
    const command = await prepareNodeRuntime();
    const program = await prepareFerretdb();
    const folder = mkdtempSync(join(tmpdir(), "inference-database-"));
    const [tier, ferretdb, authorizer] = await Promise.all([
      startProductInference(),
      startFerretdb(program, folder),
      Authorizer.start(emitted),
    ]);
    const standIns = await startStandIns(ACCOUNT, authorizer.url, tier.url);
    const atlas = await Atlas.start({ upstream: ferretdb.port });
    const sqs = new SQSClient(clientOptions(standIns.ports, REGION));
    const { QueueUrl = "" } = await sqs.send(
      new CreateQueueCommand({ QueueName: QUEUE, Attributes: { VisibilityTimeout: "1" } }),
    );
    sqs.destroy();
    const database = await new MongoClient(atlas.uri).connect();
    return new InferenceWorld(
      atlas,
      database,
      tier,
      standIns,
      authorizer,
      QueueUrl,
      program,
      folder,
      command,
      ferretdb,
    );
  }

  /** One of the functions, with other environment variables where they are given. */
  create(name: InferenceFunction, environment: Readonly<Record<string, string>> = {}, timeoutS = TIMEOUT_S) {
    const fn = new LocalFunction({
      name: FUNCTIONS[name],
      zip: ARTIFACTS[name]().file,
      handler: "handler.handler",
      command: this.command,
      runtime: "nodejs22.x",
      region: REGION,
      account: ACCOUNT,
      timeoutS,
      concurrency: 20,
      environment: {
        ...this.environment(),
        AWS_ACCESS_KEY_ID: FUNCTION_ROLES[name],
        ...environment,
      },
      onOutput: (text) => {
        this.output += text;
      },
    });
    this.made.push(fn);
    return fn;
  }

  /**
   * A function's bundle in processes of its own, which call its handler again and again.
   *
   * @returns how to run one: it answers what came of the calls, and how many connections its process holds then
   */
  async warm(name: InferenceFunction, body: object, pathParameters: Readonly<Record<string, string>>) {
    const folder = mkdtempSync(join(tmpdir(), "inference-warm-"));
    const files = unzipSync(readFileSync(ARTIFACTS[name]().file));
    for (const [path, content] of Object.entries(files)) {
      writeFileSync(join(folder, path), content);
    }
    const event = JSON.stringify(eventOf(JSON.stringify(body), pathParameters));
    const connectionsAfter = async (times: number) => {
      const before = this.atlas.connections;
      const child = spawn(process.execPath, [MANY_CALLS, join(folder, "handler.js"), String(times), event], {
        env: {
          NODE_NO_WARNINGS: "1",
          ...this.environment(),
          AWS_REGION: REGION,
          AWS_ACCESS_KEY_ID: FUNCTION_ROLES[name],
        },
        stdio: ["ignore", "ignore", "pipe"],
      });
      const [told] = (await once(child.stderr, "data")) as [Buffer];
      const connections = this.atlas.connections - before;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
      return { connections, statuses: JSON.parse(told.toString()) as Record<string, number> };
    };
    return { connectionsAfter, close: () => rmSync(folder, { recursive: true, force: true }) };
  }

  /** What every function is told. */
  environment(): Record<string, string> {
    return {
      AWS_SECRET_ACCESS_KEY: "local",
      AWS_ENDPOINT_URL: this.awsUrl,
      INFERENCE_DATABASE_URI: this.atlas.uri,
      INFERENCE_DATABASE_NAME: DATABASE,
      INFERENCE_DATABASE_AUTH: "none",
      INFERENCE_DIMENSIONS: String(DIMENSIONS),
      INFERENCE_EMBEDDINGS: "bedrock",
      INFERENCE_EMBEDDING_MODEL: EMBEDDING_MODEL,
      INFERENCE_GPU_URL: this.tier.url,
      INFERENCE_QUEUE_URL: this.queueUrl,
      INFERENCE_INLINE_PRODUCTS: String(INLINE),
      INFERENCE_TITLE_MODEL: TITLE_MODEL,
      INFERENCE_TITLE_DAYS: "30",
    };
  }

  get awsUrl(): string {
    return `http://127.0.0.1:${this.standIns.ports.aws}`;
  }

  /** A collection as it is stored. */
  collection(name: "products" | "titles") {
    return this.database.db(DATABASE).collection<{ _id: string } & Record<string, unknown>>(name);
  }

  /** Orders trouble of Bedrock's, in place of what was ordered before. */
  async trouble(...faults: readonly Fault[]): Promise<void> {
    await fetch(`${this.awsUrl}/standins/bedrock`, { method: "POST", body: JSON.stringify({ faults }) });
  }

  /** Calls that Bedrock has answered: what is billed. */
  async billed(operation: Fault["operation"]): Promise<number> {
    const answer = await fetch(`${this.awsUrl}/standins/bedrock`);
    const { answered } = (await answer.json()) as { answered: Record<string, number> };
    return answered[operation] ?? 0;
  }

  /** Messages that are in the queue, hidden ones included. */
  async queued(): Promise<number> {
    const sqs = new SQSClient(clientOptions(this.standIns.ports, REGION));
    const { Attributes = {} } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: this.queueUrl, AttributeNames: ["All"] }),
    );
    sqs.destroy();
    return Number(Attributes.ApproximateNumberOfMessages) + Number(Attributes.ApproximateNumberOfMessagesNotVisible);
  }

  /** Starts reading the queue for a function, in its role's name, as Lambda's pollers do. */
  poll(fn: LocalFunction, name: InferenceFunction): QueueSource {
    return new QueueSource({
      awsEndpoint: this.awsUrl,
      region: REGION,
      role: FUNCTION_ROLES[name],
      queueUrl: this.queueUrl,
      queueArn: `arn:aws:sqs:${REGION}:${ACCOUNT}:${QUEUE}`,
      fn,
      batchSize: INLINE,
    });
  }

  /** Kills the database's server, as a machine that is lost does. */
  async killDatabase(): Promise<void> {
    await this.ferretdb.kill();
  }

  /** Starts it again, where it was, on the data that it had written. */
  async restartDatabase(): Promise<void> {
    this.ferretdb = await startFerretdb(this.program, this.folder, this.ferretdb.port);
  }

  async stop(): Promise<void> {
    await Promise.all(this.made.map((fn) => fn.close()));
    await this.database.close();
    await this.atlas.close();
    await Promise.all([this.standIns.stop(), this.ferretdb.stop(), this.tier.stop(), this.authorizer.stop()]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Asks a function as the HTTP API does. */
export async function ask(
  fn: LocalFunction,
  body: unknown,
  pathParameters?: Readonly<Record<string, string>>,
): Promise<Answered> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const { payload, functionError } = await fn.invoke(eventOf(text, pathParameters));
  if (functionError) {
    throw new Error(payload);
  }
  const { statusCode, headers, body: answered } = JSON.parse(payload);
  return { status: statusCode, headers, body: JSON.parse(answered) };
}

function eventOf(body: string, pathParameters: Readonly<Record<string, string>> | undefined) {
  return {
    version: "2.0",
    routeKey: "POST /test",
    rawPath: "/test",
    rawQueryString: "",
    body,
    isBase64Encoded: false,
    ...(pathParameters ? { pathParameters } : {}),
    requestContext: { requestId: "request-1" },
  };
}

/** Calls a function with messages, as Lambda's pollers do. @returns the ids of those that failed */
export async function deliver(fn: LocalFunction, bodies: readonly string[]): Promise<string[]> {
  const Records = bodies.map((body, index) => ({ messageId: `message-${index}`, body }));
  const { payload, functionError } = await fn.invoke({ Records });
  if (functionError) {
    throw new Error(payload);
  }
  return (JSON.parse(payload) as SQSBatchResponse).batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
}

/** A product of that id. */
export function productOf(id: string, title: string, more: object = {}) {
  return { id, title, description: `${title}, for everyday use.`, ...more };
}
