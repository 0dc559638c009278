/** Checks of an uploaded zip: what a worker would refuse or choke on is refused here, with a reason. */
import { type Entry, open, type ZipFile } from "yauzl";
import type { Runtime } from "./schemas";

/** Most bytes that a zip may unpack to. */
export const MAX_UNPACKED_BYTES = 250 * 1024 * 1024;
/** Most entries of a zip. */
export const MAX_ENTRIES = 10_000;
/** Most bytes of the file whose content is wanted. */
const KEPT_BYTES = 1024 * 1024;

const TYPE_MASK = 0o170_000;
const REGULAR = 0o100_000;
const FOLDER = 0o040_000;
const STORED = 0;
const DEFLATED = 8;

/** A zip that is not taken, with the reason as one sentence. */
export class ZipRefused extends Error {
  override readonly name = "ZipRefused";
}

/** What a zip holds. */
export interface ZipContent {
  /** Names of its regular files. */
  readonly files: ReadonlySet<string>;
  /** The file that was asked for; undefined when it is not there. */
  readonly kept: Buffer | undefined;
}

/** How a zip is read. */
export interface ZipOptions {
  /** Name of a file whose content is wanted. @default - none */
  readonly keep?: string;
  /** Most bytes that it may unpack to. @default MAX_UNPACKED_BYTES */
  readonly unpackedBytes?: number;
  /** Most entries. @default MAX_ENTRIES */
  readonly entries?: number;
}

/**
 * Reads a zip from end to end, without writing anything.
 * @throws ZipRefused
 */
export async function checkZip(path: string, options: ZipOptions = {}): Promise<ZipContent> {
  const { keep, unpackedBytes = MAX_UNPACKED_BYTES, entries = MAX_ENTRIES } = options;
  const zip = await openZip(path);
  try {
    if (zip.entryCount > entries) {
      throw new ZipRefused(`The zip has ${zip.entryCount} entries; at most ${entries} are taken.`);
    }
    return await checkEntries(zip, keep, unpackedBytes);
  } finally {
    zip.close();
  }
}

/** The files that can hold a handler's module: `a.b.run` is in a/b.py or a/b/__init__.py, or for node in a/b.mjs, a/b/index.mjs, … */
export function moduleFiles(runtime: Runtime, handler: string): readonly string[] {
  const module = handler.split(".").slice(0, -1).join("/");
  if (runtime === "python") {
    return [`${module}.py`, `${module}/__init__.py`];
  }
  return [module, `${module}/index`].flatMap((path) => [".mjs", ".cjs", ".js"].map((ending) => path + ending));
}

async function checkEntries(zip: ZipFile, keep: string | undefined, unpackedBytes: number): Promise<ZipContent> {
  let kept: Buffer | undefined;
  const files = new Set<string>();
  const folders = new Set<string>();
  let unpacked = 0;
  for await (const entry of entriesOf(zip)) {
    checkEntry(entry);
    unpacked += entry.uncompressedSize;
    if (unpacked > unpackedBytes) {
      throw new ZipRefused(`The zip unpacks to over ${unpackedBytes} bytes, which is the limit.`);
    }
    const name = entry.fileName.replace(/\/$/, "");
    for (const folder of parents(name)) {
      folders.add(folder);
    }
    if (entry.fileName.endsWith("/")) {
      folders.add(name);
      continue;
    }
    if (files.has(name)) {
      throw new ZipRefused(`The zip holds ${JSON.stringify(name)} twice.`);
    }
    files.add(name);
    if (name !== keep) {
      await readThrough(zip, entry, 0);
      continue;
    }
    if (entry.uncompressedSize > KEPT_BYTES) {
      throw new ZipRefused(`The zip's ${keep} has over ${KEPT_BYTES} bytes, which is the limit.`);
    }
    kept = await readThrough(zip, entry, KEPT_BYTES);
  }
  const both = [...files].find((name) => folders.has(name));
  if (both !== undefined) {
    throw new ZipRefused(`The zip holds ${JSON.stringify(both)} both as a file and as a folder.`);
  }
  return { files, kept };
}

function checkEntry(entry: Entry): void {
  const name = JSON.stringify(entry.fileName);
  const type = (entry.externalFileAttributes >>> 16) & TYPE_MASK;
  if (/\p{Cc}/u.test(entry.fileName) || entry.fileName.split("/").some((part) => part === "." || part.length > 255)) {
    throw new ZipRefused(`The zip's entry ${name} has a name that is not taken.`);
  }
  if (type !== 0 && type !== REGULAR && type !== FOLDER) {
    throw new ZipRefused(`The zip's entry ${name} is neither a file nor a folder: links and devices are not taken.`);
  }
  if (entry.generalPurposeBitFlag & 1) {
    throw new ZipRefused(`The zip's entry ${name} is encrypted.`);
  }
  if (entry.compressionMethod !== STORED && entry.compressionMethod !== DEFLATED) {
    throw new ZipRefused(
      `The zip's entry ${name} has compression method ${entry.compressionMethod}; only stored and deflated are taken.`,
    );
  }
}

function parents(name: string): string[] {
  const parts = name.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}

/** Unpacks an entry, and keeps its first bytes. The reader stops where it holds more or less than it says. */
async function readThrough(zip: ZipFile, entry: Entry, keepBytes: number): Promise<Buffer> {
  const stream = await new Promise<NodeJS.ReadableStream>((resolve, reject) =>
    zip.openReadStream(entry, (error, opened) => (error ? reject(refused(error)) : resolve(opened))),
  );
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (bytes < keepBytes) {
        chunks.push(chunk);
      }
      bytes += chunk.length;
    }
    return Buffer.concat(chunks);
  } catch (error) {
    throw refused(error);
  }
}

function openZip(path: string): Promise<ZipFile> {
  return new Promise((resolve, reject) =>
    open(path, { lazyEntries: true, autoClose: false }, (error, zip) =>
      error ? reject(refused(error)) : resolve(zip),
    ),
  );
}

async function* entriesOf(zip: ZipFile): AsyncGenerator<Entry> {
  for (let read = 0; read < zip.entryCount; read++) {
    yield await new Promise<Entry>((resolve, reject) => {
      const done = () => {
        zip.off("entry", onEntry).off("error", onError).off("end", onEnd);
      };
      const onEntry = (entry: Entry) => {
        done();
        resolve(entry);
      };
      const onError = (error: Error) => {
        done();
        reject(refused(error));
      };
      const onEnd = () => onError(new Error("fewer entries than announced"));
      zip.on("entry", onEntry).on("error", onError).on("end", onEnd);
      zip.readEntry();
    });
  }
}

function refused(error: unknown): ZipRefused {
  return new ZipRefused(`The file is not a sound zip: ${error instanceof Error ? error.message : String(error)}.`);
}
