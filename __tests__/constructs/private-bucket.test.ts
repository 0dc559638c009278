import { S3BucketOwnershipControls } from "@cdktf/provider-aws/lib/s3-bucket-ownership-controls";
import { S3BucketPublicAccessBlock } from "@cdktf/provider-aws/lib/s3-bucket-public-access-block";
import { S3BucketServerSideEncryptionConfigurationA } from "@cdktf/provider-aws/lib/s3-bucket-server-side-encryption-configuration";
import { S3BucketVersioningA } from "@cdktf/provider-aws/lib/s3-bucket-versioning";
import { PrivateBucket, type PrivateBucketProps } from "../../constructs/private-bucket";
import { constructed } from "../support/constructed";
import { statementsOf } from "../support/expression";

function bucket(props: Partial<PrivateBucketProps> = {}) {
  return constructed((scope) => {
    new PrivateBucket(scope, "code", { name: "code", ...props });
  });
}

function rules(props: Partial<PrivateBucketProps> = {}) {
  return bucket(props).resource("aws_s3_bucket_lifecycle_configuration").rule;
}

const ABORT = {
  id: "abort-unfinished-uploads",
  status: "Enabled",
  filter: [{ prefix: "" }],
  abort_incomplete_multipart_upload: [{ days_after_initiation: 7 }],
};

describe("PrivateBucket", () => {
  const plain = bucket();
  const id = plain.reference("aws_s3_bucket", undefined, "id");
  const arn = plain.reference("aws_s3_bucket", undefined, "arn");

  test("no page of a browser may use it, until its origin and methods are named", () => {
    expect(plain.resources("aws_s3_bucket_cors_configuration")).toEqual([]);
    const browsers = { origins: ["https://acme.example"], methods: ["PUT", "POST"] } as const;
    expect(bucket({ browsers }).resource("aws_s3_bucket_cors_configuration").cors_rule).toEqual([
      expect.objectContaining({ allowed_origins: ["https://acme.example"], allowed_methods: ["PUT", "POST"] }),
    ]);
  });

  test("no kind of public access is possible, and no ACL", () => {
    expect(plain.text).toHaveResourceWithProperties(S3BucketPublicAccessBlock, {
      bucket: id,
      block_public_acls: true,
      block_public_policy: true,
      ignore_public_acls: true,
      restrict_public_buckets: true,
    });
    expect(plain.text).toHaveResourceWithProperties(S3BucketOwnershipControls, {
      bucket: id,
      rule: { object_ownership: "BucketOwnerEnforced" },
    });
    expect(plain.resources("aws_s3_bucket_acl")).toEqual([]);
  });

  test("is encrypted", () => {
    expect(plain.text).toHaveResourceWithProperties(S3BucketServerSideEncryptionConfigurationA, {
      bucket: id,
      rule: [{ apply_server_side_encryption_by_default: { sse_algorithm: "AES256" } }],
    });
  });

  test("refuses everybody without TLS and allows nobody by itself", async () => {
    expect(await statementsOf(plain.resource("aws_s3_bucket_policy").policy)).toEqual([
      {
        sid: "TlsOnly",
        effect: "Deny",
        principal: "*",
        actions: ["s3:*"],
        resources: [arn, arn.replace("}", "}/*")],
        condition: { Bool: { "aws:SecureTransport": "false" } },
      },
    ]);
  });

  test("the policy waits for the public access block, since S3 refuses both at once", () => {
    expect(plain.resource("aws_s3_bucket_policy").depends_on).toEqual([
      plain.one("aws_s3_bucket_public_access_block").address,
    ]);
  });

  test("a service may be let in to write below a prefix", async () => {
    const written = bucket({ writer: { service: "logs.example.com", prefix: "in/" } });
    expect(await statementsOf(written.resource("aws_s3_bucket_policy").policy)).toContainEqual({
      sid: "ServiceWrites",
      effect: "Allow",
      principal: { Service: "logs.example.com" },
      actions: ["s3:PutObject"],
      resources: [arn.replace("}", "}/in/*")],
    });
  });

  test("keeps no versions and deletes nothing unless asked", () => {
    expect(plain.resources("aws_s3_bucket_versioning")).toEqual([]);
    expect(rules()).toEqual([ABORT]);
  });

  test("versions are kept for a while after they are replaced", () => {
    expect(bucket({ versioned: true }).text).toHaveResourceWithProperties(S3BucketVersioningA, {
      bucket: id,
      versioning_configuration: { status: "Enabled" },
    });
    const old = (days: number) => ({
      id: "expire-old-versions",
      status: "Enabled",
      filter: [{ prefix: "" }],
      noncurrent_version_expiration: [{ noncurrent_days: days }],
    });
    expect(rules({ versioned: true })).toEqual([ABORT, old(90)]);
    expect(rules({ versioned: true, noncurrentVersionDays: 365 })).toEqual([ABORT, old(365)]);
  });

  test("the rules for versions wait for versioning", () => {
    const versioned = bucket({ versioned: true });
    expect(versioned.resource("aws_s3_bucket_lifecycle_configuration").depends_on).toEqual([
      versioned.one("aws_s3_bucket_versioning").address,
    ]);
  });

  test("objects expire when asked to", () => {
    expect(rules({ expireAfterDays: 90 })).toEqual([
      ABORT,
      { id: "expire-objects", status: "Enabled", filter: [{ prefix: "" }], expiration: [{ days: 90 }] },
    ]);
  });

  test.each([
    ["protected and never emptied unless told otherwise", undefined, true],
    ["emptied when it is destroyed where it is not protected", false, false],
  ])("is %s", (_, protect, expected) => {
    expect(bucket({ protect }).resource("aws_s3_bucket")).toMatchObject({
      bucket: "code",
      force_destroy: !expected,
      lifecycle: { prevent_destroy: expected },
    });
  });
});
