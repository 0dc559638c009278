/** A function's code as files, and as the zip that the API takes. */
import { strToU8, unzipSync, type Zippable, zipSync } from "fflate";

/** Paths of files, with `/`, and their bytes. */
export type CodeFiles = Readonly<Record<string, Uint8Array>>;

/** The earliest time that a zip can hold, so that the same files are the same zip on every machine. */
const EPOCH = new Date(1980, 0, 1);
const UNIX = 3;

/**
 * Zips files: sorted, with fixed times.
 * @param executables paths that keep their executable bit
 */
export function packCode(files: CodeFiles, executables: ReadonlySet<string> = new Set()): Uint8Array<ArrayBuffer> {
  const entries: Zippable = {};
  for (const path of Object.keys(files).sort()) {
    const attrs = ((executables.has(path) ? 0o100755 : 0o100644) << 16) >>> 0;
    entries[path] = [files[path] ?? new Uint8Array(), { mtime: EPOCH, os: UNIX, attrs, level: 9 }];
  }
  return zipSync(entries) as Uint8Array<ArrayBuffer>;
}

/** The files of a zip; folders are left out. */
export function unpackCode(zip: Uint8Array): CodeFiles {
  return Object.fromEntries(Object.entries(unzipSync(zip)).filter(([path]) => !path.endsWith("/")));
}

/** The text of a file; undefined of one that is not UTF-8 text. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

/** A text as a file's bytes. */
export const bytesOf = (text: string): Uint8Array => strToU8(text);
