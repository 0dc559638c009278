/** What keeps data, carries messages, or watches. */
import { always, each } from "../assumptions";
import {
  block,
  blocks,
  hourly,
  isTrue,
  monthly,
  numberOf,
  type Pricing,
  textOf,
  times,
  Unpriced,
  used,
} from "../pricing";

/** CloudWatch Logs charges what it keeps compressed; this is what AWS's own examples reckon with. */
const LOG_COMPRESSION = 0.15;
const DAYS = 30;
/** Alarms that a target-tracking policy makes for itself. */
const TRACKING_ALARMS = 2;

const table: Pricing = ({ body }, { usage }) => {
  if (textOf(body, "billing_mode", "PROVISIONED") !== "PAY_PER_REQUEST") {
    throw new Unpriced("billing_mode is PROVISIONED, and only PAY_PER_REQUEST is priced");
  }
  return [
    used("storage", "dynamodb/storage", usage("tableGb")),
    used("writes", "dynamodb/write", usage("tableWriteMillions")),
    used("reads", "dynamodb/read", usage("tableReadMillions")),
    ...(isTrue(block(body, "point_in_time_recovery"), "enabled")
      ? [used("point-in-time recovery", "dynamodb/pitr", usage("tableGb"))]
      : []),
  ];
};

const replicationGroup: Pricing = ({ body }) => {
  const type = textOf(body, "node_type");
  const nodes =
    body.num_node_groups === undefined || body.num_node_groups === null
      ? numberOf(body, "num_cache_clusters", 1)
      : numberOf(body, "num_node_groups") * (numberOf(body, "replicas_per_node_group", 0) + 1);
  return [hourly(times(always(nodes), type), `elasticache/${type}`, always(nodes))];
};

const logGroup: Pricing = ({ body }, { usage }) => {
  const written = usage("logGb");
  // Without a retention, logs are kept for ever: a year stands for it.
  const months = (numberOf(body, "retention_in_days", 0) || 365) / DAYS;
  return [
    used("written", "logs/ingest", written),
    used(
      "kept",
      "logs/storage",
      each(written, (gb) => gb * months * LOG_COMPRESSION),
    ),
  ];
};

const alarm: Pricing = ({ body }) => {
  const queries = blocks(body, "metric_query").filter((query) => blocks(query, "metric").length > 0);
  const periods = [body, ...queries.flatMap((query) => blocks(query, "metric"))].map((one) => Number(one.period) || 60);
  const price = Math.min(...periods) < 60 ? "cloudwatch/alarm-high-resolution" : "cloudwatch/alarm";
  return [monthly("alarm, by metric", price, Math.max(1, queries.length))];
};

/** Data, messages and observability that are charged. */
export const DATA: Readonly<Record<string, Pricing>> = {
  aws_s3_bucket: (_, { usage }) => [
    used("storage", "s3/storage", usage("bucketGb")),
    used("writes and listings", "s3/put", usage("bucketPutMillions")),
    used("reads", "s3/get", usage("bucketGetMillions")),
  ],
  aws_dynamodb_table: table,
  aws_elasticache_replication_group: replicationGroup,
  aws_efs_file_system: (_, { usage }) => [used("storage", "efs/storage", usage("fileSystemGb"))],
  aws_ecr_repository: (_, { usage }) => [used("storage", "ecr/storage", usage("imageGb"))],
  aws_sqs_queue: (_, { usage }) => [used("requests", "sqs/request", usage("queueMillions"))],
  aws_sns_topic: (_, { usage }) => [used("messages", "sns/publish", usage("topicMillions"))],
  aws_secretsmanager_secret: () => [monthly("secret", "secret", 1)],
  aws_kms_key: () => [monthly("key", "kms/key", 1)],
  aws_cloudwatch_log_group: logGroup,
  aws_cloudwatch_metric_alarm: alarm,
  aws_cloudwatch_dashboard: () => [monthly("dashboard", "cloudwatch/dashboard", 1)],
  aws_cloudwatch_log_metric_filter: ({ body }) => [
    monthly("metric", "cloudwatch/metric", Math.max(1, blocks(body, "metric_transformation").length)),
  ],
  aws_autoscaling_policy: ({ body }) =>
    body.policy_type === "TargetTrackingScaling"
      ? [monthly("its own alarms", "cloudwatch/alarm", TRACKING_ALARMS)]
      : [],
  aws_appautoscaling_policy: ({ body }) =>
    body.policy_type === "TargetTrackingScaling"
      ? [monthly("its own alarms", "cloudwatch/alarm", TRACKING_ALARMS)]
      : [],
  google_storage_bucket: (_, { usage }) => [used("storage", "google/storage", usage("archiveGb"))],
  mongodbatlas_advanced_cluster: ({ body }) => {
    const region = blocks(block(body, "replication_specs"), "region_configs")[0];
    const tier = textOf(block(region, "electable_specs"), "instance_size");
    return [hourly(`${tier} cluster`, `atlas/${tier}`, always(1))];
  },
};
