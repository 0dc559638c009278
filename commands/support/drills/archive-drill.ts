/** A function's code and a manifest, brought from the archive in Google Cloud Storage back into the service, and removed again. */
import { createHash } from "node:crypto";
import type { Bucket, File } from "@google-cloud/storage";
import { unzipSync } from "fflate";
import { z } from "zod";
import { Problem } from "../problem";
import type { Drill } from "./drill";

const REQUEST_MS = 60_000;
/** Objects that are looked through for the latest code. */
const LOOKED_AT = 1_000;
const CODE = /^([^/]+)\/(fn_[0-9A-Z]{26})\/(\d+)\/code\.zip$/;

const manifest = z.object({
  job_id: z.string(),
  function_id: z.string(),
  function_version: z.number(),
  status: z.string(),
});
const created = z.object({ functionId: z.string(), codeSha256: z.string() });

/** How the archive is drilled. */
export interface ArchiveDrillOptions {
  readonly bucket: Bucket;
  readonly tenant: string;
  /** Function to bring back. @default - the one archived last */
  readonly functionId?: string;
  /** module.function in its code: the archive does not keep it. */
  readonly handler: string;
  /** The service, and a key of the tenant that may make functions. */
  readonly url: string;
  readonly key: string;
}

/** What came of it. */
export interface ArchiveDrillResult {
  readonly code: string;
  readonly sha256: string;
  readonly files: number;
  /** Job whose manifest was read. */
  readonly jobId: string;
  readonly runtime: string;
  /** Id under which the service had the code. */
  readonly restoredAs: string;
}

/** @throws Problem when the archive has nothing, or what it has cannot be brought back */
export async function drillArchive(drill: Drill, options: ArchiveDrillOptions): Promise<ArchiveDrillResult> {
  const file = await drill.step("found in the archive", () => latestCode(options));
  const zip = await drill.step(`${file.name} fetched`, async () => (await file.download())[0]);
  const names = readZip(file.name, zip);
  const sha256 = createHash("sha256").update(zip).digest("hex");
  const runtime = runtimeOf(file.name, names, options.handler);
  const jobId = await drill.step("a manifest beside it read", () => readManifest(options.bucket, file.name));
  const name = drill.own(drill.mark);
  let functionId: string | undefined;
  try {
    functionId = await drill.step(`brought back as the function ${name}`, async () => {
      const form = new FormData();
      form.set("name", name);
      form.set("runtime", runtime);
      form.set("handler", options.handler);
      form.set("code", new Blob([new Uint8Array(zip)], { type: "application/zip" }), "code.zip");
      const answer = created.parse(await (await call(options, "POST", "/v1/functions", form)).json());
      return answer.functionId;
    });
    const id = functionId;
    await drill.step("read from the service, byte for byte what was archived", async () => {
      const bytes = Buffer.from(await (await call(options, "GET", `/v1/functions/${id}/code`)).arrayBuffer());
      const actual = createHash("sha256").update(bytes).digest("hex");
      if (actual !== sha256) {
        throw new Problem(
          `The service gives back code with the SHA-256 ${actual}; the archive's is ${sha256}.`,
          "Compare them before you rely on the archive.",
        );
      }
    });
    return { code: file.name, sha256, files: names.length, jobId, runtime, restoredAs: id };
  } finally {
    if (functionId !== undefined) {
      const id = functionId;
      await drill.cleanUp(`the function ${name} deleted`, async () => {
        await call(options, "DELETE", `/v1/functions/${id}`);
      });
    }
  }
}

async function latestCode({ bucket, tenant, functionId }: ArchiveDrillOptions): Promise<File> {
  const prefix = functionId ? `${tenant}/${functionId}/` : `${tenant}/`;
  const [files] = await bucket.getFiles({ prefix, maxResults: LOOKED_AT, autoPaginate: false });
  const [latest] = files
    .filter(({ name }) => CODE.test(name))
    .sort((a, b) => String(b.metadata.timeCreated).localeCompare(String(a.metadata.timeCreated)));
  if (!latest) {
    throw new Problem(
      `The archive gs://${bucket.name} has no code below ${prefix}.`,
      "Name a tenant and a function whose jobs have succeeded; workers archive them within minutes.",
    );
  }
  return latest;
}

async function readManifest(bucket: Bucket, code: string): Promise<string> {
  const [, , functionId, version] = CODE.exec(code) ?? [];
  const folder = code.slice(0, -"code.zip".length);
  // The code sorts before the manifests, which are named by their jobs.
  const [files] = await bucket.getFiles({ prefix: folder, maxResults: 2, autoPaginate: false });
  const file = files.find(({ name }) => name.endsWith(".json"));
  if (!file) {
    throw new Problem(`There is no manifest beside gs://${bucket.name}/${code}.`, "Choose another --function.");
  }
  const [bytes] = await file.download();
  const read = manifest.safeParse(JSON.parse(bytes.toString("utf8")));
  if (!read.success || read.data.function_id !== functionId || String(read.data.function_version) !== version) {
    throw new Problem(
      `gs://${bucket.name}/${file.name} is no manifest of ${functionId}, version ${version}.`,
      "Look at it: something other than a worker wrote it.",
    );
  }
  return read.data.job_id;
}

function readZip(name: string, zip: Buffer): string[] {
  try {
    return Object.keys(unzipSync(zip)).filter((path) => !path.endsWith("/"));
  } catch (error) {
    throw new Problem(`${name} is no zip: ${(error as Error).message}.`, "Look at it: a worker did not write that.");
  }
}

/** The archive does not keep the runtime: the file that the handler is in tells it. */
function runtimeOf(name: string, files: readonly string[], handler: string): "python" | "node" {
  const module = handler.split(".").slice(0, -1).join("/");
  const has = (endings: readonly string[]) =>
    endings.some((ending) => files.some((file) => file === `${module}${ending}`));
  if (has([".py", "/__init__.py"])) {
    return "python";
  }
  if (has([".mjs", ".cjs", ".js", "/index.mjs", "/index.cjs", "/index.js"])) {
    return "node";
  }
  throw new Problem(
    `${name} has no module "${module}" (files: ${files.slice(0, 5).join(", ")}).`,
    "Say the function's handler: --handler module.function",
  );
}

async function call(
  { url, key }: ArchiveDrillOptions,
  method: string,
  path: string,
  body?: FormData,
): Promise<Response> {
  const response = await fetch(new URL(path, url), {
    method,
    headers: { Authorization: `Bearer ${key}` },
    signal: AbortSignal.timeout(REQUEST_MS),
    ...(body ? { body } : {}),
  });
  if (!response.ok) {
    const text = (await response.text()).slice(0, 300);
    throw new Problem(
      `${method} ${path} at ${url} answered ${response.status}: ${text}`,
      "The key has to be of the role user or admin; the service's log says more.",
    );
  }
  return response;
}
