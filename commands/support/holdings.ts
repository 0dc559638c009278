/** The places that hold something of a tenant: each can count it and delete it. Deleting twice does no harm. */

import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type MultipartUpload,
  type ObjectIdentifier,
  type S3Client,
} from "@aws-sdk/client-s3";
import {
  DeleteSecretCommand,
  paginateListSecrets,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { DeleteMessageBatchCommand, type Message, type SQSClient } from "@aws-sdk/client-sqs";
import { DeleteCommand, type DynamoDBDocumentClient, PutCommand, paginateScan } from "@aws-sdk/lib-dynamodb";
import type { File, Storage } from "@google-cloud/storage";
import { z } from "zod";
import { DEAD_LETTER_QUEUE, FUNCTION_SECRETS } from "./names";
import { Problem } from "./problem";
import { eachDeadLetter, parsed } from "./queue";

/** SQS keeps a message no longer: so long a mark for a cancelled job is of use. */
const RETENTION_SECONDS = 14 * 24 * 3_600;
const FINAL = ["SUCCESS", "FAILED", "CANCELLED"];
/** Requests to one service at a time. */
const AT_ONCE = 8;
const PAGE = 1_000;

/** A place. */
export interface Holding {
  /** What it holds, for a person. */
  readonly name: string;
  /** How many things of the tenant are there. */
  count(): Promise<number>;
  /**
   * Deletes them.
   *
   * @param progress called with the number deleted so far
   * @returns how many were deleted
   */
  erase(progress: (done: number) => void): Promise<number>;
}

/** What is listed page by page, and deleted thing by thing. */
abstract class Listed<T> implements Holding {
  abstract readonly name: string;

  async count(): Promise<number> {
    return await counted(this.pages());
  }

  async erase(progress: (done: number) => void): Promise<number> {
    let done = 0;
    for await (const things of this.pages()) {
      await eachOf(things, (thing) => this.remove(thing));
      done += things.length;
      progress(done);
    }
    return done;
  }

  protected abstract pages(): AsyncIterable<readonly T[]>;
  /** Deletes one. */
  protected abstract remove(thing: T): Promise<void>;
}

type Item = Record<string, unknown>;

/** Items of a table that are a tenant's, read consistently: an index may not know of what was written last. */
async function* itemsOf(
  dynamo: DynamoDBDocumentClient,
  table: string,
  key: string,
  filter: string,
  values: Record<string, string>,
): AsyncGenerator<Item[]> {
  const pages = paginateScan(
    { client: dynamo },
    {
      TableName: table,
      ConsistentRead: true,
      FilterExpression: filter,
      ProjectionExpression: "#key, #status",
      ExpressionAttributeNames: { "#key": key, "#status": "status" },
      ExpressionAttributeValues: values,
    },
  );
  for await (const { Items = [] } of pages) {
    yield Items;
  }
}

/** Items of a table with the tenant's name in `tenant`. */
export class TableItems extends Listed<Item> {
  constructor(
    readonly name: string,
    private readonly dynamo: DynamoDBDocumentClient,
    private readonly table: string,
    private readonly key: string,
    private readonly tenant: string,
  ) {
    super();
  }

  protected pages() {
    return itemsOf(this.dynamo, this.table, this.key, "tenant = :tenant", { ":tenant": this.tenant });
  }

  protected remove(item: Item): Promise<void> {
    return deleteItem(this.dynamo, this.table, { [this.key]: item[this.key] });
  }
}

/**
 * Jobs that have not ended. Each is replaced by a mark that says CANCELLED and nothing else: its worker finds its lease lost and stops,
 * and a message that is still in the queue is dropped by the worker that takes it. Without the mark it would end as a dead letter.
 */
export class OpenJobs extends Listed<Item> {
  readonly name = "open jobs";

  constructor(
    private readonly dynamo: DynamoDBDocumentClient,
    private readonly table: string,
    private readonly tenant: string,
  ) {
    super();
  }

  protected pages() {
    return itemsOf(this.dynamo, this.table, "jobId", "tenant = :tenant AND #status IN (:pending, :processing)", {
      ":tenant": this.tenant,
      ":pending": "PENDING",
      ":processing": "PROCESSING",
    });
  }

  /** A job that ends in the meantime is left: it is deleted with those that have ended. */
  protected async remove({ jobId }: Item): Promise<void> {
    try {
      await this.dynamo.send(
        new PutCommand({
          TableName: this.table,
          Item: markOf(String(jobId)),
          ConditionExpression: "attribute_exists(jobId) AND NOT #status IN (:success, :failed, :cancelled)",
          ExpressionAttributeNames: { "#status": "status" },
          ExpressionAttributeValues: { ":success": FINAL[0], ":failed": FINAL[1], ":cancelled": FINAL[2] },
        }),
      );
    } catch (error) {
      if ((error as Error).name !== "ConditionalCheckFailedException") {
        throw error;
      }
    }
  }
}

/** Jobs that have ended, with their results, and idempotency keys. A cancelled one leaves a mark: its message may still be in the queue. */
export class EndedJobs extends Listed<Item> {
  readonly name = "ended jobs and idempotency keys";

  constructor(
    private readonly dynamo: DynamoDBDocumentClient,
    private readonly table: string,
    private readonly tenant: string,
  ) {
    super();
  }

  protected pages() {
    return itemsOf(
      this.dynamo,
      this.table,
      "jobId",
      "(tenant = :tenant AND #status IN (:success, :failed, :cancelled)) OR begins_with(#key, :idempotency)",
      {
        ":tenant": this.tenant,
        ":success": "SUCCESS",
        ":failed": "FAILED",
        ":cancelled": "CANCELLED",
        // A tenant's name has no number sign, so that no other tenant's key begins like this.
        ":idempotency": `idem#${this.tenant}#`,
      },
    );
  }

  protected async remove({ jobId, status }: Item): Promise<void> {
    if (status === "CANCELLED") {
      await this.dynamo.send(new PutCommand({ TableName: this.table, Item: markOf(String(jobId)) }));
    } else {
      await deleteItem(this.dynamo, this.table, { jobId });
    }
  }
}

function markOf(jobId: string): Item {
  return { jobId, status: "CANCELLED", expiresAt: Math.floor(Date.now() / 1_000) + RETENTION_SECONDS };
}

async function deleteItem(dynamo: DynamoDBDocumentClient, table: string, key: Item): Promise<void> {
  await dynamo.send(new DeleteCommand({ TableName: table, Key: key }));
}

const ofTenant = z.object({ tenant: z.string() });

/** Messages that failed five times: they carry code and input. */
export class DeadLetters implements Holding {
  readonly name = `messages in ${DEAD_LETTER_QUEUE}`;

  constructor(
    private readonly sqs: SQSClient,
    private readonly tenant: string,
  ) {}

  async count(): Promise<number> {
    let found = 0;
    await eachDeadLetter(this.sqs, (messages) => {
      found += messages.filter((message) => this.isTheirs(message)).length;
    });
    return found;
  }

  async erase(progress: (done: number) => void): Promise<number> {
    let done = 0;
    await eachDeadLetter(this.sqs, async (messages, url) => {
      const theirs = messages.filter((message) => this.isTheirs(message));
      if (theirs.length > 0) {
        const Entries = theirs.map(({ ReceiptHandle = "" }, index) => ({ Id: String(index), ReceiptHandle }));
        const { Failed = [] } = await this.sqs.send(new DeleteMessageBatchCommand({ QueueUrl: url, Entries }));
        done += theirs.length - Failed.length;
        progress(done);
      }
    });
    return done;
  }

  private isTheirs({ Body = "" }: Message): boolean {
    return ofTenant.safeParse(parsed(Body)).data?.tenant === this.tenant;
  }
}

/** All versions of a bucket's objects below some folders, delete markers and unfinished uploads included. */
export class ObjectVersions implements Holding {
  readonly name: string;

  /** @param prefixes each ends in a slash, so that no other tenant's name begins like it */
  constructor(
    private readonly s3: S3Client,
    private readonly bucket: string,
    private readonly prefixes: readonly string[],
  ) {
    this.name = `object versions in ${bucket}`;
  }

  async count(): Promise<number> {
    let found = 0;
    for (const prefix of this.prefixes) {
      found += await counted(this.versions(prefix));
      found += await counted(this.uploads(prefix));
    }
    return found;
  }

  async erase(progress: (done: number) => void): Promise<number> {
    let done = 0;
    for (const prefix of this.prefixes) {
      for await (const uploads of this.uploads(prefix)) {
        await eachOf(uploads, async ({ Key, UploadId }) => {
          await this.s3.send(new AbortMultipartUploadCommand({ Bucket: this.bucket, Key, UploadId }));
        });
        done += uploads.length;
        progress(done);
      }
      for await (const versions of this.versions(prefix)) {
        await this.remove(versions);
        done += versions.length;
        progress(done);
      }
    }
    return done;
  }

  private async *versions(prefix: string): AsyncGenerator<ObjectIdentifier[]> {
    let page: ListObjectVersionsCommandOutput | undefined;
    do {
      page = await this.s3.send(
        new ListObjectVersionsCommand({
          Bucket: this.bucket,
          Prefix: prefix,
          MaxKeys: PAGE,
          KeyMarker: page?.NextKeyMarker,
          VersionIdMarker: page?.NextVersionIdMarker,
        }),
      );
      const found = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
      if (found.length > 0) {
        yield found.map(({ Key, VersionId }) => ({ Key, VersionId }));
      }
    } while (page.IsTruncated);
  }

  private async remove(versions: ObjectIdentifier[]): Promise<void> {
    const { Errors = [] } = await this.s3.send(
      new DeleteObjectsCommand({ Bucket: this.bucket, Delete: { Objects: versions, Quiet: true } }),
    );
    if (Errors[0]) {
      throw new Problem(
        `${this.bucket}: ${Errors.length} object versions could not be deleted, ${Errors[0].Key}: ${Errors[0].Code}.`,
        "The identity needs s3:DeleteObjectVersion on the bucket. Then run it again.",
      );
    }
  }

  private async *uploads(prefix: string): AsyncGenerator<MultipartUpload[]> {
    let page: ListMultipartUploadsCommandOutput | undefined;
    do {
      page = await this.s3.send(
        new ListMultipartUploadsCommand({
          Bucket: this.bucket,
          Prefix: prefix,
          KeyMarker: page?.NextKeyMarker,
          UploadIdMarker: page?.NextUploadIdMarker,
        }),
      );
      yield page.Uploads ?? [];
    } while (page.IsTruncated);
  }
}

/** The secrets that the tenant's functions may name. */
export class FunctionSecrets extends Listed<string> {
  readonly name = "function secrets";

  constructor(
    private readonly secrets: SecretsManagerClient,
    private readonly tenant: string,
  ) {
    super();
  }

  protected async *pages() {
    const prefix = `${FUNCTION_SECRETS}${this.tenant}/`;
    const filter = { Filters: [{ Key: "name" as const, Values: [prefix] }] };
    for await (const { SecretList = [] } of paginateListSecrets({ client: this.secrets }, filter)) {
      // The filter does not tell capitals from small letters.
      yield SecretList.flatMap(({ ARN = "", Name = "" }) => (Name.startsWith(prefix) ? [ARN] : []));
    }
  }

  protected async remove(arn: string): Promise<void> {
    try {
      await this.secrets.send(new DeleteSecretCommand({ SecretId: arn, ForceDeleteWithoutRecovery: true }));
    } catch (error) {
      if (!(error instanceof ResourceNotFoundException)) {
        throw error;
      }
    }
  }
}

/** All generations of the tenant's objects in the archive. */
export class Archive extends Listed<File> {
  readonly name: string;

  constructor(
    private readonly storage: Storage,
    private readonly bucket: string,
    private readonly tenant: string,
  ) {
    super();
    this.name = `object generations in the archive ${bucket}`;
  }

  protected async remove(file: File): Promise<void> {
    await file.delete({ ignoreNotFound: true });
  }

  protected async *pages() {
    let pageToken: string | undefined;
    do {
      const [files, next] = await this.storage.bucket(this.bucket).getFiles({
        prefix: `${this.tenant}/`,
        versions: true,
        autoPaginate: false,
        maxResults: PAGE,
        ...(pageToken === undefined ? {} : { pageToken }),
      });
      yield files;
      pageToken = (next as { pageToken?: string } | null)?.pageToken;
    } while (pageToken);
  }
}

async function counted(pages: AsyncIterable<readonly unknown[]>): Promise<number> {
  let found = 0;
  for await (const page of pages) {
    found += page.length;
  }
  return found;
}

/** Works on all items, a few at a time. The first error ends it. */
async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = items[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = waiting.next(); !next.done; next = waiting.next()) {
        await work(next.value);
      }
    }),
  );
}
