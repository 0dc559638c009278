/** The way in to the inference cluster: an HTTP API, its functions in the private subnets, and the queue of large batches. */
import type { Construct } from "constructs";
import { HttpApi } from "../../constructs/http-api";
import { NodeFunction, type NodeFunctionProps } from "../../constructs/node-function";
import { WorkQueue } from "../../constructs/work-queue";
import { batchesArtifact } from "../../lambdas/inference-batches/artifact";
import { batchesStatements } from "../../lambdas/inference-batches/permissions";
import { bootstrapArtifact } from "../../lambdas/inference-bootstrap/artifact";
import { pageArtifact } from "../../lambdas/inference-page/artifact";
import { productsArtifact } from "../../lambdas/inference-products/artifact";
import { productsStatements } from "../../lambdas/inference-products/permissions";
import { searchArtifact } from "../../lambdas/inference-search/artifact";
import { searchStatements } from "../../lambdas/inference-search/permissions";
import { titlesArtifact } from "../../lambdas/inference-titles/artifact";
import { titlesStatements } from "../../lambdas/inference-titles/permissions";
import { authorizerOf } from "../platform/api-settings";
import { contract, type ValuesOf } from "../platform/contract";
import { PlatformStack } from "../platform/platform-stack";
import type { Settings } from "../platform/settings";
import { apiAlarms } from "./api-alarms";
import { modelArns } from "./bedrock";
import { gpu } from "./gpu";
import { API, BATCH_QUEUE, FUNCTION_ROLES, FUNCTIONS, type InferenceFunction, PAGE_ROLE } from "./names";
import { network } from "./network";

export const api = contract("inference-api", {
  apiId: "Id of inference-api",
  apiUrl: "URL of inference-api",
  productsFunctionName: "Function behind POST /products",
  searchFunctionName: "Function behind POST /products/search",
  titlesFunctionName: "Function behind POST /carts/{id}/title",
  batchesFunctionName: "Function that stores queued products",
  bootstrapFunctionName: "Function that makes collections and indexes: npm run inference -- bootstrap",
  productsLogGroup: "Log group of the function behind POST /products",
  searchLogGroup: "Log group of the function behind POST /products/search",
  titlesLogGroup: "Log group of the function behind POST /carts/{id}/title",
  batchesLogGroup: "Log group of the function that stores queued products",
  bootstrapLogGroup: "Log group of the bootstrap",
  accessLogGroup: "Access log of the API",
  queueUrl: "Queue of large batches of products, one a message",
  deadLetterQueueUrl: "Products that could not be stored",
});

/** Length of the vectors of a Titan model: the largest that it makes. */
const TITAN_DIMENSIONS = 1_024;
/** Under the 30 s of an HTTP API, so that the function's own answer arrives. */
const ANSWER_SECONDS = 29;
const BATCH_SECONDS = 120;
/** Lambda's own retries of a batch that could not be taken fit in, as AWS advises. */
const HIDDEN_SECONDS = 6 * BATCH_SECONDS;
/** An index of Atlas takes minutes to build: one call waits for a part of that. */
const BOOTSTRAP_SECONDS = 300;
const BATCH_SIZE = 10;
const BATCH_WINDOW_SECONDS = 1;
const RECEIVES = 5;
const KEPT_SECONDS = 14 * 86_400;
const MEMORY_MIB = 512;
const PAGE_MEMORY_MIB = 128;
const PAGE_SECONDS = 5;
const PAGE_CONCURRENCY = 5;
const BOOTSTRAP_CONCURRENCY = 1;
const PAGE = "The page is the same for everyone and holds no data: what it calls asks who is there.";
const STAND_INS = "Only stand-ins have no authorizer: settings refuse it elsewhere.";

type Network = ValuesOf<typeof network>;

export class InferenceApi extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, api.stack, settings);
    const { api: own } = settings.inference;
    const net = this.read(network);
    const tier = this.read(gpu);
    const queue = new WorkQueue(this, "queue", {
      name: BATCH_QUEUE,
      visibilityTimeoutSeconds: HIDDEN_SECONDS,
      maxReceiveCount: RECEIVES,
      retentionSeconds: KEPT_SECONDS,
      alarmActions: [net.alarmTopicArn],
      protect: settings.protectData,
    });
    const { products, search, titles, batches, bootstrap } = this.createFunctions(net, tier.serviceUrl, queue);
    const front = new HttpApi(this, "api", {
      name: API,
      description: "Inference cluster: products by meaning, and titles of carts",
      authorizer: authorizerOf(own),
      openReason: own.authorizer === "none" ? STAND_INS : undefined,
      corsOrigins: own.corsOrigins,
      requestsPerSecond: own.requestsPerSecond,
      burst: own.burst,
      logRetentionDays: own.logRetentionDays,
    });
    front.route("post-products", "POST /products", front.toFunction("products-integration", products));
    front.route("post-search", "POST /products/search", front.toFunction("search-integration", search));
    front.route("post-title", "POST /carts/{id}/title", front.toFunction("titles-integration", titles));
    if (own.page) {
      const page = front.toFunction("page-integration", this.createPage());
      front.route("get-page", "GET /", page, { openReason: PAGE });
      front.route("get-page-files", "GET /page/{proxy+}", page, { openReason: PAGE });
    }
    apiAlarms(this, settings, {
      topicArn: net.alarmTopicArn,
      apiId: front.id,
      functions: [products, search, titles, batches],
      queueName: queue.name,
    });
    this.publish(api, {
      apiId: front.id,
      apiUrl: front.url,
      productsFunctionName: products.name,
      searchFunctionName: search.name,
      titlesFunctionName: titles.name,
      batchesFunctionName: batches.name,
      bootstrapFunctionName: bootstrap.name,
      productsLogGroup: products.logGroupName,
      searchLogGroup: search.logGroupName,
      titlesLogGroup: titles.logGroupName,
      batchesLogGroup: batches.logGroupName,
      bootstrapLogGroup: bootstrap.logGroupName,
      accessLogGroup: front.logGroupName,
      queueUrl: queue.url,
      deadLetterQueueUrl: queue.deadLetterUrl,
    });
  }

  private createFunctions(
    net: Network,
    serviceUrl: string,
    queue: WorkQueue,
  ): Readonly<Record<InferenceFunction, NodeFunction>> {
    const { api: own } = this.settings.inference;
    const byBedrock = own.embeddings === "bedrock";
    const embeddingArns = byBedrock ? this.arnsOf(own.embeddingModel) : [];
    const database = { INFERENCE_DATABASE_URI: net.databaseUri, INFERENCE_DATABASE_NAME: net.databaseName };
    const dimensions = { INFERENCE_DIMENSIONS: String(byBedrock ? TITAN_DIMENSIONS : own.gpuDimensions) };
    const storing = {
      ...database,
      ...dimensions,
      INFERENCE_EMBEDDINGS: own.embeddings,
      INFERENCE_EMBEDDING_MODEL: byBedrock ? own.embeddingModel : "gpu-tier",
      INFERENCE_GPU_URL: serviceUrl,
    };
    const inPrivate = { subnetIds: net.privateSubnetIds, securityGroupIds: [net.functionSecurityGroupId] };
    const create = (
      name: InferenceFunction,
      props: Omit<NodeFunctionProps, "name" | "roleName" | "handler" | "memoryMib" | "logRetentionDays" | "vpc">,
    ) =>
      new NodeFunction(this, name, {
        name: FUNCTIONS[name],
        roleName: FUNCTION_ROLES[name],
        handler: "handler.handler",
        memoryMib: MEMORY_MIB,
        logRetentionDays: own.logRetentionDays,
        vpc: inPrivate,
        ...props,
      });
    return {
      products: create("products", {
        description: "Stores products with vectors and attributes, or queues them",
        bundle: productsArtifact(),
        environment: {
          ...storing,
          INFERENCE_QUEUE_URL: queue.url,
          INFERENCE_INLINE_PRODUCTS: String(own.inlineProducts),
        },
        statements: productsStatements({ modelArns: embeddingArns, queueArn: queue.arn }),
        timeoutSeconds: ANSWER_SECONDS,
        reservedConcurrency: own.concurrency.products,
      }),
      batches: create("batches", {
        description: "Stores queued products",
        bundle: batchesArtifact(),
        environment: storing,
        statements: batchesStatements(embeddingArns),
        timeoutSeconds: BATCH_SECONDS,
        reservedConcurrency: own.concurrency.batches,
        source: {
          queueArn: queue.arn,
          batchSize: BATCH_SIZE,
          windowSeconds: BATCH_WINDOW_SECONDS,
          concurrency: own.concurrency.batches,
        },
      }),
      search: create("search", {
        description: "Finds products by meaning",
        bundle: searchArtifact(),
        environment: storing,
        statements: searchStatements(embeddingArns),
        timeoutSeconds: ANSWER_SECONDS,
        reservedConcurrency: own.concurrency.search,
      }),
      titles: create("titles", {
        description: "Writes titles of carts",
        bundle: titlesArtifact(),
        environment: {
          ...database,
          INFERENCE_TITLE_MODEL: own.titleModel,
          INFERENCE_TITLE_DAYS: String(own.titleDays),
        },
        statements: titlesStatements(this.arnsOf(own.titleModel)),
        timeoutSeconds: ANSWER_SECONDS,
        reservedConcurrency: own.concurrency.titles,
      }),
      bootstrap: create("bootstrap", {
        description: "Makes the collections and the vector index",
        bundle: bootstrapArtifact(),
        environment: { ...database, ...dimensions },
        statements: [],
        timeoutSeconds: BOOTSTRAP_SECONDS,
        reservedConcurrency: BOOTSTRAP_CONCURRENCY,
      }),
    };
  }

  private createPage(): NodeFunction {
    return new NodeFunction(this, "page", {
      name: FUNCTIONS.page,
      description: "Serves the page to try the API",
      roleName: PAGE_ROLE,
      bundle: pageArtifact(),
      handler: "handler.handler",
      environment: {},
      statements: [],
      memoryMib: PAGE_MEMORY_MIB,
      timeoutSeconds: PAGE_SECONDS,
      reservedConcurrency: PAGE_CONCURRENCY,
      logRetentionDays: this.settings.inference.api.logRetentionDays,
    });
  }

  private arnsOf(model: string): string[] {
    const { accountId, region } = this.settings;
    return modelArns(model, region, accountId);
  }
}
