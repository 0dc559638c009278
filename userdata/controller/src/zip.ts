/** Checks of an uploaded zip: what a worker would refuse or choke on is refused here, with a reason. */
import { once } from "node:events";
import { type Entry, open, type ZipFile } from "yauzl";

/** Most bytes that a zip may unpack to. */
export const MAX_UNPACKED_BYTES = 250 * 1024 * 1024;
/** Most entries of a zip. */
export const MAX_ENTRIES = 10_000;

const TYPE_MASK = 0o170_000;
const REGULAR = 0o100_000;
const FOLDER = 0o040_000;
const STORED = 0;
const DEFLATED = 8;

/** A zip that is not taken, with the reason as one sentence. */
export class ZipRefused extends Error {
  override readonly name = "ZipRefused";
}

/** Limits of a zip. */
export interface ZipLimits {
  readonly unpackedBytes: number;
  readonly entries: number;
}

/**
 * Reads a zip from end to end, without writing anything.
 * @returns names of its regular files
 * @throws ZipRefused
 */
export async function checkZip(
  path: string,
  limits: ZipLimits = { unpackedBytes: MAX_UNPACKED_BYTES, entries: MAX_ENTRIES },
): Promise<ReadonlySet<string>> {
  const zip = await openZip(path);
  try {
    if (zip.entryCount > limits.entries) {
      throw new ZipRefused(`The zip has ${zip.entryCount} entries; at most ${limits.entries} are taken.`);
    }
    return await checkEntries(zip, limits);
  } finally {
    zip.close();
  }
}

/** The files that can hold a handler's module: `a.b.run` is in a/b.py or a/b/__init__.py. */
export function moduleFiles(handler: string): readonly string[] {
  const module = handler.split(".").slice(0, -1).join("/");
  return [`${module}.py`, `${module}/__init__.py`];
}

async function checkEntries(zip: ZipFile, limits: ZipLimits): Promise<ReadonlySet<string>> {
  const files = new Set<string>();
  const folders = new Set<string>();
  let unpacked = 0;
  for await (const entry of entriesOf(zip)) {
    checkEntry(entry);
    unpacked += entry.uncompressedSize;
    if (unpacked > limits.unpackedBytes) {
      throw new ZipRefused(`The zip unpacks to over ${limits.unpackedBytes} bytes, which is the limit.`);
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
    await readThrough(zip, entry);
  }
  const both = [...files].find((name) => folders.has(name));
  if (both !== undefined) {
    throw new ZipRefused(`The zip holds ${JSON.stringify(both)} both as a file and as a folder.`);
  }
  return files;
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

/** Unpacks an entry into nothing. The reader stops where it holds more or less than it says. */
async function readThrough(zip: ZipFile, entry: Entry): Promise<void> {
  const stream = await new Promise<NodeJS.ReadableStream>((resolve, reject) =>
    zip.openReadStream(entry, (error, opened) => (error ? reject(refused(error)) : resolve(opened))),
  );
  try {
    const end = once(stream, "end");
    stream.resume();
    await end;
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
