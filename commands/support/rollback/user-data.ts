/** What a launch template's user data says of the program that its instances run. */
import { gunzipSync } from "node:zlib";

/** The first bytes of everything that gzip wrote. */
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);
const ARTIFACT = /s3:\/\/([a-z0-9.-]+)\/(programs\/([a-z0-9-]+)\/([0-9a-f]{64})\.zip)/;
const IMAGE = /\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?\/([a-z0-9._/-]+)@(sha256:[0-9a-f]{64})/g;

/** A program's artifact in the bucket of artifacts. */
export interface ArtifactObject {
  readonly bucket: string;
  readonly key: string;
  readonly program: string;
  /** SHA-256 of its bytes, in hex. */
  readonly sha256: string;
}

/** A container image by its digest. */
export interface ImageDigest {
  readonly repository: string;
  readonly digest: string;
}

/**
 * The text of user data.
 *
 * @param base64 as EC2 keeps it, gzipped or not
 */
export function userDataText(base64: string): string {
  const bytes = Buffer.from(base64, "base64");
  return (bytes.subarray(0, 2).equals(GZIP_MAGIC) ? gunzipSync(bytes) : bytes).toString("utf8");
}

/** The artifact that instances fetch, or undefined where they run no program of ours. */
export function artifactIn(text: string): ArtifactObject | undefined {
  const [, bucket, key, program, sha256] = ARTIFACT.exec(text) ?? [];
  return bucket && key && program && sha256 ? { bucket, key, program, sha256 } : undefined;
}

/** The images that instances pull by digest, each once. */
export function imagesIn(text: string): ImageDigest[] {
  const found = [...text.matchAll(IMAGE)].map(([, repository = "", digest = ""]) => ({ repository, digest }));
  return [...new Map(found.map((image) => [`${image.repository}@${image.digest}`, image])).values()];
}

/** Lines of the second text that the first has not, and the other way round. */
export function changedLines(before: string, after: string): { readonly gone: string[]; readonly come: string[] } {
  const [old, now] = [before, after].map((text) => new Set(text.split("\n").map((line) => line.trim())));
  return {
    gone: [...(old ?? [])].filter((line) => !now?.has(line)),
    come: [...(now ?? [])].filter((line) => !old?.has(line)),
  };
}
