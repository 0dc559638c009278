/** Buckets that say how they are encrypted. */
import { blocks } from "../json";
import type { Rule } from "../rule";

const ALGORITHMS = ["AES256", "aws:kms", "aws:kms:dsse"];

export const s3BucketsAreEncrypted: Rule = {
  id: "s3-buckets-are-encrypted",
  title: "Every bucket names the encryption of its objects.",
  reason: "Encryption that nobody wrote down is whatever the account's default is on that day.",
  remedy:
    "Make the bucket with constructs/private-bucket.ts, or add an aws_s3_bucket_server_side_encryption_configuration.",
  types: ["aws_s3_bucket"],
  check: (bucket) => {
    const [encryption] = bucket.companions("aws_s3_bucket_server_side_encryption_configuration", "bucket");
    const [rule] = blocks(encryption?.body.rule);
    const [byDefault] = blocks(rule?.apply_server_side_encryption_by_default);
    return ALGORITHMS.includes(String(byDefault?.sse_algorithm))
      ? undefined
      : "no encryption configuration refers to the bucket";
  },
};
