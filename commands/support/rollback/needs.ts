/**
 * What instances of an earlier version need besides their launch template. Terraform deletes an artifact once no launch template of its own
 * names it; the bucket keeps it as a version for 90 days. ECR expires old images.
 */
import { createHash } from "node:crypto";
import { DescribeImagesCommand, type ECRClient } from "@aws-sdk/client-ecr";
import {
  CopyObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  type ObjectVersion,
  type S3Client,
} from "@aws-sdk/client-s3";
import { Problem } from "../problem";
import type { ArtifactObject, ImageDigest } from "./user-data";

/** Where an artifact is: under its key, or behind a delete marker as a version. */
export type ArtifactState = { readonly kind: "there" } | { readonly kind: "deleted"; readonly versionId: string };

/**
 * Finds an artifact, and holds its bytes against its hash: instances would refuse it otherwise, and never start.
 *
 * @throws Problem when it is gone for good, or not what its name says
 */
export async function findArtifact(s3: S3Client, artifact: ArtifactObject): Promise<ArtifactState> {
  const { Versions = [], DeleteMarkers = [] } = await s3.send(
    new ListObjectVersionsCommand({ Bucket: artifact.bucket, Prefix: artifact.key }),
  );
  const own = Versions.filter(({ Key }) => Key === artifact.key);
  const isDeleted = DeleteMarkers.some(({ Key, IsLatest }) => Key === artifact.key && IsLatest);
  const version = isDeleted ? newest(own) : own.find(({ IsLatest }) => IsLatest);
  if (!version) {
    throw new Problem(
      `The artifact s3://${artifact.bucket}/${artifact.key} is gone: neither it nor a version of it is kept.`,
      "Build it from its commit instead: git revert, then apply. Versions are kept for 90 days.",
    );
  }
  await checkBytes(s3, artifact, version.VersionId);
  return isDeleted ? { kind: "deleted", versionId: version.VersionId ?? "" } : { kind: "there" };
}

/** Brings an artifact back under its key, as a copy of one of its versions: nothing is deleted. */
export async function restoreArtifact(s3: S3Client, { bucket, key }: ArtifactObject, versionId: string): Promise<void> {
  await s3.send(
    new CopyObjectCommand({
      Bucket: bucket,
      Key: key,
      CopySource: `${bucket}/${key.split("/").map(encodeURIComponent).join("/")}?versionId=${encodeURIComponent(versionId)}`,
    }),
  );
}

/** @throws Problem naming the images that ECR has no more */
export async function checkImages(ecr: ECRClient, images: readonly ImageDigest[]): Promise<void> {
  const missing: string[] = [];
  for (const { repository, digest } of images) {
    try {
      await ecr.send(new DescribeImagesCommand({ repositoryName: repository, imageIds: [{ imageDigest: digest }] }));
    } catch (error) {
      if (!/^(ImageNotFound|RepositoryNotFound)Exception$/.test((error as Error).name)) {
        throw error;
      }
      missing.push(`${repository}@${digest}`);
    }
  }
  if (missing.length > 0) {
    throw new Problem(
      `Instances of that version pull ${missing.join(" and ")}, which ECR has no more.`,
      "Check out the commit of that version and push its images (npm run runtime-images), or choose a later version.",
    );
  }
}

function newest(versions: readonly ObjectVersion[]): ObjectVersion | undefined {
  return [...versions].sort((a, b) => (b.LastModified?.getTime() ?? 0) - (a.LastModified?.getTime() ?? 0))[0];
}

async function checkBytes(s3: S3Client, { bucket, key, sha256 }: ArtifactObject, version?: string): Promise<void> {
  const { Body } = await s3.send(
    new GetObjectCommand({
      Bucket: bucket,
      Key: key,
      ...(version && version !== "null" ? { VersionId: version } : {}),
    }),
  );
  const actual = createHash("sha256")
    .update((await Body?.transformToByteArray()) ?? "")
    .digest("hex");
  if (actual !== sha256) {
    throw new Problem(
      `s3://${bucket}/${key} has the SHA-256 ${actual}, not the one in its name: instances would refuse it.`,
      "Somebody replaced it. Choose another version, or go back by code: git revert, then apply.",
    );
  }
}
