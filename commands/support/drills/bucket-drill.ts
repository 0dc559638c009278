/** An object of the drill's own, overwritten, deleted and brought back by versions: what would be done for a real one. */
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { Problem } from "../problem";
import type { Drill } from "./drill";

const FIRST = "what the drill wrote first";
const SECOND = "what the drill wrote over it";

/** What came of it. */
export interface BucketDrillResult {
  readonly bucket: string;
  readonly key: string;
  /** Versions and delete markers that the drill made, and removed. */
  readonly versions: number;
}

/** @throws Problem when the bucket keeps no versions, or does not give them back */
export async function drillBucket(drill: Drill, s3: S3Client, bucket: string): Promise<BucketDrillResult> {
  const Key = drill.own(`${drill.mark}/object.txt`);
  await drill.step(`${bucket}: keeps versions`, () => checkVersioning(s3, bucket));
  let versions = 0;
  try {
    const first = await drill.step("an object written, overwritten and deleted", async () => {
      const { VersionId } = await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: FIRST }));
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: SECOND }));
      await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
      await expectContent(s3, bucket, Key, undefined);
      return VersionId;
    });
    await drill.step("brought back by removing its delete marker", async () => {
      const { DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: Key }));
      const marker = DeleteMarkers.find(({ IsLatest }) => IsLatest);
      await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key, VersionId: marker?.VersionId }));
      await expectContent(s3, bucket, Key, SECOND);
    });
    await drill.step("brought back to the version before", async () => {
      const CopySource = `${bucket}/${Key}?versionId=${encodeURIComponent(first ?? "")}`;
      await s3.send(new CopyObjectCommand({ Bucket: bucket, Key, CopySource }));
      await expectContent(s3, bucket, Key, FIRST);
    });
  } finally {
    await drill.cleanUp("everything that the drill wrote deleted, versions included", async () => {
      versions = await removeAll(drill, s3, bucket, Key);
    });
  }
  return { bucket, key: Key, versions };
}

async function checkVersioning(s3: S3Client, bucket: string): Promise<void> {
  const status = await s3.send(new GetBucketVersioningCommand({ Bucket: bucket })).then(
    ({ Status }) => Status,
    (error: Error) => {
      throw error.name === "NoSuchBucket"
        ? new Problem(`There is no bucket ${bucket}.`, "Name another, or deploy its stack.")
        : error;
    },
  );
  if (status !== "Enabled") {
    throw new Problem(
      `${bucket} keeps no versions (versioning is ${status ?? "off"}): what is deleted there is gone.`,
      "constructs/private-bucket.ts switches it on with `versioned: true`.",
    );
  }
}

async function expectContent(s3: S3Client, bucket: string, key: string, wanted: string | undefined): Promise<void> {
  const actual = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key })).then(
    async ({ Body }) => await Body?.transformToString(),
    (error: Error) => {
      if (error.name !== "NoSuchKey") {
        throw error;
      }
      return undefined;
    },
  );
  if (actual !== wanted) {
    throw new Problem(
      `s3://${bucket}/${key} holds ${JSON.stringify(actual) ?? "nothing"} instead of ${JSON.stringify(wanted) ?? "nothing"}.`,
      "The bucket's versions do not give back what was there: look at its lifecycle rules and its replication.",
    );
  }
}

/** @returns how many versions and delete markers there were */
async function removeAll(drill: Drill, s3: S3Client, bucket: string, key: string): Promise<number> {
  const list = async () => {
    const { Versions = [], DeleteMarkers = [] } = await s3.send(
      new ListObjectVersionsCommand({ Bucket: bucket, Prefix: drill.own(key) }),
    );
    return [...Versions, ...DeleteMarkers].map(({ VersionId }) => ({
      Key: drill.own(key),
      ...(VersionId ? { VersionId } : {}),
    }));
  };
  const all = await list();
  if (all.length > 0) {
    await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: all, Quiet: true } }));
  }
  const left = await list();
  if (left.length > 0) {
    throw new Problem(
      `${left.length} versions of s3://${bucket}/${key} could not be deleted.`,
      "The identity needs s3:DeleteObjectVersion; then delete them in the console.",
    );
  }
  return all.length;
}
