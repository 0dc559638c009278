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
  "on ~nanogrid:* &nanogrid:* -@all +@connection +get +set +expire +publish +subscribe +unsubscribe +ping +info";

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
      resources: [`${arns.codeBucket}/functions/*`, `${arns.codeBucket}/inputs/*`],
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
      sid: "ClaimAndFinishJobs",
      actions: ["dynamodb:GetItem", "dynamodb:UpdateItem"],
      resources: [arns.jobsTable],
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
