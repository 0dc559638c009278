/** The user-data bucket: files that functions left in /output. See docs/protocol.md. */
import type { Readable } from "node:stream";
import { GetObjectCommand, NoSuchKey, type S3Client } from "@aws-sdk/client-s3";

/** An object to read. */
export interface Content {
  readonly stream: Readable;
  readonly bytes: number;
}

export class UserFiles {
  constructor(
    private readonly s3: S3Client,
    private readonly bucket: string,
  ) {}

  /** A file of a job; undefined where it is gone, or the key is not one of that job. */
  async open(tenant: string, jobId: string, key: string): Promise<Content | undefined> {
    if (!key.startsWith(`${tenant}/${jobId}/`)) {
      return undefined;
    }
    try {
      const reply = await this.s3.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }));
      // In Node the SDK's body is always a Readable; its type covers browsers too.
      return { stream: reply.Body as Readable, bytes: reply.ContentLength ?? 0 };
    } catch (error) {
      if (error instanceof NoSuchKey) {
        return undefined;
      }
      throw error;
    }
  }
}
