/**
 * Which resource types hold data: what is lost with a resource that is destroyed or replaced. The guard of plans and the protection of
 * stacks read it.
 *
 * A type that is not listed and sounds like a store counts as one, so that a stack added later is guarded before anyone thinks of it.
 */

/** Types that hold data, and what of it is lost. */
const HOLDS: Readonly<Record<string, string>> = {
  aws_cloudwatch_log_group: "logs",
  aws_cognito_user_pool: "users",
  aws_db_instance: "a database",
  aws_docdb_cluster: "a database",
  aws_dynamodb_table: "a table's items",
  aws_ebs_volume: "a disk",
  aws_ecr_repository: "container images",
  aws_efs_file_system: "files",
  aws_eks_cluster: "what Kubernetes keeps, volume claims included",
  aws_elasticache_cluster: "what is cached",
  aws_elasticache_replication_group: "what is cached: results and live logs",
  aws_elasticache_serverless_cache: "what is cached",
  aws_fsx_lustre_file_system: "files",
  aws_fsx_openzfs_file_system: "files",
  aws_kinesis_stream: "records",
  aws_kms_key: "all that is encrypted with it",
  aws_opensearch_domain: "indexes",
  aws_rds_cluster: "a database",
  aws_s3_bucket: "objects",
  aws_secretsmanager_secret: "a secret",
  aws_sqs_queue: "messages",
  google_bigquery_dataset: "tables",
  google_kms_crypto_key: "all that is encrypted with it",
  google_project: "all that is in it",
  google_secret_manager_secret: "a secret",
  google_sql_database_instance: "a database",
  google_storage_bucket: "objects",
  mongodbatlas_advanced_cluster: "a database",
  mongodbatlas_cluster: "a database",
  mongodbatlas_project: "all that is in it",
  mongodbatlas_serverless_instance: "a database",
};

/** Types that sound like a store and are none, with the reason. */
const HOLDS_NOTHING: Readonly<Record<string, string>> = {
  aws_ecs_cluster:
    "services and tasks are resources of their own, and what a task writes to its disk ends with it anyway",
  aws_batch_job_queue: "jobs that wait are submitted again by who asked for them",
  aws_route_table: "routes are Terraform's own",
  aws_default_route_table: "routes are Terraform's own",
  aws_ec2_transit_gateway_route_table: "routes are Terraform's own",
};

/** How the names of stores end. */
const SOUNDS_LIKE_DATA =
  /_(bucket|cache|cluster|crypto_key|database|database_instance|dataset|db_instance|file_system|filesystem|keyring|kms_key|ledger|log_group|queue|registry|replication_group|repository|secret|snapshot|stream|table|user_pool|vault|volume)$/;

/**
 * What is lost when a resource of this type is destroyed, in words; undefined where nothing is.
 *
 * @param type Terraform's resource type, such as `aws_dynamodb_table`
 */
export function dataOf(type: string): string | undefined {
  if (type in HOLDS_NOTHING) {
    return undefined;
  }
  return HOLDS[type] ?? (SOUNDS_LIKE_DATA.test(type) ? "data, by its name" : undefined);
}

/** Every type that is decided, for tests: whether it holds data. */
export function decidedTypes(): ReadonlyMap<string, boolean> {
  const entries = (types: Readonly<Record<string, string>>, holds: boolean) =>
    Object.keys(types).map((type): [string, boolean] => [type, holds]);
  return new Map([...entries(HOLDS, true), ...entries(HOLDS_NOTHING, false)]);
}
