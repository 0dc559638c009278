/** The table of jobs and idempotency keys, the truth about a job: see docs/protocol.md. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { TransactionCanceledException } from "@aws-sdk/client-dynamodb";
import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  TransactWriteCommand,
  type TransactWriteCommandInput,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";
import { type Page, type PageRequest, queryPage } from "./paging";
import type { ResultDocument } from "./schemas";

const DAY_S = 24 * 3_600;
const OPEN_JOB_S = 14 * DAY_S;
const FINAL_JOB_S = DAY_S;
const IDEMPOTENCY_S = DAY_S;
const TRANSACTION_ATTEMPTS = 4;

/** An item of the table. */
export interface JobItem {
  readonly jobId: string;
  readonly tenant: string;
  readonly functionId: string;
  readonly functionVersion: number;
  readonly status: "PENDING" | "PROCESSING" | "SUCCESS" | "FAILED" | "CANCELLED";
  readonly attempts: number;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  /** The result document as JSON, when final and at most 256 KiB. */
  readonly result?: string;
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

/** A job that has not been queued yet. */
export function pendingJob(props: Pick<JobItem, "jobId" | "tenant" | "functionId" | "functionVersion">): JobItem {
  const now = new Date();
  return {
    ...props,
    status: "PENDING",
    attempts: 0,
    createdAt: now.toISOString(),
    expiresAt: epochSeconds(now) + OPEN_JOB_S,
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

  /** A page of the tenant's jobs, newest first. */
  list(tenant: string, page: PageRequest): Promise<Page<JobItem>> {
    return queryPage(this.dynamo, { table: this.table, keyName: "jobId", tenant, page });
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
  moveToVersion(jobId: string, version: number): Promise<boolean> {
    return this.transact([
      {
        Update: {
          TableName: this.table,
          Key: { jobId },
          UpdateExpression: "SET functionVersion = :version",
          ConditionExpression: "#status = :pending AND attribute_not_exists(queuedAt)",
          ExpressionAttributeNames: { "#status": "status" },
          ExpressionAttributeValues: { ":version": version, ":pending": "PENDING" },
        },
      },
    ]);
  }

  /**
   * Ends a job that could not be queued, and frees its idempotency key for another try.
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
          UpdateExpression: "SET #status = :failed, finishedAt = :now, #result = :result, expiresAt = :expires",
          ConditionExpression: "#status = :pending",
          ExpressionAttributeNames: { "#status": "status", "#result": "result" },
          ExpressionAttributeValues: {
            ":failed": "FAILED",
            ":pending": "PENDING",
            ":now": now.toISOString(),
            ":result": JSON.stringify(unqueuedResult(job, message, now)),
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

function unqueuedResult(job: JobItem, message: string, now: Date): ResultDocument {
  return {
    job_id: job.jobId,
    function_id: job.functionId,
    function_version: job.functionVersion,
    worker_id: null,
    status: "FAILED",
    exit_reason: { code: "infrastructure", message },
    output: null,
    error: null,
    logs: "",
    logs_truncated: false,
    files: [],
    started_at: null,
    finished_at: now.toISOString(),
    queue_ms: null,
    duration_ms: null,
    peak_memory_mb: null,
    suggested_memory_mb: null,
  };
}

function epochSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1_000);
}
