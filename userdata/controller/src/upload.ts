/**
 * Reads the body of an upload, JSON with inline code or a multipart form with a zip, into fields and a zip on disk. The limit holds
 * while bytes arrive, whatever Content-Length says.
 */
import { createHash, type Hash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Readable, Transform, type TransformCallback } from "node:stream";
import { pipeline } from "node:stream/promises";
import busboy from "busboy";
import type { Request } from "express";
import { strToU8, type ZipOptions, zipSync } from "fflate";
import { readJson } from "./body";
import type { ZipFile } from "./code-store";
import { dependencyFile, namesDependencies } from "./dependencies";
import { type FieldError, fieldErrors, invalid, Problem, tooLarge, unsupportedType } from "./problems";
import { type FunctionFields, functionFields, inlineFunction, type Runtime } from "./schemas";
import { checkZip, moduleFiles, ZipRefused } from "./zip";

/** Largest JSON body with inline code, in bytes. */
const INLINE_BODY_BYTES = 6 * 1024 * 1024;
/** The file that inline code becomes. */
const INLINE_FILE: Readonly<Record<Runtime, string>> = { python: "main.py", node: "main.mjs" };
const FIELD_BYTES = 64 * 1024;
const FIELDS = 20;
const ZIP_TOO_LARGE = "Leave out what the function does not need, or ask the operator to raise UPLOAD_MAX_BYTES.";

/** A function as uploaded, checked. */
export interface Upload {
  readonly fields: FunctionFields;
  readonly zip: ZipFile;
  /** Whether the zip comes with a list of dependencies that is not empty. */
  readonly hasDependencies: boolean;
}

type Unchecked = Pick<Upload, "fields" | "zip">;

/**
 * Reads and checks an upload, passes it to `use`, and removes its temporary file.
 * @throws Problem 400, 413 or 415 that names what is wrong
 */
export async function withUpload<T>(
  request: Request,
  maxBytes: number,
  use: (upload: Upload) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "nanogrid-upload-"));
  try {
    const upload = await readUpload(request, maxBytes, join(folder, "code.zip"));
    return await use({ ...upload, hasDependencies: await checkCode(upload) });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function readUpload(request: Request, maxBytes: number, path: string): Promise<Unchecked> {
  if (request.is("multipart/form-data")) {
    return readForm(request, maxBytes, path);
  }
  if (request.is("application/json")) {
    return readInline(request, maxBytes, path);
  }
  throw unsupportedType(request.get("content-type"), "application/json or multipart/form-data");
}

async function readInline(request: Request, maxBytes: number, path: string): Promise<Unchecked> {
  const body = await readJson(
    request,
    Math.min(maxBytes, INLINE_BODY_BYTES),
    "Upload larger code as a zip, in a multipart form.",
  );
  const parsed = inlineFunction.safeParse(body.value);
  const errors = [...protoErrors(body.value), ...(parsed.success ? [] : fieldErrors(parsed.error))];
  if (!parsed.success || errors.length > 0) {
    throw invalid(errors);
  }
  const { code, dependencies, ...fields } = parsed.data;
  const { runtime } = fields;
  const bytes = zipSync({
    [INLINE_FILE[runtime]]: zipped(code),
    ...(dependencies === undefined ? {} : { [dependencyFile(runtime)]: zipped(dependencies) }),
  });
  await writeFile(path, bytes);
  return { fields, zip: { path, bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") } };
}

/** Fixed time and mode: the same source is the same zip, on every machine. The zip format's times are local and begin in 1980. */
function zipped(text: string): [Uint8Array, ZipOptions] {
  return [strToU8(text), { os: 3, attrs: (0o100_644 << 16) >>> 0, mtime: new Date(1980, 0, 1) }];
}

async function readForm(request: Request, maxBytes: number, path: string): Promise<Unchecked> {
  if (Number(request.get("content-length")) > maxBytes) {
    throw tooLarge(maxBytes, ZIP_TOO_LARGE);
  }
  const form = new Form(path);
  const limit = new Limit(maxBytes);
  // A request closes after its end too, while the last bytes may still be on their way to the disk.
  const broken = () => request.complete || limit.destroy(new Error("the connection broke off"));
  try {
    const parser = form.parser(request);
    // Not part of the pipeline, which would destroy the request, and the way to answer with it.
    request.once("error", broken).once("close", broken).pipe(limit);
    await pipeline(limit, parser);
    await form.written;
  } catch (error) {
    throw error instanceof Problem ? error : malformedForm(error);
  } finally {
    request.off("error", broken).off("close", broken).unpipe(limit);
  }
  return form.upload();
}

/** Passes bytes on until there are too many. */
class Limit extends Transform {
  private passed = 0;

  constructor(private readonly maxBytes: number) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.passed += chunk.length;
    if (this.passed > this.maxBytes) {
      done(tooLarge(this.maxBytes, ZIP_TOO_LARGE));
      return;
    }
    done(null, chunk);
  }
}

/** The parts of a multipart form: text fields, and one file named `code`. */
class Form {
  /** Settles when the file is on disk. */
  written: Promise<void> = Promise.resolve();
  private readonly values: Record<string, string> = {};
  private readonly errors: FieldError[] = [];
  private file: { bytes: number; readonly hash: Hash } | undefined;

  constructor(private readonly path: string) {}

  parser(request: Request): busboy.Busboy {
    const parser = busboy({ headers: request.headers, limits: { fieldSize: FIELD_BYTES, fields: FIELDS, files: 2 } });
    parser.on("field", (name, value, { valueTruncated }) => this.takeField(name, value, valueTruncated));
    parser.on("file", (name, stream) => this.takeFile(name, stream));
    parser.on("fieldsLimit", () => this.errors.push({ field: "body", detail: `has over ${FIELDS} fields` }));
    return parser;
  }

  upload(): Unchecked {
    const values = typed(this.values);
    const parsed = functionFields.safeParse(values);
    const errors = [...this.errors, ...protoErrors(values), ...(parsed.success ? [] : fieldErrors(parsed.error))];
    if (!this.file && errors.every(({ field }) => field !== "code")) {
      errors.push({ field: "code", detail: "is missing: expected a file part with the zip" });
    }
    if (!parsed.success || !this.file || errors.length > 0) {
      throw invalid(errors);
    }
    const { bytes, hash } = this.file;
    return { fields: parsed.data, zip: { path: this.path, bytes, sha256: hash.digest("hex") } };
  }

  private takeField(name: string, value: string, truncated: boolean): void {
    if (name === "code") {
      this.errors.push({ field: "code", detail: "is a text field: expected a file part with the zip" });
    } else if (truncated) {
      this.errors.push({ field: name, detail: `has over ${FIELD_BYTES} bytes` });
    } else if (Object.hasOwn(this.values, name)) {
      this.errors.push({ field: name, detail: "comes twice" });
    } else {
      Object.defineProperty(this.values, name, { value, enumerable: true });
    }
  }

  private takeFile(name: string, stream: Readable): void {
    if (name !== "code" || this.file) {
      stream.resume();
      this.errors.push({ field: name, detail: "is one file too many: expected one file part, named code" });
      return;
    }
    const file = { bytes: 0, hash: createHash("sha256") };
    this.file = file;
    stream.on("data", (chunk: Buffer) => {
      file.bytes += chunk.length;
      file.hash.update(chunk);
    });
    this.written = pipeline(stream, createWriteStream(this.path));
    // Awaited once the form has ended; until then a failure must not count as unhandled.
    this.written.catch(() => undefined);
  }
}

/** Values of a form as their JSON would have been; what cannot be converted stays text, for the schema to refuse. */
function typed(values: Readonly<Record<string, string>>): object {
  const convert = ([name, value]: [string, string]): [string, unknown] => {
    if (name === "memoryMb" || name === "timeoutS") {
      return [name, /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value];
    }
    return [name, ["environment", "secrets", "egress"].includes(name) ? jsonOr(value) : value];
  };
  return Object.fromEntries(Object.entries(values).map(convert));
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A variable of that name, JavaScript's own for an object's parent, would be left out without a word. */
function protoErrors(value: unknown): FieldError[] {
  const inside = (name: string) => Object((value as Record<string, unknown> | null)?.[name]);
  return ["environment", "secrets"]
    .filter((name) => Object.hasOwn(inside(name), "__proto__"))
    .map((name) => ({ field: `${name}.__proto__`, detail: "is not taken as a name" }));
}

/** Checks the zip; whether it names dependencies. */
async function checkCode({ fields: { runtime, handler }, zip }: Unchecked): Promise<boolean> {
  try {
    const { files, kept } = await checkZip(zip.path, { keep: dependencyFile(runtime) });
    const wanted = moduleFiles(runtime, handler);
    if (!wanted.some((file) => files.has(file))) {
      const detail = `${JSON.stringify(handler)} needs ${wanted.join(" or ")} in the code, which is not there`;
      throw invalid([{ field: "handler", detail }]);
    }
    return kept !== undefined && namesDependencies(runtime, kept);
  } catch (error) {
    throw error instanceof ZipRefused ? invalid([{ field: "code", detail: error.message }]) : error;
  }
}

function malformedForm(error: unknown): Problem {
  const detail = `is not a complete multipart form: ${error instanceof Error ? error.message : String(error)}`;
  return invalid([{ field: "body", detail }]);
}
