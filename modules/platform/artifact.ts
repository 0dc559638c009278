/** Builds programs into zips whose bytes depend on the sources alone. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { type Zippable, zipSync } from "fflate";

/** Where built artifacts wait for the next synth. */
const CACHE = join("node_modules", ".cache", "artifacts");
/** The earliest time that a zip can hold, so that no clock shows. */
const EPOCH = new Date(1980, 0, 1);
const UNIX = 3;

/** A built program. */
export interface Artifact {
  /** Name of the program. */
  readonly program: string;
  /** Path of the zip. */
  readonly file: string;
  /** SHA-256 of the zip, in hex. */
  readonly sha256: string;
}

/** A file of an artifact: its path in the zip, with `/`, and its bytes. */
export interface ArtifactFile {
  readonly path: string;
  readonly content: Uint8Array;
  /** @default false */
  readonly executable?: boolean;
}

/**
 * Packs a program, or takes the zip that the same inputs gave before.
 *
 * @param program name of the program
 * @param inputs all that the zip depends on: when none has changed, nothing is built
 * @param build what goes into the zip
 */
export function buildArtifact(
  program: string,
  inputs: readonly ArtifactFile[],
  build: () => readonly ArtifactFile[],
): Artifact {
  const record = join(CACHE, `${program}-${hashOf(inputs)}.sha256`);
  if (existsSync(record)) {
    const sha256 = readFileSync(record, "utf8");
    const file = zipFile(program, sha256);
    if (existsSync(file)) {
      return { program, file, sha256 };
    }
  }
  const zip = packFiles(build());
  const sha256 = createHash("sha256").update(zip).digest("hex");
  const file = zipFile(program, sha256);
  mkdirSync(CACHE, { recursive: true });
  writeWhole(file, zip);
  writeWhole(record, sha256);
  return { program, file, sha256 };
}

/** Zips files: sorted by path, with fixed times and modes, so that the same files give the same bytes on every machine. */
export function packFiles(files: readonly ArtifactFile[]): Uint8Array {
  const entries: Zippable = {};
  for (const { path, content, executable } of sorted(files)) {
    const attrs = ((executable ? 0o100755 : 0o100644) << 16) >>> 0;
    entries[path] = [content, { mtime: EPOCH, os: UNIX, attrs, level: 9 }];
  }
  return zipSync(entries);
}

/**
 * The files below a folder, for {@link buildArtifact}.
 *
 * @param folder where to look
 * @param keep whether a path, relative to the folder, belongs in
 */
export function filesBelow(folder: string, keep: (path: string) => boolean = () => true): ArtifactFile[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({ file, path: relative(folder, file).split(sep).join("/") }))
    .filter(({ path }) => keep(path))
    .map(({ file, path }) => ({
      path,
      content: readFileSync(file),
      executable: (statSync(file).mode & 0o100) !== 0,
    }));
}

/** SHA-256, in hex, over files' paths, bytes and executable bits: names what is built from them. */
export function hashOf(files: readonly ArtifactFile[]): string {
  const hash = createHash("sha256");
  for (const { path, content, executable = false } of sorted(files)) {
    hash.update(`${path}\0${content.length}\0${executable}\0`).update(content);
  }
  return hash.digest("hex");
}

function sorted(files: readonly ArtifactFile[]): ArtifactFile[] {
  return [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function zipFile(program: string, sha256: string): string {
  return join(CACHE, `${program}-${sha256}.zip`);
}

/** Writes beside the file and moves it into place, so that two synths at once never see half of it. */
function writeWhole(file: string, content: Uint8Array | string): void {
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, content);
  renameSync(unfinished, file);
}
