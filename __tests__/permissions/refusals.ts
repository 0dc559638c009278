/** Requests just beside what a role may do. */
import { DynamoDBClient, GetItemCommand, PutItemCommand, ScanCommand } from "@aws-sdk/client-dynamodb";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { CONTROLLER_ROLE, SECRETS, WORKER_ROLE, type World } from "./world";

/** A request that has to be refused. */
export interface Refusal {
  readonly title: string;
  readonly ask: (world: World) => Promise<unknown>;
}

const Body = "anything";

export const refusals: readonly Refusal[] = [
  {
    title: "a worker may not write a function's code",
    ask: (world) => s3(world, WORKER_ROLE).send(new PutObjectCommand({ ...code(world, "functions/a/b/1.zip"), Body })),
  },
  {
    title: "a worker may not delete code",
    ask: (world) => s3(world, WORKER_ROLE).send(new DeleteObjectCommand(code(world, "functions/a/b/1.zip"))),
  },
  {
    title: "a worker may not read what functions left",
    ask: (world) =>
      s3(world, WORKER_ROLE).send(new GetObjectCommand({ Bucket: world.grid.values.user_data_bucket, Key: "a/b/c" })),
  },
  {
    title: "a worker may not fetch another program",
    ask: (world) => s3(world, WORKER_ROLE).send(new GetObjectCommand(artifact(world, "programs/controller/1.zip"))),
  },
  {
    title: "a controller may not replace a program",
    ask: (world) =>
      s3(world, CONTROLLER_ROLE).send(new PutObjectCommand({ ...artifact(world, "programs/controller/1.zip"), Body })),
  },
  {
    title: "a controller may not list the programs",
    ask: (world) =>
      s3(world, CONTROLLER_ROLE).send(new ListObjectsV2Command({ Bucket: world.grid.values.artifacts_bucket })),
  },
  {
    title: "a worker may not read a secret that is no function's",
    ask: (world) => secrets(world, WORKER_ROLE).send(new GetSecretValueCommand({ SecretId: SECRETS.other })),
  },
  {
    title: "a controller may not read a function's secret",
    ask: (world) => secrets(world, CONTROLLER_ROLE).send(new GetSecretValueCommand({ SecretId: SECRETS.function })),
  },
  {
    title: "a worker may not read API keys",
    ask: (world) => {
      const input = { TableName: world.grid.values.api_keys_table, Key: { keyHash: { S: "0" } } };
      return dynamodb(world, WORKER_ROLE).send(new GetItemCommand(input));
    },
  },
  {
    title: "a worker may not make jobs",
    ask: (world) => {
      const input = { TableName: world.grid.values.jobs_table, Item: { jobId: { S: "job_0" } } };
      return dynamodb(world, WORKER_ROLE).send(new PutItemCommand(input));
    },
  },
  {
    title: "a controller may not scan a table",
    ask: (world) =>
      dynamodb(world, CONTROLLER_ROLE).send(new ScanCommand({ TableName: world.grid.values.functions_table })),
  },
  {
    title: "a controller may not take jobs from the queue",
    ask: (world) =>
      new SQSClient({ ...world.options(CONTROLLER_ROLE), useQueueUrlAsEndpoint: false }).send(
        new ReceiveMessageCommand({ QueueUrl: world.grid.values.queue_url }),
      ),
  },
  {
    title: "a worker may not sign in to Redis as a controller",
    ask: async (world) => {
      const parameters = { ReplicationGroupId: "nanogrid-redis", UserId: "nanogrid-controller" };
      const asked = { principal: WORKER_ROLE, service: "elasticache", operation: "Connect", parameters };
      const { allowed, message } = await world.authorizer.decide(asked);
      return allowed ? undefined : Promise.reject(new Error(message));
    },
  },
];

function s3(world: World, role: string): S3Client {
  return new S3Client(world.options(role));
}

function secrets(world: World, role: string): SecretsManagerClient {
  return new SecretsManagerClient(world.options(role));
}

function dynamodb(world: World, role: string): DynamoDBClient {
  return new DynamoDBClient(world.options(role));
}

function code(world: World, Key: string) {
  return { Bucket: world.grid.values.code_bucket, Key };
}

function artifact(world: World, Key: string) {
  return { Bucket: world.grid.values.artifacts_bucket, Key };
}
