/** Invocations: call a function and wait for its result, or take a job id at once. */
import type { Request, Response, Router } from "express";
import { tenantOf } from "../auth";
import { readJson } from "../body";
import type { FunctionsTable } from "../functions-table";
import type { Call, Invoker } from "../invoker";
import { idempotency, type JobItem, type JobsTable } from "../jobs-table";
import { type FieldError, invalid, unsupportedType } from "../problems";
import { jobJson, type Results, type Watch } from "../results";
import { requireFunction } from "./functions";
import { jobSummary } from "./jobs";

/** Largest event, in bytes of JSON. */
export const MAX_INPUT_BYTES = 6 * 1024 * 1024;
const INPUT_TOO_LARGE = "Put large data into a bucket and pass its place in the event.";
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

export interface InvocationRoutesProps {
  readonly functions: FunctionsTable;
  readonly jobs: JobsTable;
  readonly invoker: Invoker;
  readonly results: Results;
  /** Longest wait of a synchronous call, in seconds. */
  readonly syncMaxWaitS: number;
  /** Aborted when the controller stops: calls that wait are answered with their job. */
  readonly stopping: AbortSignal;
}

export function invocationRoutes(router: Router, props: InvocationRoutesProps): void {
  const { functions, jobs, invoker, results, syncMaxWaitS, stopping } = props;
  const waits = new Set<AbortController>();
  stopping.addEventListener("abort", () => {
    for (const wait of waits) {
      wait.abort();
    }
  });

  router.post("/v1/functions/:functionId/invocations", async (request, response) => {
    const { asynchronous, preferred, key } = readOptions(request);
    const fn = await requireFunction(functions, response, request.params.functionId);
    const inputJson = await readInput(request);
    const call: Call = {
      function: fn,
      inputJson,
      traceparent: TRACEPARENT.exec(request.get("traceparent") ?? "")?.[0] ?? null,
      idempotency: key === undefined ? undefined : idempotency(tenantOf(response), key, [fn.functionId, inputJson]),
    };
    const recorded = await invoker.record(call);
    const { jobId } = recorded.job;
    response.locals.jobId = jobId;
    const watch = asynchronous ? undefined : await results.watch(jobId);
    try {
      if (!recorded.queued) {
        await invoker.enqueue(recorded, call);
      }
      const result = watch && (await wait(watch, response, recorded.repeated));
      if (result !== undefined) {
        response.type("application/json").send(result);
        return;
      }
    } finally {
      watch?.close();
    }
    const latest = asynchronous ? recorded.job : ((await jobs.find(jobId)) ?? recorded.job);
    if (asynchronous && preferred) {
      response.set("Preference-Applied", "respond-async");
    }
    await accept(response, latest);
  });

  async function wait(watch: Watch, response: Response, atOnce: boolean): Promise<string | undefined> {
    const controller = new AbortController();
    response.once("close", () => controller.abort());
    waits.add(controller);
    if (stopping.aborted) {
      controller.abort();
    }
    try {
      return await watch.result({ maxMs: syncMaxWaitS * 1_000, atOnce, signal: controller.signal });
    } finally {
      waits.delete(controller);
    }
  }

  async function accept(response: Response, job: JobItem): Promise<void> {
    const body = jobJson(jobSummary(job), await results.of(job));
    response.status(202).location(`/v1/jobs/${job.jobId}`).type("application/json").send(body);
  }
}

interface Options {
  readonly asynchronous: boolean;
  /** Whether that follows the header Prefer, which the answer then says. */
  readonly preferred: boolean;
  readonly key: string | undefined;
}

function readOptions(request: Request): Options {
  const errors: FieldError[] = [];
  const { mode } = request.query;
  if (mode !== undefined && mode !== "async" && mode !== "sync") {
    errors.push({ field: "query mode", detail: 'expected "async" or "sync"' });
  }
  const key = request.get("idempotency-key");
  if (key !== undefined && !/^[\x20-\x7e]{1,255}$/.test(key)) {
    errors.push({ field: "header Idempotency-Key", detail: "expected 1 to 255 characters of ASCII" });
  }
  if (errors.length > 0) {
    throw invalid(errors);
  }
  const preferred = /(^|,)\s*respond-async\s*(;|,|$)/i.test(request.get("prefer") ?? "");
  return { asynchronous: mode === undefined ? preferred : mode === "async", preferred, key };
}

async function readInput(request: Request): Promise<string> {
  const empty = request.get("content-length") === "0";
  // Express says false of a body that is not JSON, null where there is none.
  if (!empty && request.is(["application/json", "application/*+json"]) === false) {
    throw unsupportedType(request.get("content-type"), "application/json");
  }
  const { text } = await readJson(request, MAX_INPUT_BYTES, INPUT_TOO_LARGE);
  return text;
}
