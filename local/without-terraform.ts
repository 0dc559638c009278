/**
 * Where Terraform has no providers: the data stack's queue, buckets and tables, made in the stand-in from the synthesized JSON, and the
 * environment of the programs rendered from their cloud-init templates. Everything else of the deployment is left out.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DynamoDBClient,
  ResourceInUseException,
  UpdateTimeToLiveCommand,
} from "@aws-sdk/client-dynamodb";
import { BucketAlreadyOwnedByYou, CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { z } from "zod";
import { readStack } from "../commands/support/synthesis";
import { filesOf, parseEnvironment } from "./cloud-config";
import { type CloudPorts, clientOptions } from "./clouds";

/** The stack whose resources are made. */
const DATA_STACK = "nanogrid-data";

/** What was made, under the names of the stack's outputs. */
export interface Substitute {
  readonly values: Readonly<Record<string, string>>;
  /** How many resources there are. */
  readonly resources: number;
}

const queueSchema = z.object({
  name: z.string(),
  visibility_timeout_seconds: z.number().optional(),
  message_retention_seconds: z.number().optional(),
  receive_wait_time_seconds: z.number().optional(),
  redrive_policy: z.string().optional(),
});
const bucketSchema = z.object({ bucket: z.string() });
const tableSchema = z.object({
  name: z.string(),
  hash_key: z.string(),
  range_key: z.string().optional(),
  attribute: z.array(z.object({ name: z.string(), type: z.enum(["S", "N", "B"]) })),
  global_secondary_index: z
    .array(
      z.object({
        name: z.string(),
        projection_type: z.enum(["ALL", "KEYS_ONLY"]),
        key_schema: z.array(z.object({ attribute_name: z.string(), key_type: z.enum(["HASH", "RANGE"]) })),
      }),
    )
    .default([]),
  ttl: z.object({ attribute_name: z.string() }).optional(),
});

type Queue = z.output<typeof queueSchema>;
type Table = z.output<typeof tableSchema>;

/**
 * Makes the resources; those that exist already are kept.
 *
 * @param project the checkout, with a synthesis in `cdktf.out`
 * @param ports of the stand-ins
 * @param region AWS region
 */
export async function createWithoutTerraform(project: string, ports: CloudPorts, region: string): Promise<Substitute> {
  const stack = readStack(project, DATA_STACK);
  const resources = stack.resource ?? {};
  const queues = z.record(z.string(), queueSchema).parse(resources.aws_sqs_queue ?? {});
  const buckets = z.record(z.string(), bucketSchema).parse(resources.aws_s3_bucket ?? {});
  const tables = z.record(z.string(), tableSchema).parse(resources.aws_dynamodb_table ?? {});
  const urls = await createQueues(
    queues,
    new SQSClient({ ...clientOptions(ports, region), useQueueUrlAsEndpoint: false }),
  );
  await createBuckets(Object.values(buckets), new S3Client(clientOptions(ports, region)), region);
  await createTables(Object.values(tables), new DynamoDBClient(clientOptions(ports, region)));

  const attribute = (type: string, id: string): string | undefined =>
    type === "aws_sqs_queue" ? urls.get(id) : type === "aws_s3_bucket" ? buckets[id]?.bucket : tables[id]?.name;
  const values = Object.entries(stack.output ?? {}).flatMap(([name, { value }]) => {
    const reference = /^\$\{(aws_sqs_queue|aws_s3_bucket|aws_dynamodb_table)\.([\w-]+)\.(url|bucket|name|id)\}$/.exec(
      String(value),
    );
    const resolved = reference ? attribute(reference[1] ?? "", reference[2] ?? "") : undefined;
    const literal = typeof value === "string" && !value.includes("${") ? value : undefined;
    const known = resolved ?? literal;
    return known === undefined ? [] : [[name, known] as const];
  });
  return {
    values: Object.fromEntries(values),
    resources: urls.size + Object.keys(buckets).length + Object.keys(tables).length,
  };
}

/**
 * The environment file of a program, from its cloud-init template.
 *
 * @param template path of the template
 * @param file path of the environment file on the instance
 * @param variables the template's variables; those that are not given are empty
 */
export function renderEnvironment(
  template: string,
  file: string,
  variables: Readonly<Record<string, string>>,
): Record<string, string> {
  const rendered = readFileSync(template, "utf8")
    .replace(/^.*%\{.*$/gm, "")
    .replace(/(\$?)\$\{(\w+)\}/g, (_, escaped: string, name: string) =>
      escaped ? `\${${name}}` : (variables[name] ?? ""),
    );
  const content = filesOf(Buffer.from(rendered).toString("base64")).get(file);
  if (content === undefined) {
    throw new Error(`${template}: writes no ${file}`);
  }
  return parseEnvironment(content);
}

/** Path of a program's cloud-init template. */
export function templateOf(project: string, program: "controller" | "worker"): string {
  return join(project, "userdata", program, "cloud-init.yaml.tftpl");
}

/** Creates queues, those without dead letters first, since the others name them. @returns their URLs by id */
async function createQueues(queues: Record<string, Queue>, sqs: SQSClient): Promise<Map<string, string>> {
  const urls = new Map<string, string>();
  const ordered = Object.entries(queues).sort(
    ([, a], [, b]) => Number(a.redrive_policy !== undefined) - Number(b.redrive_policy !== undefined),
  );
  for (const [id, queue] of ordered) {
    const { QueueUrl = "" } = await sqs.send(
      new CreateQueueCommand({
        QueueName: queue.name,
        Attributes: {
          ...given("VisibilityTimeout", queue.visibility_timeout_seconds),
          ...given("MessageRetentionPeriod", queue.message_retention_seconds),
          ...given("ReceiveMessageWaitTimeSeconds", queue.receive_wait_time_seconds),
          ...given("RedrivePolicy", await redrivePolicy(queue.redrive_policy, urls, sqs)),
        },
      }),
    );
    urls.set(id, QueueUrl);
  }
  return urls;
}

/** Terraform's expression as the JSON that it would give: the one reference in it is the dead-letter queue's ARN. */
async function redrivePolicy(
  expression: string | undefined,
  urls: Map<string, string>,
  sqs: SQSClient,
): Promise<string | undefined> {
  const target = /aws_sqs_queue\.([\w-]+)\.arn/.exec(expression ?? "")?.[1];
  const receives = /"maxReceiveCount"\s*=\s*(\d+)/.exec(expression ?? "")?.[1];
  if (target === undefined || receives === undefined) {
    return undefined;
  }
  const query = new GetQueueAttributesCommand({ QueueUrl: urls.get(target), AttributeNames: ["QueueArn"] });
  const { Attributes } = await sqs.send(query);
  return JSON.stringify({ deadLetterTargetArn: Attributes?.QueueArn, maxReceiveCount: Number(receives) });
}

async function createBuckets(
  buckets: readonly { readonly bucket: string }[],
  s3: S3Client,
  region: string,
): Promise<void> {
  for (const { bucket } of buckets) {
    const place =
      region === "us-east-1" ? {} : { CreateBucketConfiguration: { LocationConstraint: region as "ap-northeast-2" } };
    await unlessThere(s3.send(new CreateBucketCommand({ Bucket: bucket, ...place })), BucketAlreadyOwnedByYou);
  }
}

async function createTables(tables: readonly Table[], dynamodb: DynamoDBClient): Promise<void> {
  for (const table of tables) {
    const indexes = table.global_secondary_index.map(({ key_schema, name, projection_type }) => ({
      IndexName: name,
      KeySchema: key_schema.map(({ attribute_name, key_type }) => ({
        AttributeName: attribute_name,
        KeyType: key_type,
      })),
      Projection: { ProjectionType: projection_type },
    }));
    const input: CreateTableCommandInput = {
      TableName: table.name,
      BillingMode: "PAY_PER_REQUEST",
      KeySchema: [
        { AttributeName: table.hash_key, KeyType: "HASH" },
        ...(table.range_key === undefined ? [] : [{ AttributeName: table.range_key, KeyType: "RANGE" as const }]),
      ],
      AttributeDefinitions: table.attribute.map(({ name, type }) => ({ AttributeName: name, AttributeType: type })),
      ...(indexes.length > 0 ? { GlobalSecondaryIndexes: indexes } : {}),
    };
    const created = await unlessThere(dynamodb.send(new CreateTableCommand(input)), ResourceInUseException);
    if (created && table.ttl !== undefined) {
      const TimeToLiveSpecification = { AttributeName: table.ttl.attribute_name, Enabled: true };
      await dynamodb.send(new UpdateTimeToLiveCommand({ TableName: table.name, TimeToLiveSpecification }));
    }
  }
}

function given(name: string, value: string | number | undefined): Record<string, string> {
  return value === undefined ? {} : { [name]: String(value) };
}

/** Waits for a creation. @returns false when the thing exists already */
async function unlessThere(creation: Promise<unknown>, exists: new (...args: never[]) => Error): Promise<boolean> {
  try {
    await creation;
    return true;
  } catch (error) {
    if (error instanceof exists) {
      return false;
    }
    throw error;
  }
}
