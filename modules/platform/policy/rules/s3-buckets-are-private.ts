/** Buckets without a way in for the public. */
import { isTrue } from "../json";
import type { Rule } from "../rule";

const BLOCKS = ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"];

export const s3BucketsArePrivate: Rule = {
  id: "s3-buckets-are-private",
  title: "Every bucket has a public access block with all four switches on.",
  reason: "One wrong policy or ACL would show the bucket to everyone.",
  remedy: "Make the bucket with constructs/private-bucket.ts, or give it an aws_s3_bucket_public_access_block.",
  types: ["aws_s3_bucket"],
  check: (bucket) => {
    const [access] = bucket.companions("aws_s3_bucket_public_access_block", "bucket");
    if (access === undefined) {
      return "no public access block refers to the bucket";
    }
    const off = BLOCKS.filter((name) => !isTrue(access.resolved(access.body[name])));
    return off.length === 0 ? undefined : `${access.address} leaves ${off.join(", ")} off`;
  },
};
