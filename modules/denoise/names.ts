/** Physical names of the Denoise service: its stacks make them, its commands and programs look for them. */

/** Buckets; settings.denoise.storage.bucketSuffix is appended with a hyphen. */
export const IN_BUCKET = "ddn-in-bucket";
export const OUT_BUCKET = "ddn-out-bucket";
/** Repository of the one image of the task. */
export const REPOSITORY = "deepdenoising-triton";
/** ECS cluster, its service, and the family of its task definitions. */
export const CLUSTER = "ddn-cluster";
export const SERVICE = "ddn-triton-service";
export const TASK_FAMILY = "ddn-triton-task";
/** Containers of the task. */
export const CONTAINERS = { triton: "triton", api: "api", metrics: "metrics" } as const;
/** Auto-scaling groups of GPU instances, each with the ECS capacity provider of the same name. */
export const ON_DEMAND_GROUP = "ddn-gpu-on-demand";
export const SPOT_GROUP = "ddn-gpu-spot";
/** Internal load balancer and its target group. */
export const LOAD_BALANCER = "ddn-alb";
export const TARGET_GROUP = "ddn-triton-tg";
/** HTTP API and the function behind GET /presign. */
export const API = "ddn-presign-api";
export const PRESIGN_FUNCTION = "ddn-presign-lambda";
/** Log groups. */
export const TASK_LOG_GROUP = `/ecs/${TASK_FAMILY}`;
export const PRESIGN_LOG_GROUP = `/aws/lambda/${PRESIGN_FUNCTION}`;
export const API_LOG_GROUP = `/aws/apigateway/${API}`;
/** SNS topic that every alarm notifies. */
export const ALARM_TOPIC = "ddn-alarms";
/** What the sidecar publishes, and the service scales on; its namespace is with the sidecar's permission. */
export const PENDING_REQUESTS = "PendingRequests";
export { METRICS_NAMESPACE, RECORDS_PREFIX } from "../../containers/denoise/permissions";

/**
 * A bucket's physical name.
 *
 * @param name {@link IN_BUCKET} or {@link OUT_BUCKET}
 * @param suffix settings.denoise.storage.bucketSuffix
 */
export function bucketName(name: typeof IN_BUCKET | typeof OUT_BUCKET, suffix: string): string {
  return suffix ? `${name}-${suffix}` : name;
}
