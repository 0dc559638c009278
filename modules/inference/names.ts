/** Physical names of the inference cluster that more than one of its stacks, commands or programs must know. */

/** What every name of the cluster begins with. */
export const PREFIX = "inference";
/** SNS topic that every alarm notifies. */
export const ALARM_TOPIC = "inference-alarms";
/** Project and cluster in MongoDB Atlas; the environment is appended to the project's with a hyphen. */
export const ATLAS_PROJECT = "inference";
export const ATLAS_CLUSTER = "inference";
/** Custom database role of the bootstrap: it makes collections and indexes, and reads and writes no product. */
export const BOOTSTRAP_DATABASE_ROLE = "inference-bootstrap";

/**
 * IAM roles of the Lambda functions, which inference-api makes. The names are fixed, since inference-network lets each into the database
 * by its ARN, and comes first.
 */
export const FUNCTION_ROLES = {
  /** `POST /products` */
  products: "inference_products_role",
  /** `POST /products/search` */
  search: "inference_search_role",
  /** `POST /carts/{id}/title` */
  titles: "inference_titles_role",
  /** Makes the collections and the vector index. */
  bootstrap: "inference_bootstrap_role",
  /** Takes batches of products from the queue. */
  batches: "inference_batches_role",
} as const;

/** A function of the cluster, by what it is for. */
export type InferenceFunction = keyof typeof FUNCTION_ROLES;

/** ARN of a function's role, before the role is there. */
export function functionRoleArn(accountId: string, name: InferenceFunction): string {
  return `arn:aws:iam::${accountId}:role/${FUNCTION_ROLES[name]}`;
}

/** HTTP API of the cluster. */
export const API = "inference-api";
/** Functions of the API, by what they are for; the page's needs no database. */
export const FUNCTIONS = {
  products: "inference-products",
  search: "inference-search",
  titles: "inference-titles",
  bootstrap: "inference-bootstrap",
  batches: "inference-batches",
  page: "inference-page",
} as const;
/** IAM role of the function that serves the page: it may do nothing. */
export const PAGE_ROLE = "inference_page_role";
/** Queue of large batches of products; its dead letters append `-dlq`. */
export const BATCH_QUEUE = "inference-batches";

/** Repository of the one image of the GPU tier. */
export const REPOSITORY = "inference-products";
/** ECS cluster of the GPU tier, its service, the family of its task definitions, and the task's one container. */
export const CLUSTER = "inference-cluster";
export const SERVICE = "inference-service";
export const TASK_FAMILY = "inference-task";
export const CONTAINER = "product-inference";
/** Auto-scaling groups of GPU instances, each with the ECS capacity provider of the same name. */
export const ON_DEMAND_GROUP = "inference-gpu-on-demand";
export const SPOT_GROUP = "inference-gpu-spot";
/** Internal load balancer of the GPU tier and its target group. */
export const LOAD_BALANCER = "inference-alb";
export const TARGET_GROUP = "inference-tg";
/** Log group of the GPU tier's tasks. */
export const TASK_LOG_GROUP = `/ecs/${TASK_FAMILY}`;
