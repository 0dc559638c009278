/** Signs uploads to the in-bucket and downloads from the out-bucket. */
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import type { ImageKey } from "./keys";
import { internal, notFound, unavailable } from "./problem";
import type { Settings } from "./settings";

const ATTEMPTS = 3;
/** Limits of the one call that leaves the function, HeadObject, in milliseconds. */
const CONNECT_MS = 1_000;
const ANSWER_MS = 2_000;

/** How to upload. Whoever can, uses `post`: only there S3 itself bounds the size. */
export interface Upload {
  readonly key: string;
  readonly method: "PUT";
  /** Presigned PUT. It binds key and content type; S3 has no way to bind its size, so that the service looks at it before it downloads. */
  readonly url: string;
  /** Headers that the PUT must have, as they were signed. */
  readonly headers: Readonly<Record<string, string>>;
  readonly expiresInSeconds: number;
  /** Presigned POST: its policy binds key, content type and size. The file goes last, in a field `file`. */
  readonly post: { readonly url: string; readonly fields: Readonly<Record<string, string>> };
}

/** How to download. */
export interface Download {
  readonly key: string;
  readonly method: "GET";
  readonly url: string;
  readonly expiresInSeconds: number;
}

/** A signer, with one client for as long as it lives. */
export class Signer {
  private readonly s3: S3Client;

  constructor(private readonly settings: Settings) {
    this.s3 = new S3Client({
      region: settings.region,
      endpoint: settings.endpoint,
      forcePathStyle: settings.endpoint !== undefined,
      maxAttempts: ATTEMPTS,
      // The checksum of the empty body that is signed here would be asked of every upload.
      requestChecksumCalculation: "WHEN_REQUIRED",
      requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: ANSWER_MS, throwOnRequestTimeout: true },
    });
  }

  /** Signs an upload to the in-bucket. */
  async upload({ key, contentType }: ImageKey): Promise<Upload> {
    const { inBucket, maxUploadBytes, urlSeconds } = this.settings;
    const put = new PutObjectCommand({ Bucket: inBucket, Key: key, ContentType: contentType });
    const [url, post] = await Promise.all([
      getSignedUrl(this.s3, put, { expiresIn: urlSeconds, signableHeaders: new Set(["content-type"]) }),
      createPresignedPost(this.s3, {
        Bucket: inBucket,
        Key: key,
        Expires: urlSeconds,
        Fields: { "Content-Type": contentType },
        Conditions: [["content-length-range", 1, maxUploadBytes]],
      }),
    ]);
    const headers = { "content-type": contentType };
    return { key, method: "PUT", url, headers, expiresInSeconds: urlSeconds, post };
  }

  /**
   * Signs a download from the out-bucket.
   *
   * @throws Problem 404 when there is no such result, 503 when S3 does not say
   */
  async download({ key }: ImageKey): Promise<Download> {
    const { outBucket, urlSeconds } = this.settings;
    const object = { Bucket: outBucket, Key: key };
    await this.s3.send(new HeadObjectCommand(object)).catch((error: unknown) => {
      throw problemOf(error, key);
    });
    const name = encodeURIComponent(key.split("/").at(-1) ?? key).replace(/['()*]/g, percent);
    const get = new GetObjectCommand({ ...object, ResponseContentDisposition: `attachment; filename*=UTF-8''${name}` });
    const url = await getSignedUrl(this.s3, get, { expiresIn: urlSeconds });
    return { key, method: "GET", url, expiresInSeconds: urlSeconds };
  }
}

/** What RFC 8187 wants encoded besides. */
function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

function problemOf(error: unknown, key: string): Error {
  const { name, $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  if (name === "NotFound" || status === 404) {
    return notFound(key);
  }
  // Without a status nothing answered; 429 and 5xx are S3's own trouble, its retries spent.
  return status === undefined || status === 429 || status >= 500 ? unavailable(error) : internal(error);
}
