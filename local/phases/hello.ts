/** `examples/hello`, uploaded and run as a user would: an API key, a zip over HTTP, a synchronous call, and its copy in the archive. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { Problem } from "../../commands/support/problem";
import { shell } from "../../commands/support/shell";
import { filesBelow, packFiles } from "../../modules/platform/artifact";
import type { Needs, Outcome, Report } from "../phase";
import { keyFile, logOf, type Places } from "../places";
import { LOOPBACK } from "../ports";
import { findService } from "../services";
import { PROGRAM_SERVICES } from "./programs";

/** What the function answered. */
export interface Hello {
  /** The example's folder, relative to the checkout. */
  readonly source: string;
  readonly functionId: string;
  readonly jobId: string;
  /** The call as its client saw it. */
  readonly milliseconds: number;
  readonly output: unknown;
  /** Its manifest in the archive, or undefined where there is no archive. */
  readonly archived: string | undefined;
  /** File with the admin key. */
  readonly keyFile: string;
}

type HelloNeeds = Needs<"programs" | "handover" | "standIns">;

const EXAMPLE = "examples/hello";
const NAME = "hello";
const KEY_MS = 60_000;
const REQUEST_MS = 15_000;
/** The first call starts a container. */
const CALL_MS = 120_000;
const POLL_MS = 500;
const ARCHIVE_MS = 30_000;

const functionView = z.object({ functionId: z.string(), name: z.string(), version: z.int(), codeSha256: z.string() });
const functionPage = z.object({ items: z.array(functionView) });
const result = z.object({
  job_id: z.string(),
  status: z.string(),
  exit_reason: z.object({ code: z.string(), message: z.string() }),
  output: z.unknown(),
  logs: z.string(),
});

/** Runs the example; anything but success ends the run. */
export async function runHello(needs: HelloNeeds, report: Report): Promise<Outcome<Hello>> {
  const { places, programs } = needs;
  report.say("looking for an API key");
  const key = await adminKey(needs);
  const api = new Api(programs.url, key, places);
  report.say("uploading");
  const uploaded = await upload(api, join(places.project, EXAMPLE));
  report.say("calling");
  const event = readFileSync(join(places.project, EXAMPLE, "event.json"), "utf8");
  const began = performance.now();
  const answer = await call(api, uploaded.functionId, event, needs.signal);
  const milliseconds = performance.now() - began;
  if (answer.status !== "SUCCESS") {
    const { code, message } = answer.exit_reason;
    throw new Problem(
      `${EXAMPLE} ended with ${answer.status} (${code}): ${message}${answer.logs ? ` It printed: ${answer.logs.trim()}` : ""}`,
      "The worker's log says what it did.",
      logOf(places, "worker"),
    );
  }
  report.say("waiting for its copy in the archive");
  const archived = await findInArchive(needs, `${uploaded.functionId}/${uploaded.version}/${answer.job_id}.json`);
  const where = archived === undefined ? "" : `, archived in ${archived.split("/").slice(0, 3).join("/")}`;
  return {
    value: {
      source: EXAMPLE,
      functionId: uploaded.functionId,
      jobId: answer.job_id,
      milliseconds,
      output: answer.output,
      archived,
      keyFile: relative(places.project, keyFile(places)),
    },
    summary: `${JSON.stringify(answer.output)}${where}`,
  };
}

/** The key of an earlier start while it is valid, otherwise a new one from the operator's command. */
async function adminKey({ places, programs, signal }: HelloNeeds): Promise<string> {
  const file = keyFile(places);
  if (existsSync(file)) {
    const key = readFileSync(file, "utf8").trim();
    const answer = await fetch(`${programs.url}/v1/functions`, {
      headers: authorization(key),
      signal: AbortSignal.timeout(REQUEST_MS),
    });
    await answer.body?.cancel();
    if (answer.status !== 401) {
      return key;
    }
  }
  const command = join("userdata", "controller", "src", "create-key.ts");
  const args = ["--import", "tsx", command, "--tenant", "default", "--role", "admin", "--name", "npm start"];
  const how = { cwd: places.project, env: programs.controllerEnv, timeoutMs: KEY_MS, signal };
  const key = (await shell(process.execPath, args, how)).trim();
  writeFileSync(file, `${key}\n`, { mode: 0o600 });
  return key;
}

/** The function with exactly this code, uploaded unless it is there. */
async function upload(api: Api, folder: string): Promise<z.infer<typeof functionView>> {
  const zip = packFiles(filesBelow(folder, (path) => path.endsWith(".py")));
  const sha256 = createHash("sha256").update(zip).digest("hex");
  const { items } = functionPage.parse(await api.ask("GET", "/v1/functions"));
  const same = items.find(({ codeSha256, name }) => name === NAME && codeSha256 === sha256);
  if (same !== undefined) {
    return same;
  }
  const form = new FormData();
  form.set("name", NAME);
  form.set("code", new Blob([new Uint8Array(zip)], { type: "application/zip" }), "code.zip");
  return functionView.parse(await api.ask("POST", "/v1/functions", form));
}

/** Calls and waits; a call that outlasts its connection leaves a job, which is asked for until it is final. */
async function call(api: Api, functionId: string, event: string, signal: AbortSignal): Promise<z.infer<typeof result>> {
  const deadline = Date.now() + CALL_MS;
  const body = new Blob([event], { type: "application/json" });
  let answer = await api.ask("POST", `/v1/functions/${functionId}/invocations`, body, CALL_MS);
  for (;;) {
    const job = z.object({ jobId: z.string(), result: result.optional() }).safeParse(answer);
    if (!job.success) {
      return result.parse(answer);
    }
    if (job.data.result !== undefined) {
      return job.data.result;
    }
    if (Date.now() > deadline) {
      throw new Problem(
        `Job ${job.data.jobId} had no result after ${CALL_MS / 1000} s.`,
        "The worker's log says what it does.",
        logOf(api.places, "worker"),
      );
    }
    await sleep(POLL_MS, undefined, { signal });
    answer = await api.ask("GET", `/v1/jobs/${job.data.jobId}`);
  }
}

/** Waits for the manifest in the archive's bucket. @returns its URL, or undefined where there is no archive */
async function findInArchive(
  { handover, places, signal, standIns }: HelloNeeds,
  key: string,
): Promise<string | undefined> {
  const bucket = handover.workerEnv.GCP_BUCKET_NAME;
  if (!bucket) {
    return undefined;
  }
  const name = `default/${key}`;
  const url = `http://${LOOPBACK}:${standIns.ports.gcp}/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`;
  const deadline = Date.now() + ARCHIVE_MS;
  for (;;) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(REQUEST_MS) });
    await answer.body?.cancel();
    if (answer.ok) {
      return `gs://${bucket}/${name}`;
    }
    if (Date.now() > deadline) {
      throw new Problem(
        `${name} did not appear in the archive bucket ${bucket} within ${ARCHIVE_MS / 1000} s.`,
        "The worker's log says what it tried.",
        logOf(places, "worker"),
      );
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** NanoGrid's API, with a key. */
class Api {
  constructor(
    private readonly url: string,
    private readonly key: string,
    readonly places: Places,
  ) {}

  /** @throws Problem with what the API says, when it refuses, or with the log of a program that is gone */
  async ask(method: string, path: string, body?: FormData | Blob, timeoutMs = REQUEST_MS): Promise<unknown> {
    let answer: Response;
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      answer = await fetch(`${this.url}${path}`, {
        method,
        headers: authorization(this.key),
        signal,
        ...(body ? { body } : {}),
      });
    } catch (error) {
      const gone = PROGRAM_SERVICES.find((name) => findService(this.places, name) === undefined);
      const what = gone === undefined ? "did not answer in time" : `did not answer, and the ${gone} has ended`;
      throw new Problem(`${method} ${path} ${what}.`, "The log says why.", logOf(this.places, gone ?? "worker"), {
        cause: error,
      });
    }
    const text = await answer.text();
    if (!answer.ok) {
      throw new Problem(
        `${method} ${path} answered ${answer.status}: ${text}`,
        "The controller's log says why.",
        logOf(this.places, "controller"),
      );
    }
    return JSON.parse(text) as unknown;
  }
}

function authorization(key: string): Record<string, string> {
  return { authorization: `Bearer ${key}` };
}
