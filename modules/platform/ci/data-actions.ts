/** What Terraform calls for what holds data: buckets, tables, queues, caches, secrets. */
import { type ActionTable, fixed, NAME, named, read, serviceLinkedRole, WRITTEN_SECRET, write } from "./scope";

const BUCKETS = named("Buckets", `s3:::${NAME}*`);
/** The only objects that Terraform manages: builds of programs, no user's data. The provider reads back what it has written. */
const PROGRAMS = named("Programs", `s3:::${NAME}*/programs/*`);
const TABLES = named("Tables", `dynamodb:{region}:{account}:table/${NAME}*`);
const QUEUES = named("Queues", `sqs:{region}:{account}:${NAME}*`);
const SECRETS = named("Secrets", `secretsmanager:{region}:{account}:secret:${NAME}*`);
/**
 * The provider reads a secret's value back where Terraform has written it. Those values are in the state, which whoever plans reads
 * anyway; the value of any other secret stays closed.
 */
const WRITTEN_SECRETS = fixed(
  "WrittenSecrets",
  "Terraform writes exactly these values, and its state has them",
  `secretsmanager:{region}:{account}:secret:${WRITTEN_SECRET}-??????`,
);
const CACHES = named(
  "Caches",
  ...["cluster", "replicationgroup", "subnetgroup", "user", "usergroup"].map(
    (kind) => `elasticache:{region}:{account}:${kind}:${NAME}*`,
  ),
);
const CACHE_PARAMETERS = fixed(
  "CacheParameters",
  "AWS's default parameter groups, which nobody can change",
  "elasticache:{region}:{account}:parametergroup:default.*",
);

const bucketPart = (get: string, ...put: string[]) => ({
  rows: [read(BUCKETS, get), write(BUCKETS, ...put)],
});

const queueAttributes = {
  rows: [read(QUEUES, "sqs:GetQueueAttributes"), write(QUEUES, "sqs:SetQueueAttributes")],
};

export const DATA_ACTIONS: ActionTable = {
  aws_s3_bucket: {
    name: "bucket",
    rows: [
      read(
        BUCKETS,
        "s3:GetAccelerateConfiguration",
        "s3:GetBucketAbac",
        "s3:GetBucketAcl",
        "s3:GetBucketCORS",
        "s3:GetBucketLocation",
        "s3:GetBucketLogging",
        "s3:GetBucketObjectLockConfiguration",
        "s3:GetBucketPolicy",
        "s3:GetBucketRequestPayment",
        "s3:GetBucketTagging",
        "s3:GetBucketVersioning",
        "s3:GetBucketWebsite",
        "s3:GetEncryptionConfiguration",
        "s3:GetLifecycleConfiguration",
        "s3:GetReplicationConfiguration",
        "s3:ListBucket",
        "s3:ListTagsForResource",
      ),
      write(BUCKETS, "s3:CreateBucket", "s3:DeleteBucket", "s3:PutBucketTagging", "s3:TagResource", "s3:UntagResource"),
    ],
  },
  aws_s3_bucket_cors_configuration: bucketPart("s3:GetBucketCORS", "s3:PutBucketCORS"),
  aws_s3_bucket_lifecycle_configuration: bucketPart("s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
  aws_s3_bucket_ownership_controls: bucketPart("s3:GetBucketOwnershipControls", "s3:PutBucketOwnershipControls"),
  aws_s3_bucket_policy: bucketPart("s3:GetBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutBucketPolicy"),
  aws_s3_bucket_public_access_block: bucketPart("s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
  aws_s3_bucket_server_side_encryption_configuration: bucketPart(
    "s3:GetEncryptionConfiguration",
    "s3:PutEncryptionConfiguration",
  ),
  aws_s3_bucket_versioning: bucketPart("s3:GetBucketVersioning", "s3:PutBucketVersioning"),
  aws_s3_object: {
    rows: [
      read(PROGRAMS, "s3:GetObject", "s3:GetObjectTagging"),
      write(PROGRAMS, "s3:DeleteObject", "s3:PutObject", "s3:PutObjectTagging"),
    ],
  },
  aws_dynamodb_table: {
    name: "name",
    rows: [
      read(
        TABLES,
        "dynamodb:DescribeContinuousBackups",
        "dynamodb:DescribeTable",
        "dynamodb:DescribeTimeToLive",
        "dynamodb:ListTagsOfResource",
      ),
      write(
        TABLES,
        "dynamodb:CreateTable",
        "dynamodb:DeleteTable",
        "dynamodb:TagResource",
        "dynamodb:UntagResource",
        "dynamodb:UpdateContinuousBackups",
        "dynamodb:UpdateTable",
        "dynamodb:UpdateTimeToLive",
      ),
    ],
  },
  aws_sqs_queue: {
    name: "name",
    rows: [
      read(QUEUES, "sqs:GetQueueAttributes", "sqs:ListQueueTags"),
      write(QUEUES, "sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"),
    ],
  },
  aws_sqs_queue_policy: queueAttributes,
  aws_sqs_queue_redrive_allow_policy: queueAttributes,
  aws_elasticache_replication_group: {
    name: "replication_group_id",
    rows: [
      read(
        CACHES,
        "elasticache:DescribeCacheClusters",
        "elasticache:DescribeReplicationGroups",
        "elasticache:ListTagsForResource",
      ),
      write(
        CACHES,
        "elasticache:AddTagsToResource",
        "elasticache:CreateReplicationGroup",
        "elasticache:DecreaseReplicaCount",
        "elasticache:DeleteReplicationGroup",
        "elasticache:IncreaseReplicaCount",
        "elasticache:ModifyReplicationGroup",
        "elasticache:RemoveTagsFromResource",
      ),
      write(CACHE_PARAMETERS, "elasticache:CreateReplicationGroup", "elasticache:ModifyReplicationGroup"),
      serviceLinkedRole("elasticache.amazonaws.com"),
    ],
  },
  aws_elasticache_subnet_group: {
    name: "name",
    rows: [
      read(CACHES, "elasticache:DescribeCacheSubnetGroups", "elasticache:ListTagsForResource"),
      write(
        CACHES,
        "elasticache:AddTagsToResource",
        "elasticache:CreateCacheSubnetGroup",
        "elasticache:DeleteCacheSubnetGroup",
        "elasticache:ModifyCacheSubnetGroup",
        "elasticache:RemoveTagsFromResource",
      ),
    ],
  },
  aws_elasticache_user: {
    name: "user_id",
    rows: [
      read(CACHES, "elasticache:DescribeUsers", "elasticache:ListTagsForResource"),
      write(
        CACHES,
        "elasticache:AddTagsToResource",
        "elasticache:CreateUser",
        "elasticache:DeleteUser",
        "elasticache:ModifyUser",
        "elasticache:RemoveTagsFromResource",
      ),
    ],
  },
  aws_elasticache_user_group: {
    name: "user_group_id",
    rows: [
      read(CACHES, "elasticache:DescribeUserGroups", "elasticache:ListTagsForResource"),
      write(
        CACHES,
        "elasticache:AddTagsToResource",
        "elasticache:CreateUserGroup",
        "elasticache:DeleteUserGroup",
        "elasticache:ModifyUserGroup",
        "elasticache:RemoveTagsFromResource",
      ),
    ],
  },
  aws_secretsmanager_secret: {
    name: "name",
    rows: [
      read(SECRETS, "secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy"),
      write(
        SECRETS,
        "secretsmanager:CreateSecret",
        "secretsmanager:DeleteSecret",
        "secretsmanager:RestoreSecret",
        "secretsmanager:TagResource",
        "secretsmanager:UntagResource",
        "secretsmanager:UpdateSecret",
      ),
    ],
  },
  aws_secretsmanager_secret_version: {
    rows: [
      read(WRITTEN_SECRETS, "secretsmanager:GetSecretValue"),
      write(
        WRITTEN_SECRETS,
        "secretsmanager:ListSecretVersionIds",
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
      ),
    ],
  },
};
