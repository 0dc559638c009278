/** What the presign function may do. A presigned URL can do what its signer may, so that these statements bound every URL too. */
import type { Statement } from "../../constructs/role";

/** ARNs of what the function uses. */
export interface PresignResources {
  /** Bucket that images are uploaded to. */
  readonly inBucketArn: string;
  /** Bucket that results are downloaded from. */
  readonly outBucketArn: string;
}

/** The ends of an image's key; `keys.ts` lets no other through. */
const IMAGES = ["*.tif", "*.tiff", "*.png", "*.TIF", "*.TIFF", "*.PNG"] as const;

/** The statements of the function's role; the records of requests, `.requests/*.json` in the out-bucket, are not among them. */
export function presignStatements({ inBucketArn, outBucketArn }: PresignResources): readonly Statement[] {
  return [
    {
      sid: "SignUploads",
      actions: ["s3:PutObject"],
      resources: IMAGES.map((image) => `${inBucketArn}/${image}`),
    },
    {
      // HeadObject, which tells whether there is a result, asks for the same.
      sid: "SignDownloads",
      actions: ["s3:GetObject"],
      resources: IMAGES.map((image) => `${outBucketArn}/${image}`),
    },
    {
      // Without it S3 answers 403 for a result that is not there, and the function could not answer 404.
      sid: "TellMissingFromForbidden",
      actions: ["s3:ListBucket"],
      resources: [outBucketArn],
    },
  ];
}
