/** A Google Cloud Storage bucket that is written once, seldom read, and never public. */
import { StorageBucket } from "@cdktf/provider-google/lib/storage-bucket";
import { Construct } from "constructs";
import { exception } from "./exception";

export interface ArchiveBucketProps {
  /** Physical name, global in Cloud Storage. */
  readonly name: string;
  /** Location, such as `ASIA-NORTHEAST3`. */
  readonly location: string;
  /** Age in days at which an object moves to each colder class. */
  readonly nearlineAfterDays: number;
  readonly coldlineAfterDays: number;
  readonly archiveAfterDays: number;
  /** Protects the bucket from destruction; otherwise Terraform empties it when it destroys it. @default true */
  readonly protect?: boolean;
}

/** A versioned bucket with uniform access and public access prevented. */
export class ArchiveBucket extends Construct {
  /** Name of the bucket. */
  readonly name: string;

  constructor(scope: Construct, id: string, props: ArchiveBucketProps) {
    super(scope, id);
    const protect = props.protect ?? true;
    const coldness = [
      ["NEARLINE", props.nearlineAfterDays],
      ["COLDLINE", props.coldlineAfterDays],
      ["ARCHIVE", props.archiveAfterDays],
    ] as const;
    const bucket = new StorageBucket(this, "Resource", {
      name: props.name,
      location: props.location,
      uniformBucketLevelAccess: true,
      publicAccessPrevention: "enforced",
      versioning: { enabled: true },
      forceDestroy: !protect,
      lifecycleRule: coldness.map(([storageClass, age]) => ({
        action: { type: "SetStorageClass", storageClass },
        condition: { age },
      })),
      lifecycle: { preventDestroy: protect },
    });
    const logs =
      "One service account may only create objects; Google's Data Access audit logs, a project's setting, say who read.";
    exception(bucket, "CKV_GCP_62", logs);
    exception(bucket, "CKV_GCP_63", logs);
    this.name = bucket.name;
  }
}
