/** Keys of images: what may be one, and its one spelling. */

/** Longest key that S3 takes, in bytes of UTF-8. */
const MAX_BYTES = 1_024;
/** Where the service keeps its records of requests. */
const RECORDS = ".requests/";
/** What S3's POST puts the uploaded file's own name for. */
const FILENAME = "$" + "{filename}";
/** Ends of keys to the content type of an upload; the role's statements name the same ends. */
const TYPES: Readonly<Record<string, string>> = {
  tif: "image/tiff",
  tiff: "image/tiff",
  png: "image/png",
  TIF: "image/tiff",
  TIFF: "image/tiff",
  PNG: "image/png",
};

/** An image's key and the content type that it is uploaded with. */
export interface ImageKey {
  readonly key: string;
  readonly contentType: string;
}

/** A key that is refused: what was expected, and what came. */
export class KeyError extends Error {}

/**
 * Checks a key and gives its one spelling: composed Unicode (NFC), without empty and `.` segments.
 *
 * @param file a key as a client wrote it, such as `2026/frame 7.tif`
 * @throws KeyError with the reason, a sentence
 */
export function imageKey(file: string): ImageKey {
  if (file === "") {
    throw new KeyError("expected a key such as 2026/frame-7.tif, got none");
  }
  // What does not print, as POST /inference has it too; U+FFFD stands for bytes that were no UTF-8.
  if (/(?! )[\p{C}\p{Z}\uFFFD]/u.test(file)) {
    throw new KeyError(
      "expected printable Unicode, got a control character, a special space or bytes that are no UTF-8",
    );
  }
  if (file.startsWith("/") || file.includes("\\")) {
    throw new KeyError(`expected a path that is relative and divided by "/", got ${JSON.stringify(file)}`);
  }
  const segments = file.normalize("NFC").split("/");
  if (segments.includes("..")) {
    throw new KeyError(`expected no ".." in the path, got ${JSON.stringify(file)}`);
  }
  const key = segments.filter((segment) => segment !== "" && segment !== ".").join("/");
  if (key.startsWith(RECORDS)) {
    throw new KeyError(`expected an image, got ${JSON.stringify(key)}: ${RECORDS} is the service's own`);
  }
  if (key.includes(FILENAME)) {
    throw new KeyError(`expected the key itself, got ${JSON.stringify(key)}: S3 would replace ${FILENAME}`);
  }
  const bytes = Buffer.byteLength(key);
  if (bytes > MAX_BYTES) {
    throw new KeyError(`expected at most ${MAX_BYTES} bytes of UTF-8, got ${bytes}`);
  }
  const contentType = TYPES[/[^/]\.([A-Za-z]+)$/.exec(key)?.[1] ?? ""];
  if (!contentType) {
    throw new KeyError(
      `expected a name that ends in .tif, .tiff or .png, all lower or all upper case, got ${JSON.stringify(key)}`,
    );
  }
  return { key, contentType };
}
