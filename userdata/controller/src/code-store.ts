/** The code bucket: zips of functions' versions, and inputs too large for the queue. See docs/protocol.md. */
import { readFile } from "node:fs/promises";
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { type Content, openObject } from "./objects";

/** Largest zip that travels in the queue's message, in bytes. */
export const INLINE_CODE_BYTES = 32 * 1024;
const CACHED_ZIPS = 256;
const DELETE_BATCH = 1_000;

/** A zip on disk. */
export interface ZipFile {
  readonly path: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

export class CodeStore {
  /** Small zips by key, least recently used first. A version's code never changes, so that they never go stale. */
  private readonly cache = new Map<string, string>();

  constructor(
    private readonly s3: S3Client,
    private readonly bucket: string,
  ) {}

  /** Stores a version's zip. Never overwrites: false when the key is taken. */
  async putCode(key: string, zip: ZipFile): Promise<boolean> {
    const body = await readFile(zip.path);
    try {
      await this.s3.send(
        new PutObjectCommand({
          Bucket: this.bucket,
          Key: key,
          Body: body,
          ContentType: "application/zip",
          ChecksumSHA256: Buffer.from(zip.sha256, "hex").toString("base64"),
          IfNoneMatch: "*",
        }),
      );
    } catch (error) {
      // 409: another upload to the same key is under way.
      if (error instanceof S3ServiceException && [409, 412].includes(error.$metadata.httpStatusCode ?? 0)) {
        return false;
      }
      throw error;
    }
    if (zip.bytes <= INLINE_CODE_BYTES) {
      this.remember(key, body.toString("base64"));
    }
    return true;
  }

  /** Stores an input that is too large for the queue. */
  async putInput(key: string, json: string): Promise<void> {
    await this.s3.send(
      new PutObjectCommand({ Bucket: this.bucket, Key: key, Body: json, ContentType: "application/json" }),
    );
  }

  /** A small zip as base64, from memory where it has been used lately. */
  async smallCode(key: string): Promise<string> {
    const cached = this.cache.get(key);
    if (cached !== undefined) {
      this.cache.delete(key);
      this.cache.set(key, cached);
      return cached;
    }
    const reply = await this.s3.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }));
    const code = await reply.Body?.transformToString("base64");
    if (!code) {
      throw new Error(`The object ${key} of bucket ${this.bucket} is empty; expected the zip of a function.`);
    }
    this.remember(key, code);
    return code;
  }

  /** A version's zip, to be read once; undefined where it is gone. */
  open(key: string): Promise<Content | undefined> {
    return openObject(this.s3, this.bucket, key);
  }

  /** Deletes objects; those that are gone already are no error. */
  async remove(keys: readonly string[]): Promise<void> {
    for (let start = 0; start < keys.length; start += DELETE_BATCH) {
      const batch = keys.slice(start, start + DELETE_BATCH);
      const reply = await this.s3.send(
        new DeleteObjectsCommand({
          Bucket: this.bucket,
          Delete: { Objects: batch.map((Key) => ({ Key })), Quiet: true },
        }),
      );
      const failed = reply.Errors?.[0];
      if (failed) {
        throw new Error(`Deleting ${failed.Key} from bucket ${this.bucket} failed: ${failed.Code} ${failed.Message}.`);
      }
      for (const key of batch) {
        this.cache.delete(key);
      }
    }
  }

  private remember(key: string, code: string): void {
    this.cache.set(key, code);
    const oldest = this.cache.keys().next().value;
    if (this.cache.size > CACHED_ZIPS && oldest !== undefined) {
      this.cache.delete(oldest);
    }
  }
}
