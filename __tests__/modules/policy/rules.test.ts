/** Every rule, on small stacks that keep it and small stacks that break it. */
import { readdirSync } from "node:fs";
import { RULES } from "../../../modules/platform/policy/rules";
import { expr } from "../../support/synth";
import { type Fixture, verdictOn } from "./fixture";

/** Stacks by what is said of them: `undefined` for those that keep the rule. */
type Cases = readonly (readonly [what: string, fixture: Fixture, found?: RegExp])[];

const BLOCKED = {
  block_public_acls: true,
  block_public_policy: true,
  ignore_public_acls: true,
  restrict_public_buckets: true,
};
const BUCKET = expr("aws_s3_bucket.files.id");
const TLS_ONLY = JSON.stringify({
  Statement: [
    {
      Sid: "TlsOnly",
      Effect: "Deny",
      Principal: "*",
      Action: "s3:*",
      Resource: "*",
      Condition: { Bool: { "aws:SecureTransport": "false" } },
    },
  ],
});
const IMDS = { http_tokens: "required", http_put_response_hop_limit: 1 };
const NO_DESTROY = { lifecycle: { prevent_destroy: true } };
const STATEMENT = { Sid: "Read", Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::files/*" };
const CONTAINER = { name: "server", readonlyRootFilesystem: true, logConfiguration: { logDriver: "awslogs" } };
const CLUSTER = {
  vpc_config: { endpoint_public_access: false },
  encryption_config: { resources: ["secrets"] },
  enabled_cluster_log_types: ["api", "audit"],
};
const GITHUB = {
  Effect: "Allow",
  Action: "sts:AssumeRoleWithWebIdentity",
  Principal: { Federated: "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com" },
};

function policy(...statements: object[]): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: statements });
}

function githubSubject(subject: string): Fixture {
  const Condition = { StringLike: { "token.actions.githubusercontent.com:sub": subject } };
  return { "aws_iam_role.deploy": { assume_role_policy: policy({ ...GITHUB, Condition }) } };
}

const CASES: Readonly<Record<string, Cases>> = {
  "alarms-say-what-to-do": [
    [
      "an alarm with all",
      {
        "aws_cloudwatch_metric_alarm.a": {
          alarm_description: "Late",
          alarm_actions: ["arn:t"],
          treat_missing_data: "breaching",
        },
      },
    ],
    [
      "an alarm that nobody hears",
      { "aws_cloudwatch_metric_alarm.a": { alarm_description: "Late", treat_missing_data: "breaching" } },
      /^alarm_actions is not set/,
    ],
  ],
  "data-is-protected": [
    ["a table with both", { "aws_dynamodb_table.t": { ...NO_DESTROY, deletion_protection_enabled: true } }],
    ["a log group", { "aws_cloudwatch_log_group.g": {} }],
    [
      "a table that anyone may delete",
      { "aws_dynamodb_table.t": NO_DESTROY },
      /^deletion_protection_enabled is not true$/,
    ],
    [
      "a bucket that goes with its objects",
      { "aws_s3_bucket.b": { ...NO_DESTROY, force_destroy: true } },
      /^force_destroy is true$/,
    ],
    ["a disk", { "aws_ebs_volume.v": { lifecycle: { prevent_destroy: false } } }, /prevent_destroy is not true/],
    ["a store that nobody has listed", { "aws_timestreamwrite_table.t": {} }, /prevent_destroy is not true/],
    [
      "a secret that is gone at once",
      { "aws_secretsmanager_secret.s": { ...NO_DESTROY, recovery_window_in_days: 0 } },
      /recovery_window_in_days is 0/,
    ],
    ["an EKS cluster", { "aws_eks_cluster.c": NO_DESTROY }, /^deletion_protection is not true$/],
    [
      "an Atlas cluster",
      { "mongodbatlas_advanced_cluster.c": NO_DESTROY },
      /^termination_protection_enabled is not true$/,
    ],
    ["a load balancer", { "aws_lb.l": {} }, /^enable_deletion_protection is not true$/],
  ],
  "data-stores-are-encrypted": [
    ["a queue with SSE", { "aws_sqs_queue.q": { sqs_managed_sse_enabled: true } }],
    ["a queue with a key", { "aws_sqs_queue.q": { kms_master_key_id: expr("aws_kms_key.k.arn") } }],
    ["a database without", { "aws_db_instance.d": {} }, /^storage_encrypted is not set$/],
    [
      "a domain without",
      { "aws_opensearch_domain.d": { encrypt_at_rest: { enabled: false } } },
      /^encrypt_at_rest is off$/,
    ],
  ],
  "databases-can-be-restored": [
    ["a table with recovery", { "aws_dynamodb_table.t": { point_in_time_recovery: { enabled: true } } }],
    ["a table without", { "aws_dynamodb_table.t": {} }, /^point-in-time recovery is off$/],
    [
      "a database with a day of backups",
      { "aws_rds_cluster.c": { backup_retention_period: 1 } },
      /^backup_retention_period is 1 days$/,
    ],
    ["an Atlas cluster without", { "mongodbatlas_advanced_cluster.c": {} }, /^backups are off$/],
  ],
  "default-security-groups-are-closed": [
    ["one that is taken over", { "aws_vpc.v": {}, "aws_default_security_group.g": { vpc_id: expr("aws_vpc.v.id") } }],
    ["one that is not", { "aws_vpc.v": {} }, /^no aws_default_security_group/],
    [
      "one with a rule",
      { "aws_vpc.v": {}, "aws_default_security_group.g": { vpc_id: expr("aws_vpc.v.id"), egress: [{}] } },
      /has rules$/,
    ],
  ],
  "ecs-services-have-private-addresses": [
    ["a private service", { "aws_ecs_service.s": { network_configuration: { subnets: [] } } }],
    [
      "a public one",
      { "aws_ecs_service.s": { network_configuration: { assign_public_ip: true } } },
      /^assign_public_ip is true$/,
    ],
  ],
  "ecs-tasks-are-confined": [
    ["a confined task", { "aws_ecs_task_definition.t": { container_definitions: JSON.stringify([CONTAINER]) } }],
    [
      "a confined task in an expression",
      {
        "aws_ecs_task_definition.t": {
          container_definitions: expr(
            'jsonencode([{"name" = "server", "readonlyRootFilesystem" = true, "logConfiguration" = {"logDriver" = "awslogs"}}])',
          ),
        },
      },
    ],
    [
      "a privileged one",
      { "aws_ecs_task_definition.t": { container_definitions: JSON.stringify([{ ...CONTAINER, privileged: true }]) } },
      /^server is privileged$/,
    ],
    [
      "one that nothing can read",
      { "aws_ecs_task_definition.t": { container_definitions: expr('file("x.json")') } },
      /cannot be read$/,
    ],
  ],
  "eks-clusters-are-closed": [
    ["a closed one", { "aws_eks_cluster.c": CLUSTER }],
    [
      "one that some may reach",
      { "aws_eks_cluster.c": { ...CLUSTER, vpc_config: { public_access_cidrs: ["203.0.113.0/24"] } } },
    ],
    ["an open one", { "aws_eks_cluster.c": { ...CLUSTER, vpc_config: {} } }, /^its API is open to the world$/],
    [
      "one without an audit log",
      { "aws_eks_cluster.c": { ...CLUSTER, enabled_cluster_log_types: ["api"] } },
      /^its audit log is off$/,
    ],
  ],
  "gcs-buckets-are-private": [
    [
      "a private one",
      { "google_storage_bucket.b": { uniform_bucket_level_access: true, public_access_prevention: "enforced" } },
    ],
    [
      "a public one",
      { "google_storage_bucket.b": { uniform_bucket_level_access: true } },
      /^public access is not prevented$/,
    ],
    [
      "a member that is everyone",
      { "google_storage_bucket_iam_member.m": { member: "allUsers" } },
      /^allUsers may use it$/,
    ],
  ],
  "iam-no-long-lived-keys": [
    ["a role", { "aws_iam_role.r": {} }],
    ["a user", { "aws_iam_user.u": {} }, /aws_iam_user$/],
    ["a key of a service account", { "google_service_account_key.k": {} }, /google_service_account_key$/],
  ],
  "iam-no-wildcard-action": [
    ["named actions", { "aws_iam_role_policy.p": { policy: policy(STATEMENT) } }],
    [
      "a wildcard that is denied",
      { "aws_iam_role_policy.p": { policy: policy({ ...STATEMENT, Effect: "Deny", Action: "s3:*" }) } },
    ],
    [
      "a wildcard",
      { "aws_iam_role_policy.p": { policy: policy({ ...STATEMENT, Action: ["s3:Get*"] }) } },
      /^statement Read allows s3:Get\*$/,
    ],
    [
      "a wildcard in an expression",
      {
        "aws_iam_policy.p": {
          policy: expr(
            'jsonencode({"Statement" = [{"Effect" = "Allow", "Action" = "*", "Resource" = [aws_s3_bucket.files.arn]}]})',
          ),
        },
      },
      /^statement 1 allows \*$/,
    ],
    [
      "NotAction",
      {
        "aws_iam_role_policy.p": {
          policy: policy({ Sid: "All", Effect: "Allow", NotAction: "iam:*", Resource: "arn:aws:s3:::a" }),
        },
      },
      /^statement All allows everything but/,
    ],
    [
      "a wildcard in a data source",
      {
        "data.aws_iam_policy_document.d": { statement: [{ actions: ["sqs:*"], resources: ["arn:aws:sqs:a:1:q"] }] },
        "aws_iam_role_policy.p": { policy: expr("data.aws_iam_policy_document.d.json") },
      },
      /^statement 1 allows sqs:\*$/,
    ],
  ],
  "iam-no-wildcard-resource": [
    ["a named bucket", { "aws_iam_role_policy.p": { policy: policy(STATEMENT) } }],
    [
      "a bucket's own policy",
      {
        "aws_s3_bucket_policy.p": {
          policy: policy({ ...STATEMENT, Principal: { Service: "a.amazonaws.com" }, Resource: "*" }),
        },
      },
    ],
    [
      "everything",
      { "aws_iam_role_policy.p": { policy: policy({ ...STATEMENT, Resource: "*" }) } },
      /^statement Read is about \*$/,
    ],
    [
      "every queue",
      {
        "aws_iam_role_policy.p": {
          policy: policy({ ...STATEMENT, Resource: "arn:aws:sqs:ap-northeast-2:111122223333:*" }),
        },
      },
      /^statement Read/,
    ],
    [
      "every alarm",
      {
        "aws_iam_role_policy.p": {
          policy: policy({ ...STATEMENT, Resource: "arn:aws:cloudwatch:ap-northeast-2:111122223333:alarm:*" }),
        },
      },
      /^statement Read/,
    ],
    [
      "no resource at all",
      { "aws_iam_role_policy.p": { policy: policy({ Effect: "Allow", Action: "s3:GetObject" }) } },
      /^statement 1 is about no resource$/,
    ],
  ],
  "iam-permissions-are-written-out": [
    ["a policy of the stack", { "aws_iam_role_policy_attachment.a": { policy_arn: expr("aws_iam_policy.own.arn") } }],
    [
      "a managed one",
      { "aws_iam_role_policy_attachment.a": { policy_arn: "arn:aws:iam::aws:policy/ReadOnlyAccess" } },
      /ReadOnlyAccess is attached$/,
    ],
  ],
  "iam-policies-can-be-read": [
    ["JSON", { "aws_iam_role_policy.p": { policy: policy(STATEMENT) } }],
    ["a life cycle of images", { "aws_ecr_lifecycle_policy.p": { policy: '{"rules": []}' } }],
    [
      "a template",
      { "aws_iam_role_policy.p": { policy: expr('templatefile("p.json", {})') } },
      /^policy is an expression/,
    ],
    [
      "a document of nowhere",
      { "aws_iam_role_policy.p": { policy: expr("data.aws_iam_policy_document.gone.json") } },
      /^policy is an expression/,
    ],
  ],
  "iam-principals-are-named": [
    [
      "a service",
      {
        "aws_iam_role.r": {
          assume_role_policy: policy({
            Effect: "Allow",
            Action: "sts:AssumeRole",
            Principal: { Service: "ec2.amazonaws.com" },
          }),
        },
      },
    ],
    ["one environment of one repository", githubSubject("repo:team/project:environment:prod")],
    [
      "everyone",
      { "aws_sqs_queue_policy.p": { policy: policy({ ...STATEMENT, Principal: "*" }) } },
      /^statement Read lets everyone in$/,
    ],
    [
      "every account",
      { "aws_sqs_queue_policy.p": { policy: policy({ ...STATEMENT, Principal: { AWS: "*" } }) } },
      /lets everyone in$/,
    ],
    [
      "every repository of GitHub",
      { "aws_iam_role.r": { assume_role_policy: policy(GITHUB) } },
      /every subject of an identity provider$/,
    ],
    ["every repository of a team", githubSubject("repo:team*"), /every subject like repo:team\*$/],
  ],
  "images-never-change": [
    [
      "fixed tags",
      {
        "aws_ecr_repository.r": {
          image_tag_mutability: "IMMUTABLE",
          image_scanning_configuration: { scan_on_push: true },
        },
      },
    ],
    [
      "tags that move",
      { "aws_ecr_repository.r": { image_scanning_configuration: { scan_on_push: true } } },
      /^tags may move$/,
    ],
  ],
  "imds-v2-hop-limit-1": [
    ["version 2 from itself", { "aws_launch_template.t": { metadata_options: IMDS } }],
    ["version 1", { "aws_instance.i": {} }, /^http_tokens is not set/],
    [
      "one hop more",
      { "aws_launch_template.t": { metadata_options: { ...IMDS, http_put_response_hop_limit: 2 } } },
      /^http_put_response_hop_limit is 2$/,
    ],
  ],
  "lambda-callers-are-named": [
    [
      "one rule",
      {
        "aws_lambda_permission.p": {
          principal: "events.amazonaws.com",
          source_arn: expr("aws_cloudwatch_event_rule.r.arn"),
        },
      },
    ],
    [
      "anyone's rule",
      { "aws_lambda_permission.p": { principal: "events.amazonaws.com" } },
      /^events\.amazonaws\.com may call it/,
    ],
    ["a URL for all", { "aws_lambda_function_url.u": { authorization_type: "NONE" } }, /^authorization_type is NONE$/],
  ],
  "lambda-failures-are-kept": [
    ["a queue", { "aws_lambda_event_source_mapping.m": { event_source_arn: expr("aws_sqs_queue.q.arn") } }],
    [
      "a stream",
      { "aws_lambda_event_source_mapping.m": { event_source_arn: expr("aws_kinesis_stream.s.arn") } },
      /^destination_config/,
    ],
  ],
  "lambda-logs-expire": [
    [
      "a group of its own",
      { "aws_lambda_function.f": { function_name: "f" }, "aws_cloudwatch_log_group.g": { name: "/aws/lambda/f" } },
    ],
    [
      "one that it names",
      {
        "aws_lambda_function.f": { logging_config: { log_group: expr("aws_cloudwatch_log_group.g.name") } },
        "aws_cloudwatch_log_group.g": { name: "/jobs" },
      },
    ],
    [
      "none",
      { "aws_lambda_function.f": { function_name: "f" }, "aws_cloudwatch_log_group.g": { name: "/aws/lambda/other" } },
      /^no log group/,
    ],
  ],
  "load-balancers-drop-invalid-headers": [
    ["one that does", { "aws_lb.l": { drop_invalid_header_fields: true, access_logs: { enabled: true } } }],
    [
      "one that does not",
      { "aws_lb.l": { access_logs: { enabled: true } } },
      /^drop_invalid_header_fields is not true$/,
    ],
  ],
  "log-groups-expire": [
    ["thirty days", { "aws_cloudwatch_log_group.g": { retention_in_days: 30 } }],
    ["for ever", { "aws_cloudwatch_log_group.g": {} }, /^retention_in_days is not set$/],
  ],
  "no-ingress-from-the-world": [
    [
      "a private range on Atlas's access list",
      { "mongodbatlas_project_ip_access_list.r": { cidr_block: "10.0.0.0/20" } },
    ],
    [
      "everyone on Atlas's access list",
      { "mongodbatlas_project_ip_access_list.r": { cidr_block: "0.0.0.0/0" } },
      /^the access list lets the whole internet in$/,
    ],
    [
      "another group",
      {
        "aws_vpc_security_group_ingress_rule.r": {
          ip_protocol: "tcp",
          from_port: 80,
          to_port: 80,
          referenced_security_group_id: "sg-1",
        },
      },
    ],
    [
      "a range",
      {
        "aws_vpc_security_group_ingress_rule.r": {
          ip_protocol: "tcp",
          from_port: 22,
          to_port: 22,
          cidr_ipv4: "203.0.113.0/24",
        },
      },
    ],
    [
      "everyone",
      {
        "aws_vpc_security_group_ingress_rule.r": {
          ip_protocol: "tcp",
          from_port: 22,
          to_port: 22,
          cidr_ipv4: "0.0.0.0/0",
        },
      },
      /^port 22 is open to the whole internet$/,
    ],
    [
      "everyone over IPv6",
      { "aws_vpc_security_group_ingress_rule.r": { ip_protocol: "tcp", from_port: 1, to_port: 9, cidr_ipv6: "::/0" } },
      /^ports 1 to 9 is open/,
    ],
    [
      "everyone behind a reference",
      {
        "aws_vpc.v": { cidr_block: "0.0.0.0/0" },
        "aws_vpc_security_group_ingress_rule.r": {
          ip_protocol: "tcp",
          from_port: 22,
          to_port: 22,
          cidr_ipv4: expr("aws_vpc.v.cidr_block"),
        },
      },
      /^port 22/,
    ],
    [
      "every port",
      { "aws_vpc_security_group_ingress_rule.r": { ip_protocol: "-1", cidr_ipv4: "10.0.0.0/8" } },
      /^every port is open$/,
    ],
    [
      "an inline rule",
      {
        "aws_security_group.g": {
          ingress: [{ protocol: "tcp", from_port: 443, to_port: 443, cidr_blocks: ["0.0.0.0/0"] }],
        },
      },
      /^port 443/,
    ],
  ],
  "no-secrets-in-environment": [
    [
      "a reference",
      {
        "aws_lambda_function.f": {
          environment: { variables: { DB_SECRET: "arn:aws:secretsmanager:a:1:secret:s", MODE: "fast" } },
        },
      },
    ],
    [
      "a value",
      { "aws_lambda_function.f": { environment: { variables: { API_KEY: "hunter2" } } } },
      /^API_KEY carries a value$/,
    ],
    [
      "a value in a container",
      {
        "aws_ecs_task_definition.t": {
          container_definitions: JSON.stringify([
            { ...CONTAINER, environment: [{ name: "DB_PASSWORD", value: "hunter2" }] },
          ]),
        },
      },
      /^DB_PASSWORD/,
    ],
  ],
  "no-secrets-in-state": [
    ["a password that AWS keeps", { "aws_db_instance.d": { manage_master_user_password: true } }],
    ["one that is only written", { "aws_db_instance.d": { password_wo: expr("ephemeral.x.y") } }],
    ["an Atlas user that is a role", { "mongodbatlas_database_user.u": { aws_iam_type: "ROLE" } }],
    ["a password", { "aws_db_instance.d": { password: expr("var.p") } }, /^password ends in the state$/],
    ["an AUTH token", { "aws_elasticache_replication_group.r": { auth_token: "t" } }, /^auth_token/],
    ["a generated one", { "random_password.p": { length: 20 } }, /^it puts a password into the state$/],
    ["a SecureString", { "aws_ssm_parameter.p": { type: "SecureString", value: "x" } }, /^value ends in the state$/],
  ],
  "queues-have-dead-letters": [
    [
      "a queue and its dead letters",
      {
        "aws_sqs_queue.dead": {},
        "aws_sqs_queue.q": {
          redrive_policy: expr('jsonencode({"deadLetterTargetArn" = aws_sqs_queue.dead.arn, "maxReceiveCount" = 5})'),
        },
      },
    ],
    ["a queue without", { "aws_sqs_queue.q": {} }, /^it has no redrive_policy/],
  ],
  "s3-buckets-are-encrypted": [
    [
      "one with SSE",
      {
        "aws_s3_bucket.files": {},
        "aws_s3_bucket_server_side_encryption_configuration.e": {
          bucket: BUCKET,
          rule: [{ apply_server_side_encryption_by_default: [{ sse_algorithm: "AES256" }] }],
        },
      },
    ],
    [
      "one whose neighbour has it",
      {
        "aws_s3_bucket.files": {},
        "aws_s3_bucket.other": {},
        "aws_s3_bucket_server_side_encryption_configuration.e": {
          bucket: expr("aws_s3_bucket.other.id"),
          rule: [{ apply_server_side_encryption_by_default: [{ sse_algorithm: "AES256" }] }],
        },
      },
      /^no encryption/,
    ],
  ],
  "s3-buckets-are-private": [
    [
      "one with a block",
      { "aws_s3_bucket.files": {}, "aws_s3_bucket_public_access_block.b": { bucket: BUCKET, ...BLOCKED } },
    ],
    [
      "one whose block names it",
      {
        "aws_s3_bucket.files": { bucket: "files" },
        "aws_s3_bucket_public_access_block.b": { bucket: "files", ...BLOCKED },
      },
    ],
    ["one without", { "aws_s3_bucket.files": {} }, /^no public access block/],
    [
      "one with half of it",
      {
        "aws_s3_bucket.files": {},
        "aws_s3_bucket_public_access_block.b": { bucket: BUCKET, ...BLOCKED, ignore_public_acls: false },
      },
      /leaves ignore_public_acls off$/,
    ],
  ],
  "security-group-rules-stand-alone": [
    ["a rule with a description", { "aws_vpc_security_group_egress_rule.r": { description: "To Redis" } }],
    ["a rule without", { "aws_vpc_security_group_egress_rule.r": {} }, /^it has no description$/],
    ["an inline rule", { "aws_security_group.g": { egress: [{}] } }, /^it has inline egress rules$/],
    ["one of the old kind", { "aws_security_group_rule.r": { description: "Old" } }, /of the old kind$/],
  ],
  "tls-1-2-or-newer": [
    [
      "a listener with a policy",
      { "aws_lb_listener.l": { protocol: "HTTPS", ssl_policy: "ELBSecurityPolicy-TLS13-1-2-2021-06" } },
    ],
    ["one without", { "aws_lb_listener.l": { protocol: "HTTPS" } }, /^ssl_policy is not set$/],
    [
      "an old domain name",
      { "aws_apigatewayv2_domain_name.d": { domain_name_configuration: { security_policy: "TLS_1_0" } } },
      /^security_policy is TLS_1_0$/,
    ],
  ],
  "tls-only": [
    [
      "a bucket with a policy",
      { "aws_s3_bucket.files": {}, "aws_s3_bucket_policy.p": { bucket: BUCKET, policy: TLS_ONLY } },
    ],
    [
      "a listener that redirects",
      {
        "aws_lb_listener.l": {
          port: 80,
          protocol: "HTTP",
          default_action: [{ type: "redirect", redirect: { protocol: "HTTPS" } }],
        },
      },
    ],
    ["a bucket without", { "aws_s3_bucket.files": {} }, /^no policy denies/],
    [
      "a bucket whose denial has a hole",
      {
        "aws_s3_bucket.files": {},
        "aws_s3_bucket_policy.p": {
          bucket: BUCKET,
          policy: TLS_ONLY.replace(
            '"aws:SecureTransport":"false"',
            '"aws:SecureTransport":"false","aws:ViaAWSService":"false"',
          ),
        },
      },
      /^no policy denies/,
    ],
    ["a cache", { "aws_elasticache_replication_group.r": {} }, /^transit encryption is off$/],
    [
      "a listener that serves",
      { "aws_lb_listener.l": { port: 80, protocol: "HTTP", default_action: [{ type: "forward" }] } },
      /^port 80 serves HTTP/,
    ],
  ],
  "volumes-are-encrypted": [
    ["a volume", { "aws_ebs_volume.v": { encrypted: true } }],
    ["a template", { "aws_launch_template.t": { block_device_mappings: [{ ebs: { encrypted: "true" } }] } }],
    ["a volume without", { "aws_ebs_volume.v": {} }, /^encrypted is not true$/],
    ["an instance that says nothing", { "aws_instance.i": {} }, /^a volume of the instance/],
    [
      "a template with one disk too many",
      { "aws_launch_template.t": { block_device_mappings: [{ ebs: { encrypted: true } }, { ebs: {} }] } },
      /^a volume of what is launched/,
    ],
  ],
  "vpcs-log-their-flows": [
    ["one that does", { "aws_vpc.v": {}, "aws_flow_log.f": { vpc_id: expr("aws_vpc.v.id"), traffic_type: "ALL" } }],
    [
      "one that logs half",
      { "aws_vpc.v": {}, "aws_flow_log.f": { vpc_id: expr("aws_vpc.v.id"), traffic_type: "REJECT" } },
      /^no flow log/,
    ],
  ],
};

/** Judged on the backend of a stack; policy.test.ts has its cases. */
const ELSEWHERE = ["state-is-encrypted-and-locked"];

describe.each(RULES.filter(({ id }) => !ELSEWHERE.includes(id)))("$id", ({ id }) => {
  const cases = CASES[id] ?? [];
  const found = (fixture: Fixture) => verdictOn(fixture).findings.filter(({ rule }) => rule === id);
  const passing = cases.flatMap(([what, fixture, wrong]) => (wrong ? [] : [{ what, fixture }]));
  const stopped = cases.flatMap(([what, fixture, wrong]) => (wrong ? [{ what, fixture, wrong }] : []));

  test.each(passing)("lets pass: $what", ({ fixture }) => {
    expect(found(fixture)).toEqual([]);
  });

  test.each(stopped)("stops: $what", ({ fixture, wrong }) => {
    expect(found(fixture)).toEqual([expect.objectContaining({ found: expect.stringMatching(wrong) })]);
  });

  test("has a case that passes and one that is stopped", () => {
    expect([passing.length > 0, stopped.length > 0]).toEqual([true, true]);
  });
});

test("every rule is a file of its name, and every file's rule is run", () => {
  const files = readdirSync("modules/platform/policy/rules").filter((name) => name !== "index.ts");
  expect(RULES.map(({ id }) => `${id}.ts`)).toEqual(files.sort());
});

test("every rule says what it wants, why, and what to do, in sentences", () => {
  for (const { id, title, reason, remedy } of RULES) {
    for (const sentence of [title, reason, remedy]) {
      expect([id, sentence]).toEqual([id, expect.stringMatching(/^[A-Z].*[.)]$/)]);
    }
  }
});
