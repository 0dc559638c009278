/** An S3 bucket that is private, encrypted and reachable over TLS only. */
import { S3Bucket } from "@cdktf/provider-aws/lib/s3-bucket";
import { S3BucketCorsConfiguration } from "@cdktf/provider-aws/lib/s3-bucket-cors-configuration";
import { S3BucketLifecycleConfiguration } from "@cdktf/provider-aws/lib/s3-bucket-lifecycle-configuration";
import { S3BucketOwnershipControls } from "@cdktf/provider-aws/lib/s3-bucket-ownership-controls";
import { S3BucketPolicy } from "@cdktf/provider-aws/lib/s3-bucket-policy";
import { S3BucketPublicAccessBlock } from "@cdktf/provider-aws/lib/s3-bucket-public-access-block";
import { S3BucketServerSideEncryptionConfigurationA } from "@cdktf/provider-aws/lib/s3-bucket-server-side-encryption-configuration";
import { S3BucketVersioningA } from "@cdktf/provider-aws/lib/s3-bucket-versioning";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { exception } from "./exception";
import { policyDocument } from "./role";

export interface PrivateBucketProps {
  /** Physical name, global in S3. */
  readonly name: string;
  /** Whether replaced and deleted objects are kept as versions. @default false */
  readonly versioned?: boolean;
  /** Days that versions are kept once they are not current. @default 90 */
  readonly noncurrentVersionDays?: number;
  /** Days after which objects are deleted. @default - never */
  readonly expireAfterDays?: number;
  /** Protects the bucket from destruction; otherwise Terraform empties it when it destroys it. @default true */
  readonly protect?: boolean;
  /** A service that may write objects: its principal and the prefix of their keys. @default - none */
  readonly writer?: { readonly service: string; readonly prefix: string };
  /** Pages that may use presigned URLs of it from a browser: their origins, and the HTTP methods. @default - none */
  readonly browsers?: { readonly origins: readonly string[]; readonly methods: readonly ("GET" | "PUT" | "POST")[] };
}

/** How long a browser remembers that a page may, in seconds. */
const PREFLIGHT_SECONDS = 3_000;

/** A bucket with SSE-S3, no public access, no ACLs, a TLS-only policy, and unfinished uploads cleared after a week. */
export class PrivateBucket extends Construct {
  /** Name of the bucket. */
  readonly name: string;
  /** ARN of the bucket. */
  readonly arn: string;
  /** The bucket's policy: whoever checks at creation that it may write depends on it. */
  readonly policy: ITerraformDependable;

  constructor(scope: Construct, id: string, props: PrivateBucketProps) {
    super(scope, id);
    const protect = props.protect ?? true;
    const bucket = new S3Bucket(this, "Resource", {
      bucket: props.name,
      forceDestroy: !protect,
      lifecycle: { preventDestroy: protect },
    });
    acceptFindings(bucket, props);
    this.name = bucket.bucket;
    this.arn = bucket.arn;
    this.policy = this.createAccessRules(bucket, props.writer);
    this.createDataRules(bucket, props);
    if (props.browsers) {
      const { origins, methods } = props.browsers;
      new S3BucketCorsConfiguration(this, "cors", {
        bucket: bucket.id,
        corsRule: [
          {
            allowedOrigins: [...origins],
            allowedMethods: [...methods],
            allowedHeaders: ["*"],
            exposeHeaders: ["ETag"],
            maxAgeSeconds: PREFLIGHT_SECONDS,
          },
        ],
      });
    }
  }

  private createAccessRules(bucket: S3Bucket, writer: PrivateBucketProps["writer"]): S3BucketPolicy {
    const access = new S3BucketPublicAccessBlock(this, "public-access-block", {
      bucket: bucket.id,
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    });
    new S3BucketOwnershipControls(this, "ownership", {
      bucket: bucket.id,
      rule: { objectOwnership: "BucketOwnerEnforced" },
    });
    return new S3BucketPolicy(this, "policy", {
      bucket: bucket.id,
      // S3 refuses two concurrent changes of one bucket's access settings.
      dependsOn: [access],
      policy: policyDocument([
        {
          Sid: "TlsOnly",
          Effect: "Deny",
          Principal: "*",
          Action: "s3:*",
          Resource: [bucket.arn, `${bucket.arn}/*`],
          Condition: { Bool: { "aws:SecureTransport": "false" } },
        },
        ...(writer
          ? [
              {
                Sid: "ServiceWrites",
                Effect: "Allow",
                Principal: { Service: writer.service },
                Action: "s3:PutObject",
                Resource: `${bucket.arn}/${writer.prefix}*`,
              },
            ]
          : []),
      ]),
    });
  }

  private createDataRules(bucket: S3Bucket, props: PrivateBucketProps): void {
    new S3BucketServerSideEncryptionConfigurationA(this, "encryption", {
      bucket: bucket.id,
      rule: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }],
    });
    const versioning = props.versioned
      ? [
          new S3BucketVersioningA(this, "versioning", {
            bucket: bucket.id,
            versioningConfiguration: { status: "Enabled" },
          }),
        ]
      : [];
    new S3BucketLifecycleConfiguration(this, "lifecycle", {
      bucket: bucket.id,
      dependsOn: versioning,
      rule: [
        {
          id: "abort-unfinished-uploads",
          status: "Enabled",
          filter: [{ prefix: "" }],
          abortIncompleteMultipartUpload: [{ daysAfterInitiation: 7 }],
        },
        ...(props.versioned
          ? [
              {
                id: "expire-old-versions",
                status: "Enabled",
                filter: [{ prefix: "" }],
                noncurrentVersionExpiration: [{ noncurrentDays: props.noncurrentVersionDays ?? 90 }],
              },
            ]
          : []),
        ...(props.expireAfterDays
          ? [
              {
                id: "expire-objects",
                status: "Enabled",
                filter: [{ prefix: "" }],
                expiration: [{ days: props.expireAfterDays }],
              },
            ]
          : []),
      ],
    });
  }
}

function acceptFindings(bucket: S3Bucket, { versioned }: PrivateBucketProps): void {
  exception(
    bucket,
    "CKV_AWS_18",
    "Only roles of this account get in; CloudTrail's data events, an account's setting, say who read what.",
  );
  exception(bucket, "CKV_AWS_144", "A second region doubles the price of data that its versions already bring back.");
  exception(bucket, "CKV_AWS_145", "SSE-S3 encrypts every object; a key of our own would be one more thing to lose.");
  exception(bucket, "CKV2_AWS_62", "Nothing waits for an object to come: programs hear of it from whoever wrote it.");
  if (!versioned) {
    exception(bucket, "CKV_AWS_21", "What is in it is written once, replaced by nobody, and ends by itself.");
  }
}
