/** What costs nothing of its own, and why. A type that is neither here nor priced is reported, and fails a test. */

/** A pattern of types, and why they are free. */
interface FreeTypes {
  readonly types: RegExp;
  readonly reason: string;
}

const FREE: readonly FreeTypes[] = [
  { types: /^aws_iam_/, reason: "IAM is free" },
  {
    types: /^aws_(subnet|route|route_table|route_table_association|internet_gateway|security_group|network_acl)$/,
    reason: "part of a VPC, which is free but for what passes it",
  },
  { types: /^aws_default_/, reason: "comes with a VPC" },
  { types: /^aws_vpc_security_group_/, reason: "a rule of a security group" },
  { types: /^aws_vpc_(peering_connection|dhcp_options)/, reason: "free but for the data, counted with the VPC" },
  { types: /^aws_vpc_endpoint_/, reason: "part of an endpoint" },
  { types: /^aws_eip_association$/, reason: "the address is charged itself" },
  { types: /^aws_flow_log$/, reason: "counted with the log group or bucket that it writes to" },
  { types: /^aws_launch_template$/, reason: "counted with the instances that it launches" },
  { types: /^aws_(autoscaling|appautoscaling)_(lifecycle_hook|schedule|target|notification)/, reason: "a rule" },
  { types: /^aws_volume_attachment$/, reason: "the volume is charged itself" },
  { types: /^aws_key_pair$/, reason: "a public key" },
  { types: /^aws_lb_/, reason: "counted with the load balancer" },
  {
    types: /^aws_wafv2_web_acl_(association|logging_configuration)$/,
    reason: "counted with the web ACL and its log group",
  },
  {
    types: /^aws_(acm_certificate|acm_certificate_validation|route53_record)$/,
    reason: "free, or charged by the query",
  },
  { types: /^aws_s3_bucket_/, reason: "a setting of a bucket" },
  { types: /^aws_s3_object$/, reason: "counted with its bucket" },
  { types: /^aws_dynamodb_(table_item|resource_policy)$/, reason: "counted with its table" },
  { types: /^aws_elasticache_(subnet_group|parameter_group|user|user_group)/, reason: "a setting of a cache" },
  { types: /^aws_efs_/, reason: "counted with the file system" },
  { types: /^aws_ecr_(lifecycle_policy|repository_policy|registry_)/, reason: "a setting of a repository" },
  { types: /^aws_sqs_queue_/, reason: "a setting of a queue" },
  { types: /^aws_sns_topic_/, reason: "mail and queues are told without charge worth naming" },
  { types: /^aws_secretsmanager_secret_/, reason: "counted with the secret" },
  { types: /^aws_kms_(alias|grant|key_policy)$/, reason: "counted with the key" },
  { types: /^aws_cloudwatch_log_(stream|resource_policy)$/, reason: "counted with the log group" },
  { types: /^aws_cloudwatch_event_(rule|target|permission)$/, reason: "events of AWS services are free" },
  { types: /^aws_ssm_(parameter|document|association)$/, reason: "standard parameters and documents are free" },
  {
    types: /^aws_lambda_(permission|alias|function_url|event_source_mapping|layer_version|function_event_invoke)/,
    reason: "counted with the function",
  },
  { types: /^aws_apigatewayv2_/, reason: "counted with the API" },
  {
    types: /^aws_ecs_(task_definition|capacity_provider|cluster_capacity_providers)$/,
    reason: "counted with the instances",
  },
  {
    types: /^aws_eks_(addon|access_entry|access_policy_association|pod_identity_association|identity_provider)/,
    reason: "counted with the cluster",
  },
  { types: /^terraform_data$/, reason: "is in no cloud: what it runs, runs on the machine that deploys" },
  { types: /^aws_budgets_budget$/, reason: "budgets without actions are free" },
  { types: /^aws_xray_(sampling_rule|group)$/, reason: "a rule" },
  { types: /^google_(iam_|service_account|storage_bucket_iam|project_)/, reason: "Google Cloud's IAM is free" },
  {
    types:
      /^mongodbatlas_(project|network_|database_user|custom_db_role|cloud_backup_schedule|maintenance_window|x509|cloud_provider_access)/,
    reason: "counted with the cluster",
  },
  // A Service of type LoadBalancer and a claim on a new volume would cost, so that those are not named here.
  { types: /^kubernetes_(?!service|persistent_volume)/, reason: "runs on the nodes of the cluster" },
  { types: /^kubernetes_service_account/, reason: "an identity" },
  { types: /^(terraform_data|null_resource|random_|time_|tls_)/, reason: "exists in the state alone" },
];

/** Why a type is free, or undefined. */
export function freeBecause(type: string): string | undefined {
  return FREE.find(({ types }) => types.test(type))?.reason;
}
