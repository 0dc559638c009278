/** What the task of the Denoise service may do: read images, write results and records, and publish its metrics. */
import type { Statement } from "../../constructs/role";

/** What the task uses. */
export interface DenoiseTaskArns {
  /** ARN of the bucket that noisy images come from. */
  readonly inBucketArn: string;
  /** ARN of the bucket that clean images and the records of requests go to. */
  readonly outBucketArn: string;
  /** CloudWatch namespace of the metrics sidecar, as in DDN_METRICS_NAMESPACE. */
  readonly namespace: string;
}

/** Where the service keeps its records of requests in the out-bucket. */
export const RECORDS_PREFIX = ".requests/";

/** CloudWatch namespace of the metrics sidecar where no other is set. */
export const METRICS_NAMESPACE = "Denoise";

/**
 * Statements of the task role. Pulling the image and writing logs belong to the execution role.
 *
 * @param arns exact ARNs of the buckets, and the namespace
 */
export function denoiseTaskStatements({ inBucketArn, outBucketArn, namespace }: DenoiseTaskArns): readonly Statement[] {
  return [
    {
      sid: "ReadNoisyImages",
      actions: ["s3:GetObject"],
      resources: [`${inBucketArn}/*`],
    },
    {
      // A multipart upload that fails is ended at once, so that its parts do not stay.
      sid: "WriteCleanImagesAndRecords",
      actions: ["s3:PutObject", "s3:AbortMultipartUpload"],
      resources: [`${outBucketArn}/*`],
    },
    {
      // Any task may be asked for a request that another one has.
      sid: "ReadRecords",
      actions: ["s3:GetObject"],
      resources: [`${outBucketArn}/${RECORDS_PREFIX}*`],
    },
    {
      // Without it S3 answers 403 for an object that is not there, and a mistyped key or id would look like our error.
      sid: "TellMissingFromForbidden",
      actions: ["s3:ListBucket"],
      resources: [inBucketArn, outBucketArn],
    },
    {
      sid: "PublishMetrics",
      actions: ["cloudwatch:PutMetricData"],
      resources: ["*"],
      conditions: [{ test: "StringEquals", variable: "cloudwatch:namespace", values: [namespace] }],
      wildcardReason: "PutMetricData knows no resources; the condition holds it to one namespace.",
    },
  ];
}
