/** What the worker may do: its own calls, and the base list of the specification. */
import type { Statement } from "../../constructs/role";

/** ARNs of what the worker uses. */
export interface WorkerArns {
  /** Bucket of code and large inputs. */
  readonly codeBucket: string;
  /** Bucket of output files. */
  readonly userDataBucket: string;
  /** The task queue. */
  readonly queue: string;
  /** The jobs table. */
  readonly jobsTable: string;
  /** Secrets of functions: `nanogrid/functions/*`. */
  readonly functionSecrets: string;
  /** The secret with the Google Cloud credential configuration. @default - no archive */
  readonly gcpCredentialsSecret?: string;
  /** The workers' auto-scaling group. */
  readonly group: string;
  /** The replication group of Redis. */
  readonly redis: string;
  /** The worker's ElastiCache user. */
  readonly redisUser: string;
}

/** Redis ACL rules of the worker: the keys and channels of docs/protocol.md, nothing administrative. */
export const WORKER_REDIS_ACCESS =
  "on ~nanogrid:* &nanogrid:* -@all +@connection +get +set +append +expire +hset +hdel +hgetall +publish +subscribe +unsubscribe +ping +info";

/**
 * The worker's statements. The machine around it (artifacts, logs, Session Manager) has statements of its own.
 *
 * @param arns exact ARNs
 */
export function workerPermissions(arns: WorkerArns): readonly Statement[] {
  return [
    {
      sid: "ReadCodeAndInputs",
      actions: ["s3:GetObject"],
      resources: [`${arns.codeBucket}/functions/*`, `${arns.codeBucket}/inputs/*`, `${arns.codeBucket}/dependencies/*`],
    },
    {
      // Without it S3 answers 403 for an object that is gone, and the job of a deleted function would look like our error.
      sid: "TellMissingFromForbidden",
      actions: ["s3:ListBucket"],
      resources: [arns.codeBucket],
    },
    {
      sid: "StoreDependencies",
      actions: ["s3:PutObject"],
      resources: [`${arns.codeBucket}/dependencies/*`],
    },
    {
      sid: "WriteOutputFiles",
      actions: ["s3:PutObject"],
      resources: [`${arns.userDataBucket}/*`],
    },
    {
      sid: "TakeJobs",
      actions: ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"],
      resources: [arns.queue],
    },
    {
      // The message of a job that outlived its own, once the job's worker is gone.
      sid: "SendJobsAgain",
      actions: ["sqs:SendMessage"],
      resources: [arns.queue],
    },
    {
      sid: "ClaimAndFinishJobs",
      actions: ["dynamodb:GetItem", "dynamodb:UpdateItem"],
      resources: [arns.jobsTable],
    },
    {
      sid: "FindDuties",
      actions: ["dynamodb:Query"],
      resources: [`${arns.jobsTable}/index/by-duty`],
    },
    {
      // A worker runs functions of every tenant, and a function names its secrets when it is made: which ones cannot be
      // listed here. The worker gives a run those of its own tenant alone, and nothing else has names under this prefix.
      sid: "ReadFunctionSecrets",
      actions: ["secretsmanager:GetSecretValue"],
      resources: [arns.functionSecrets],
    },
    ...(arns.gcpCredentialsSecret
      ? [
          {
            sid: "ReadArchiveCredentials",
            actions: ["secretsmanager:GetSecretValue"],
            resources: [arns.gcpCredentialsSecret],
          },
        ]
      : []),
    {
      sid: "LeaveTheGroup",
      actions: [
        "autoscaling:CompleteLifecycleAction",
        "autoscaling:RecordLifecycleActionHeartbeat",
        "autoscaling:SetInstanceProtection",
      ],
      resources: [arns.group],
    },
    {
      sid: "TellRedis",
      actions: ["elasticache:Connect"],
      resources: [arns.redis, arns.redisUser],
    },
  ];
}
