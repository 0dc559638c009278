/** Clients of AWS. Each call has a time limit, and at most three attempts with exponential backoff and jitter. */
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import type { Settings } from "./settings";

export interface Aws {
  readonly dynamo: DynamoDBDocumentClient;
  readonly sqs: SQSClient;
  readonly s3: S3Client;
  /** Closes the connections. */
  close(): void;
}

const ATTEMPTS = 3;

/** Clients for the region, or for the stand-in at `awsEndpointUrl`. */
export function createAws({ region, awsEndpointUrl }: Pick<Settings, "region" | "awsEndpointUrl">): Aws {
  const common = { region, endpoint: awsEndpointUrl, maxAttempts: ATTEMPTS };
  const dynamo = createDynamo({ region, awsEndpointUrl });
  // A stand-in names its queues by a host that does not resolve: the endpoint decides where to send, not the queue's URL.
  const sqs = new SQSClient({ ...common, requestHandler: limits(3_000), useQueueUrlAsEndpoint: false });
  const s3 = new S3Client({ ...common, requestHandler: limits(30_000), forcePathStyle: awsEndpointUrl !== undefined });
  const close = () => {
    dynamo.destroy();
    sqs.destroy();
    s3.destroy();
  };
  return { dynamo, sqs, s3, close };
}

/** A client of DynamoDB alone. */
export function createDynamo({
  region,
  awsEndpointUrl,
}: Pick<Settings, "region" | "awsEndpointUrl">): DynamoDBDocumentClient {
  const client = new DynamoDBClient({
    region,
    endpoint: awsEndpointUrl,
    maxAttempts: ATTEMPTS,
    requestHandler: limits(3_000),
  });
  return DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
}

function limits(requestTimeout: number) {
  return { connectionTimeout: 1_000, requestTimeout, throwOnRequestTimeout: true };
}
