/** Sources of a container image, laid out as a build context: the tag is the hash of all of them. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type ArtifactFile, filesBelow, hashOf } from "./artifact";

/** Where build contexts wait for the next deployment. */
const CACHE = join("node_modules", ".cache", "images");
const TAG_DIGITS = 16;

/** A container image that can be built. */
export interface ImageSource {
  /** Folder of the build context, relative to the project. Its name holds the tag. */
  readonly context: string;
  /** Path of the Dockerfile in the context. */
  readonly dockerfile: string;
  /** 16 hex digits of the SHA-256 over the context's files. */
  readonly tag: string;
}

/**
 * Lays out a build context, once for each tag.
 *
 * @param name what the folder's name begins with
 * @param files all files of the context, the Dockerfile among them
 */
export function imageSource(name: string, files: readonly ArtifactFile[]): ImageSource {
  const tag = imageTag(files);
  return { context: contextFolder(name, files, tag), dockerfile: "Dockerfile", tag };
}

/** The tag of an image that is built from these files. */
export function imageTag(files: readonly ArtifactFile[]): string {
  return hashOf(files).slice(0, TAG_DIGITS);
}

/**
 * The files of one part of an image's sources, under the part's name: nothing hidden, and nothing that Python or a package manager leaves.
 *
 * @param folder folder of the image
 * @param part folder below it
 * @param keep which of the part's files belong to the image; default: all
 */
export function sourcesBelow(
  folder: string,
  part: string,
  keep: (path: string) => boolean = () => true,
): ArtifactFile[] {
  return filesBelow(join(folder, part), (path) => isShipped(path) && keep(path)).map((file) => ({
    ...file,
    path: `${part}/${file.path}`,
  }));
}

/** Whether a file belongs into an image: nothing that Python or a package manager leaves behind, and nothing hidden. */
export function isShipped(path: string): boolean {
  return !/__pycache__|(^|\/)\.|\.egg-info/.test(path);
}

/** Writes the context once for a tag: beside its place and then moved, so that two synths never see half of it. */
function contextFolder(name: string, files: readonly ArtifactFile[], tag: string): string {
  const folder = join(CACHE, `${name}-${tag}`);
  if (existsSync(folder)) {
    return folder;
  }
  mkdirSync(CACHE, { recursive: true });
  const unfinished = mkdtempSync(join(CACHE, `${name}-`));
  for (const { path, content, executable } of files) {
    const file = join(unfinished, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content, { mode: executable ? 0o755 : 0o644 });
  }
  try {
    renameSync(unfinished, folder);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(folder)) {
      throw error;
    }
  }
  return folder;
}
