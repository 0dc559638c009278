/** Objects of a bucket, to be read once. */
import type { Readable } from "node:stream";
import { GetObjectCommand, NoSuchKey, type S3Client } from "@aws-sdk/client-s3";

/** An object to read. */
export interface Content {
  readonly stream: Readable;
  readonly bytes: number;
}

/** Opens an object; undefined where there is none. */
export async function openObject(s3: S3Client, bucket: string, key: string): Promise<Content | undefined> {
  try {
    const reply = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    // In Node the SDK's body is always a Readable; its type covers browsers too.
    return { stream: reply.Body as Readable, bytes: reply.ContentLength ?? 0 };
  } catch (error) {
    if (error instanceof NoSuchKey) {
      return undefined;
    }
    throw error;
  }
}
