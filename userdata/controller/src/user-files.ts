/** The user-data bucket: files that functions left in /output. See docs/protocol.md. */
import type { S3Client } from "@aws-sdk/client-s3";
import { type Content, openObject } from "./objects";

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
    return openObject(this.s3, this.bucket, key);
  }
}
