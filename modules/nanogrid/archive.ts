/** The archive of finished code in Google Cloud, and the way in for workers without a key. */
import { SecretsmanagerSecretVersion } from "@cdktf/provider-aws/lib/secretsmanager-secret-version";
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { StorageBucketIamMember } from "@cdktf/provider-google/lib/storage-bucket-iam-member";
import type { Construct } from "constructs";
import { ArchiveBucket } from "../../constructs/archive-bucket";
import { exception } from "../../constructs/exception";
import { FederatedWriter } from "../../constructs/federated-writer";
import { contract } from "../platform/contract";
import { PlatformStack } from "../platform/platform-stack";
import type { Settings } from "../platform/settings";
import { data } from "./data";
import { WORKER_ROLE } from "./names";

/** The bindings pin 6.50.0; everything used here is unchanged up to 8.x. */
const GOOGLE_PROVIDER_VERSION = ">= 6.50, < 9";

export const archive = contract("nanogrid-archive", {
  bucket: "Google Cloud Storage bucket of the archive",
});

export class NanogridArchive extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, archive.stack, settings);
    new GoogleProvider(this, "google", {
      project: settings.google.project,
      region: settings.google.region,
      defaultLabels: this.labels,
    });
    this.addOverride("terraform.required_providers.google.version", GOOGLE_PROVIDER_VERSION);

    const { bucketSuffix, nearlineAfterDays, coldlineAfterDays, archiveAfterDays } = settings.nanogrid.archive;
    const bucket = new ArchiveBucket(this, "bucket", {
      name: bucketSuffix ? `nanogird_gcp_bucket-${bucketSuffix}` : "nanogird_gcp_bucket",
      location: settings.google.region.toUpperCase(),
      nearlineAfterDays,
      coldlineAfterDays,
      archiveAfterDays,
      protect: settings.protectData,
    });
    const writer = new FederatedWriter(this, "workers", {
      name: "nanogrid",
      description: "NanoGrid workers: create objects in the archive",
      awsAccountId: settings.accountId,
      awsRoleName: WORKER_ROLE,
    });
    new StorageBucketIamMember(this, "workers-create-objects", {
      bucket: bucket.name,
      role: "roles/storage.objectCreator",
      member: writer.member,
    });
    const { gcpCredentialsSecretArn } = this.read(data);
    const credentials = new SecretsmanagerSecretVersion(this, "gcp-credentials", {
      secretId: gcpCredentialsSecretArn,
      secretString: writer.credentialConfiguration,
    });
    exception(credentials, "no-secrets-in-state", "It says where to get tokens, and holds no key and no password.");
    this.publish(archive, { bucket: bucket.name });
  }

  /** The stack's tags as Google labels: lower case, and only letters, digits, hyphens and underscores. */
  private get labels(): Record<string, string> {
    const entries = Object.entries(this.tags).map(([key, value]) => [
      key,
      value.toLowerCase().replace(/[^a-z0-9_-]/g, "-"),
    ]);
    return Object.fromEntries(entries);
  }
}
