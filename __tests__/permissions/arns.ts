/** ARNs of resources as Terraform describes them, before anything exists. */
import type { Block } from "../support/synth";

/** Where everything is. */
export interface Place {
  readonly region: string;
  readonly accountId: string;
}

/** How an ARN is made, by Terraform type: the service, whether it names region and account, and the rest from the resource's attributes. */
const FORMATS: Readonly<Record<string, (body: Block, place: string) => string>> = {
  aws_cloudwatch_log_group: ({ name }, place) => `arn:aws:logs:${place}:log-group:${name}`,
  aws_dynamodb_table: ({ name }, place) => `arn:aws:dynamodb:${place}:table/${name}`,
  aws_ecr_repository: ({ name }, place) => `arn:aws:ecr:${place}:repository/${name}`,
  aws_ecs_cluster: ({ name }, place) => `arn:aws:ecs:${place}:cluster/${name}`,
  // EFS and KMS choose the ids.
  aws_efs_file_system: (_, place) => `arn:aws:elasticfilesystem:${place}:file-system/fs-*`,
  aws_elasticache_replication_group: ({ replication_group_id: id }, place) =>
    `arn:aws:elasticache:${place}:replicationgroup:${id}`,
  aws_elasticache_user: ({ user_id: id }, place) => `arn:aws:elasticache:${place}:user:${id}`,
  aws_iam_role: ({ name }, place) => `arn:aws:iam::${place.split(":")[1]}:role/${name}`,
  aws_kms_key: (_, place) => `arn:aws:kms:${place}:key/*`,
  aws_lambda_function: ({ function_name: name }, place) => `arn:aws:lambda:${place}:function:${name}`,
  aws_s3_bucket: ({ bucket }) => `arn:aws:s3:::${bucket}`,
  // Secrets Manager ends it with six characters of its own.
  aws_secretsmanager_secret: ({ name }, place) => `arn:aws:secretsmanager:${place}:secret:${name}-??????`,
  aws_sns_topic: ({ name }, place) => `arn:aws:sns:${place}:${name}`,
  aws_sqs_queue: ({ name }, place) => `arn:aws:sqs:${place}:${name}`,
};

/**
 * The ARN that a resource will have, as a pattern where AWS chooses a part of it.
 *
 * @throws Error for a type whose ARNs are not known here
 */
export function arnOf(type: string, body: Block, { region, accountId }: Place): string {
  const format = FORMATS[type];
  if (!format) {
    throw new Error(
      `A policy names the ARN of an ${type}: add how it is made to FORMATS in __tests__/permissions/arns.ts.`,
    );
  }
  return format(body, `${region}:${accountId}`);
}
