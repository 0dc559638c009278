/** What the controller may do: the IAM statements and the Redis access that it needs, and nothing besides. */
import type { Statement } from "../../constructs/role";

/** ARNs of what the controller uses. */
export interface ControllerResources {
  /** Bucket of the functions' code and large inputs. */
  readonly codeBucket: string;
  /** Bucket of the files that functions leave. */
  readonly userDataBucket: string;
  readonly functionsTable: string;
  readonly jobsTable: string;
  readonly apiKeysTable: string;
  readonly queue: string;
  /** Queue of the messages that were given up: the status shows how many. */
  readonly deadLetterQueue: string;
  /** Redis replication group. @default - Redis without IAM authentication */
  readonly redisReplicationGroup?: string;
  /** Redis user of the controllers; goes with `redisReplicationGroup`. @default - Redis without IAM authentication */
  readonly redisUser?: string;
}

/**
 * Redis ACL rules of the controller: the keys and channels of docs/protocol.md, nothing administrative. `eval` to `expire` are what
 * counting a key's requests needs, in one step on the server; a script is held to the same rules.
 */
export const CONTROLLER_REDIS_ACCESS =
  "on ~nanogrid:* &nanogrid:* -@all +@connection +get +set +getrange +hgetall +publish +subscribe +unsubscribe +ping +info" +
  " +eval +evalsha +incrby +pttl +expire";

/** The statements of the controller's role. */
export function controllerPermissions(arns: ControllerResources): readonly Statement[] {
  const {
    codeBucket,
    userDataBucket,
    functionsTable,
    jobsTable,
    apiKeysTable,
    queue,
    deadLetterQueue,
    redisReplicationGroup,
    redisUser,
  } = arns;
  const statements: Statement[] = [
    {
      sid: "StoreCodeAndInputs",
      actions: ["s3:PutObject"],
      resources: [`${codeBucket}/functions/*`, `${codeBucket}/inputs/*`],
    },
    {
      // What the health check asks for is never there.
      sid: "ReadCode",
      actions: ["s3:GetObject"],
      resources: [`${codeBucket}/functions/*`, `${codeBucket}/health`],
    },
    {
      sid: "DeleteFunctions",
      actions: ["s3:DeleteObject"],
      resources: [`${codeBucket}/functions/*`, `${codeBucket}/dependencies/*`],
    },
    { sid: "OutputFiles", actions: ["s3:GetObject"], resources: [`${userDataBucket}/*`] },
    {
      // Without it S3 answers 403 for an object that is gone, and a client would get 500 for a file that was deleted.
      sid: "TellMissingFromForbidden",
      actions: ["s3:ListBucket"],
      resources: [codeBucket, userDataBucket],
    },
    {
      sid: "FunctionsAndJobs",
      actions: ["dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
      resources: [functionsTable, jobsTable],
    },
    {
      sid: "ApiKeys",
      actions: ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"],
      resources: [apiKeysTable],
    },
    {
      sid: "ListsOfTenant",
      actions: ["dynamodb:Query"],
      resources: [functionsTable, jobsTable, apiKeysTable].map((table) => `${table}/index/by-tenant`),
    },
    { sid: "Queue", actions: ["sqs:SendMessage", "sqs:GetQueueAttributes"], resources: [queue] },
    { sid: "DeadLetters", actions: ["sqs:GetQueueAttributes"], resources: [deadLetterQueue] },
  ];
  if (redisReplicationGroup && redisUser) {
    statements.push({
      sid: "Redis",
      actions: ["elasticache:Connect"],
      resources: [redisReplicationGroup, redisUser],
    });
  }
  return statements;
}
