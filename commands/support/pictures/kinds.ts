/**
 * What each Terraform type is in a picture. A type that is not here is drawn as a dashed box with its type's name, so that nothing that
 * exists goes missing; `__tests__/commands/pictures.test.ts` asks for a line here.
 */
import type { Body, Resource } from "./estate";

/** What a box stands for: it decides its colour. */
export type Class = "entry" | "compute" | "store" | "message" | "identity" | "watch" | "outside";

/** Lines of a box below its name. Facts may use what it refers to, such as a launch template. */
export type Facts = (body: Body, parts: readonly Resource[]) => readonly (string | undefined)[];

/** What a type is. */
export type Kind =
  /** A box. */
  | { readonly role: "box"; readonly label: string; readonly class: Class; readonly facts?: Facts }
  /** A frame around boxes, or a fact on one. */
  | { readonly role: "frame" | "frame-fact"; readonly label: string }
  /** Belongs to the boxes that use it, or that it refers to: shown through them. */
  | { readonly role: "part" }
  /** Many that are one box together, counted. */
  | { readonly role: "counted"; readonly noun: string }
  /** An arrow between what two attributes refer to. */
  | {
      readonly role: "arrow";
      readonly from: string;
      readonly to: string;
      readonly label: string | ((body: Body) => string);
      readonly sort: "network" | "event" | "data";
    };

const PART: Kind = { role: "part" };

function box(label: string, style: Class, facts?: Facts): Kind {
  return { role: "box", label, class: style, ...(facts === undefined ? {} : { facts }) };
}

function event(from: string, to: string, label: string): Kind {
  return { role: "arrow", from, to, label, sort: "event" };
}

const BOXES: Readonly<Record<string, Kind>> = {
  aws_apigatewayv2_api: box("HTTP API", "entry"),
  aws_cloudfront_distribution: box("distribution", "entry"),
  aws_lb: box("load balancer", "entry", ({ internal }, parts) => [
    internal === true ? "internal" : undefined,
    ...parts.filter(({ type }) => type === "aws_wafv2_web_acl").map(({ body }) => `WAF ${literal(body.name)}`),
  ]),
  aws_lambda_function: box("function", "compute", ({ memory_size, timeout }) => [
    memory_size === undefined ? undefined : `${memory_size} MiB, ${timeout ?? 3} s`,
  ]),
  aws_autoscaling_group: box("auto-scaling group", "compute", ({ min_size, max_size }, parts) => {
    const [type] = parts.filter(({ type }) => type === "aws_launch_template").map(({ body }) => body.instance_type);
    const many = min_size === max_size ? `${min_size}` : `${min_size} to ${max_size}`;
    return [`${many} × ${type ?? "mixed types"}`];
  }),
  aws_instance: box("instance", "compute", ({ instance_type }, parts) => [
    `${instance_type}`,
    ...parts.filter(({ type }) => type === "aws_ebs_volume").map(({ body }) => `volume of ${body.size} GiB`),
  ]),
  aws_ecs_cluster: box("ECS cluster", "compute"),
  aws_ecs_service: box("ECS service", "compute", ({ desired_count }) => [
    desired_count === undefined ? undefined : `${desired_count} ${desired_count === 1 ? "task" : "tasks"}`,
  ]),
  aws_eks_cluster: box("EKS cluster", "compute", ({ version }) => [version === undefined ? undefined : `${version}`]),
  aws_eks_node_group: box("node group", "compute", ({ instance_types }) => [[instance_types].flat().join(", ")]),
  aws_dynamodb_table: box("table", "store", ({ hash_key, range_key }) => [
    `key ${[hash_key, range_key].filter((key) => key !== undefined).join(", ")}`,
  ]),
  aws_ecr_repository: box("image repository", "store"),
  aws_efs_file_system: box("file system", "store"),
  aws_elasticache_replication_group: box("Redis", "store", ({ node_type, num_cache_clusters }) => [
    `${num_cache_clusters ?? 1} × ${node_type}`,
  ]),
  aws_s3_bucket: box("bucket", "store"),
  aws_secretsmanager_secret: box("secret", "store"),
  aws_sns_topic: box("topic", "message"),
  aws_sqs_queue: box("queue", "message"),
  aws_sfn_state_machine: box("state machine", "message"),
  aws_iam_openid_connect_provider: box("OIDC provider", "identity", ({ url }) => [literal(url)]),
  google_service_account: box("service account", "identity"),
  google_storage_bucket: box("bucket", "store"),
  google_pubsub_topic: box("topic", "message"),
  google_cloud_run_v2_service: box("service", "compute"),
  helm_release: box("Helm release", "compute"),
  kubernetes_deployment_v1: box("deployment", "compute"),
  kubernetes_stateful_set_v1: box("stateful set", "compute"),
  kubernetes_job_v1: box("job", "compute"),
  kubernetes_service_v1: box("service", "entry"),
  mongodbatlas_advanced_cluster: box("Atlas cluster", "store"),
  mongodbatlas_cluster: box("Atlas cluster", "store"),
};

const FRAMES: Readonly<Record<string, Kind>> = {
  aws_vpc: { role: "frame", label: "VPC" },
  aws_subnet: { role: "frame", label: "subnet" },
  aws_nat_gateway: { role: "frame-fact", label: "NAT gateway" },
  aws_internet_gateway: { role: "frame-fact", label: "internet gateway" },
  aws_vpc_endpoint: { role: "frame-fact", label: "endpoint" },
  aws_flow_log: { role: "frame-fact", label: "flow logs" },
  mongodbatlas_network_peering: { role: "frame-fact", label: "peering with MongoDB Atlas" },
};

const ARROWS: Readonly<Record<string, Kind>> = {
  aws_vpc_security_group_ingress_rule: {
    role: "arrow",
    from: "referenced_security_group_id",
    to: "security_group_id",
    label: ({ from_port, to_port, ip_protocol }) => portsOf(from_port, to_port, ip_protocol),
    sort: "network",
  },
  aws_vpc_peering_connection: { role: "arrow", from: "vpc_id", to: "peer_vpc_id", label: "peering", sort: "network" },
  aws_lb_listener: { role: "arrow", from: "load_balancer_arn", to: "default_action", label: "", sort: "network" },
  aws_apigatewayv2_integration: event("api_id", "integration_uri", "calls"),
  aws_lambda_event_source_mapping: event("event_source_arn", "function_name", "starts"),
  aws_cloudwatch_event_target: event("rule", "arn", "starts"),
  aws_s3_bucket_notification: event("bucket", "lambda_function", "starts"),
  aws_sns_topic_subscription: event("topic_arn", "endpoint", "notifies"),
  google_service_account_iam_member: {
    role: "arrow",
    from: "member",
    to: "service_account_id",
    label: "acts as, without a key",
    sort: "data",
  },
  google_storage_bucket_iam_member: {
    role: "arrow",
    from: "member",
    to: "bucket",
    label: ({ role }) => GOOGLE_ROLES[String(role)] ?? String(role).replace(/^roles\//, ""),
    sort: "data",
  },
};

const GOOGLE_ROLES: Readonly<Record<string, string>> = {
  "roles/storage.objectCreator": "create objects",
  "roles/storage.objectViewer": "read",
  "roles/storage.objectUser": "read, write",
};

const COUNTED: Readonly<Record<string, Kind>> = {
  aws_cloudwatch_dashboard: { role: "counted", noun: "dashboard" },
  aws_cloudwatch_log_group: { role: "counted", noun: "log group" },
  aws_cloudwatch_log_metric_filter: { role: "counted", noun: "metric filter" },
  aws_cloudwatch_metric_alarm: { role: "counted", noun: "alarm" },
  aws_cloudwatch_composite_alarm: { role: "counted", noun: "composite alarm" },
};

/** Types whose resources only complete others. */
const PARTS = new Set([
  "aws_appautoscaling_policy",
  "aws_appautoscaling_target",
  "aws_autoscaling_lifecycle_hook",
  "aws_autoscaling_policy",
  "aws_cloudwatch_event_rule",
  "aws_default_security_group",
  "aws_ebs_volume",
  "aws_ecs_capacity_provider",
  "aws_ecs_cluster_capacity_providers",
  "aws_ecs_task_definition",
  "aws_eip",
  "aws_elasticache_parameter_group",
  "aws_elasticache_subnet_group",
  "aws_elasticache_user",
  "aws_elasticache_user_group",
  "aws_iam_instance_profile",
  "aws_iam_policy",
  "aws_iam_role",
  "aws_iam_role_policy",
  "aws_iam_role_policy_attachment",
  "aws_kms_alias",
  "aws_kms_key",
  "aws_launch_template",
  "aws_lb_target_group",
  "aws_route",
  "aws_route_table",
  "aws_route_table_association",
  "aws_security_group",
  "aws_volume_attachment",
  "aws_vpc_peering_connection_accepter",
  "aws_vpc_peering_connection_options",
  "aws_vpc_security_group_egress_rule",
  "aws_wafv2_web_acl",
  "aws_wafv2_web_acl_association",
  "aws_wafv2_web_acl_logging_configuration",
  "google_iam_workload_identity_pool",
  "google_iam_workload_identity_pool_provider",
  "mongodbatlas_custom_db_role",
  "mongodbatlas_database_user",
  "mongodbatlas_network_container",
  "mongodbatlas_project",
  "mongodbatlas_project_ip_access_list",
  "terraform_data",
]);
/** Prefixes of types that configure what the rest of the prefix names: `aws_s3_bucket_versioning` its bucket. */
const PART_PREFIXES = [
  "aws_apigatewayv2_",
  "aws_ecr_",
  "aws_efs_",
  "aws_eks_",
  "aws_lambda_",
  "aws_s3_",
  "aws_secretsmanager_secret_",
  "aws_sns_topic_",
  "aws_sqs_queue_",
  "google_storage_bucket_",
  "kubernetes_",
];

/** What a type is in a picture, or undefined where nobody has said so yet. */
export function kindOf(type: string): Kind | undefined {
  const own = BOXES[type] ?? FRAMES[type] ?? ARROWS[type] ?? COUNTED[type];
  if (own !== undefined) {
    return own;
  }
  return PARTS.has(type) || PART_PREFIXES.some((prefix) => type.startsWith(prefix)) ? PART : undefined;
}

/** The kind of a type, or a box that shows that the type is not known. */
export function drawnKindOf(type: string): Kind {
  return kindOf(type) ?? { role: "box", label: type, class: "outside" };
}

/** A value that is no expression, else undefined. */
export function literal(value: unknown): string | undefined {
  return typeof value === "string" && !value.includes("${") ? value : undefined;
}

/** `443`, `8000–8080`, or `all ports`. */
export function portsOf(from: unknown, to: unknown, protocol: unknown): string {
  if (protocol === "-1" || from === undefined) {
    return "all ports";
  }
  const ports = from === to ? `${from}` : `${from}–${to}`;
  return protocol === "tcp" ? ports : `${ports}/${protocol}`;
}
