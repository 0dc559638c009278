/** The table of jobs and idempotency keys, the truth about a job: see docs/protocol.md. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ConditionalCheckFailedException, TransactionCanceledException } from "@aws-sdk/client-dynamodb";
import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  TransactWriteCommand,
  type TransactWriteCommandInput,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";
import { type Page, type PageRequest, queryPage } from "./paging";
import type { JobStatus, JobSummary, ResultDocument } from "./schemas";

const DAY_S = 24 * 3_600;
const OPEN_JOB_S = 14 * DAY_S;
const FINAL_JOB_S = DAY_S;
const IDEMPOTENCY_S = DAY_S;
const TRANSACTION_ATTEMPTS = 4;
/** What lists show: results stay where they are. */
const SUMMARY = [
  "jobId",
  "tenant",
  "functionId",
  "functionVersion",
  "kind",
  "status",
  "attempts",
  "createdAt",
  "startedAt",
  "finishedAt",
  "lastError",
  "callbackUrl",
  "callbackStatus",
  "callbackAttempts",
] as const;

/** An item of the table. */
export interface JobItem {
  readonly jobId: string;
  readonly tenant: string;
  readonly functionId: string;
  readonly functionVersion: number;
  readonly kind: "run" | "build";
  /** Key and hash of the version's zip, for the archive. */
  readonly codeKey: string;
  readonly codeSha256: string;
  readonly status: JobStatus;
  readonly attempts: number;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  /** The result document as JSON, when final and at most 256 KiB. */
  readonly result?: string;
  /** The last failure of NanoGrid's own, while the job is not final. */
  readonly lastError?: JobSummary["lastError"];
  readonly callbackUrl?: string;
  readonly callbackStatus?: "PENDING" | "DELIVERED" | "FAILED";
  readonly callbackAttempts?: number;
  /** When the queue had taken the job; kept for jobs with an idempotency key only. */
  readonly queuedAt?: string;
  /** Epoch seconds. */
  readonly expiresAt: number;
}

/** An idempotency key and the request that it stands for. */
export interface Idempotency {
  /** Key of its item: `idem#<tenant>#<sha256 of the key>`. */
  readonly itemId: string;
  readonly requestSha256: string;
}

/** What an idempotency key was used for before. */
export interface EarlierUse {
  readonly forJobId: string;
  readonly requestSha256: string;
}

/** Whether nothing about a job will change any more. */
export function isFinal(status: string): boolean {
  return status === "SUCCESS" || status === "FAILED" || status === "CANCELLED";
}

/** The item for an idempotency key of a tenant. */
export function idempotency(tenant: string, key: string, request: readonly (string | Buffer)[]): Idempotency {
  const hash = createHash("sha256");
  for (const part of request) {
    hash.update(part).update("\0");
  }
  return {
    itemId: `idem#${tenant}#${createHash("sha256").update(key).digest("hex")}`,
    requestSha256: hash.digest("hex"),
  };
}

/** Which jobs a list has; undefined for any. */
export type JobFilter = Partial<Pick<JobItem, "functionId" | "status">>;

/** A version of a function. */
export type Version = Pick<JobItem, "tenant" | "functionId" | "functionVersion" | "codeKey" | "codeSha256">;

/**
 * A job that has not been queued yet.
 * @param callbackUrl where its result goes; null for nowhere
 */
export function pendingJob(jobId: string, kind: JobItem["kind"], of: Version, callbackUrl: string | null): JobItem {
  const now = new Date();
  return {
    jobId,
    ...of,
    kind,
    status: "PENDING",
    attempts: 0,
    createdAt: now.toISOString(),
    expiresAt: epochSeconds(now) + OPEN_JOB_S,
    ...(callbackUrl === null ? {} : { callbackUrl, callbackStatus: "PENDING", callbackAttempts: 0 }),
  };
}

/** The result document of a job that the controller ends: no worker has one for it. */
export function resultOfNoRun(
  job: JobItem,
  end: Pick<ResultDocument, "status" | "exit_reason"> & Partial<Pick<ResultDocument, "logs" | "logs_truncated">>,
  now: Date,
): ResultDocument {
  return {
    job_id: job.jobId,
    function_id: job.functionId,
    function_version: job.functionVersion,
    worker_id: null,
    output: null,
    error: null,
    logs: "",
    logs_truncated: false,
    files: [],
    started_at: job.startedAt ?? null,
    finished_at: now.toISOString(),
    queue_ms: null,
    duration_ms: null,
    attempt: job.attempts,
    start: null,
    ai: null,
    peak_memory_mb: null,
    suggested_memory_mb: null,
    ...end,
  };
}

export class JobsTable {
  constructor(
    private readonly dynamo: DynamoDBDocumentClient,
    private readonly table: string,
  ) {}

  /**
   * Adds a job. With an idempotency key, both are written or neither.
   * @returns what the key was used for before, when it was; the job is not written then
   */
  async create(job: JobItem, key?: Idempotency): Promise<EarlierUse | undefined> {
    // The id is new, so that a write which the client repeats after a lost answer does no harm.
    const put = { TableName: this.table, Item: job };
    if (!key) {
      await this.dynamo.send(new PutCommand(put));
      return undefined;
    }
    const now = epochSeconds(new Date());
    const { itemId, requestSha256 } = key;
    const written = await this.transact([
      {
        Put: {
          TableName: this.table,
          Item: { jobId: itemId, forJobId: job.jobId, requestSha256, expiresAt: now + IDEMPOTENCY_S },
          // DynamoDB deletes an expired item up to days later.
          ConditionExpression: "attribute_not_exists(jobId) OR expiresAt < :now",
          ExpressionAttributeValues: { ":now": now },
        },
      },
      { Put: put },
    ]);
    if (written) {
      return undefined;
    }
    const earlier = (await this.read(itemId)) as EarlierUse | undefined;
    // Freed in between, by a job that could not be queued: then it is ours.
    return earlier ?? this.create(job, key);
  }

  /** The job of that id, as last written. */
  async find(jobId: string): Promise<JobItem | undefined> {
    return (await this.read(jobId)) as JobItem | undefined;
  }

  /** A page of the tenant's jobs, newest first, without their results. */
  list(tenant: string, page: PageRequest, equal: JobFilter): Promise<Page<JobItem>> {
    return queryPage<JobItem>(this.dynamo, {
      table: this.table,
      keyName: "jobId",
      tenant,
      page,
      equal,
      attributes: SUMMARY,
    });
  }

  /**
   * Ends a job as cancelled. Its worker finds the lease lost; a callback is owed to a worker, at once.
   * @param result its result document, as JSON
   * @returns false when it has ended before
   */
  async cancel(job: JobItem, result: string, now: Date): Promise<boolean> {
    const owesCallback = job.callbackUrl !== undefined;
    const sets = "SET #status = :cancelled, finishedAt = :now, #result = :result, expiresAt = :expires";
    const removes = "REMOVE leaseOwner, leaseExpiresAt, #message";
    try {
      await this.dynamo.send(
        new UpdateCommand({
          TableName: this.table,
          Key: { jobId: job.jobId },
          UpdateExpression: owesCallback
            ? `${sets}, duty = :deliver, dutyAt = :due, owes = :owes ${removes}`
            : `${sets} ${removes}, duty, dutyAt`,
          ConditionExpression: "tenant = :tenant AND #status IN (:pending, :processing)",
          ExpressionAttributeNames: { "#status": "status", "#result": "result", "#message": "message" },
          ExpressionAttributeValues: {
            ":cancelled": "CANCELLED",
            ":pending": "PENDING",
            ":processing": "PROCESSING",
            ":tenant": job.tenant,
            ":now": now.toISOString(),
            ":result": result,
            ":expires": epochSeconds(now) + FINAL_JOB_S,
            ...(owesCallback
              ? { ":deliver": "DELIVER", ":due": epochSeconds(now), ":owes": new Set(["CALLBACK"]) }
              : {}),
          },
        }),
      );
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) {
        return false;
      }
      throw error;
    }
  }

  /** Notes that the queue has taken a job, so that a repeated request need not send it again. */
  async markQueued(jobId: string): Promise<void> {
    await this.dynamo.send(
      new UpdateCommand({
        TableName: this.table,
        Key: { jobId },
        UpdateExpression: "SET queuedAt = :now",
        ConditionExpression: "attribute_exists(jobId)",
        ExpressionAttributeValues: { ":now": new Date().toISOString() },
      }),
    );
  }

  /** Moves a job that no worker can have seen to another version of its function; false when one has. */
  moveToVersion(jobId: string, { functionVersion, codeKey, codeSha256 }: Version): Promise<boolean> {
    return this.transact([
      {
        Update: {
          TableName: this.table,
          Key: { jobId },
          UpdateExpression: "SET functionVersion = :version, codeKey = :key, codeSha256 = :hash",
          ConditionExpression: "#status = :pending AND attribute_not_exists(queuedAt)",
          ExpressionAttributeNames: { "#status": "status" },
          ExpressionAttributeValues: {
            ":version": functionVersion,
            ":key": codeKey,
            ":hash": codeSha256,
            ":pending": "PENDING",
          },
        },
      },
    ]);
  }

  /**
   * Ends a job that could not be queued, and frees its idempotency key for another try. Its caller is told, so that no callback is owed.
   * @returns false when a worker has the job all the same: it was queued, only the queue's answer was lost
   */
  async failUnqueued(job: JobItem, message: string, key?: Idempotency): Promise<boolean> {
    const now = new Date();
    const free = {
      Delete: {
        TableName: this.table,
        Key: { jobId: key?.itemId },
        ConditionExpression: "attribute_not_exists(jobId) OR forJobId = :job",
        ExpressionAttributeValues: { ":job": job.jobId },
      },
    };
    return this.transact([
      {
        Update: {
          TableName: this.table,
          Key: { jobId: job.jobId },
          UpdateExpression:
            "SET #status = :failed, finishedAt = :now, #result = :result, expiresAt = :expires" +
            " REMOVE callbackUrl, callbackStatus, callbackAttempts",
          ConditionExpression: "#status = :pending",
          ExpressionAttributeNames: { "#status": "status", "#result": "result" },
          ExpressionAttributeValues: {
            ":failed": "FAILED",
            ":pending": "PENDING",
            ":now": now.toISOString(),
            ":result": JSON.stringify(
              resultOfNoRun(job, { status: "FAILED", exit_reason: { code: "infrastructure", message } }, now),
            ),
            ":expires": epochSeconds(now) + FINAL_JOB_S,
          },
        },
      },
      ...(key ? [free] : []),
    ]);
  }

  private async read(jobId: string): Promise<object | undefined> {
    const reply = await this.dynamo.send(
      new GetCommand({ TableName: this.table, Key: { jobId }, ConsistentRead: true }),
    );
    return reply.Item;
  }

  /** Writes all or nothing; false when a condition does not hold. Two writers at once are sorted out by trying again. */
  private async transact(items: NonNullable<TransactWriteCommandInput["TransactItems"]>): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.dynamo.send(new TransactWriteCommand({ TransactItems: items }));
        return true;
      } catch (error) {
        if (!(error instanceof TransactionCanceledException)) {
          throw error;
        }
        const codes = error.CancellationReasons?.map(({ Code }) => Code) ?? [];
        if (codes.includes("ConditionalCheckFailed")) {
          return false;
        }
        if (!codes.includes("TransactionConflict") || attempt === TRANSACTION_ATTEMPTS) {
          throw error;
        }
        await sleep(Math.random() * 50 * 2 ** attempt);
      }
    }
  }
}

function epochSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1_000);
}
