/** Invocations: call a function and wait for its result, or take a job id at once. */
import type { Request, Response, Router } from "express";
import { requireRole, tenantOf, withinLimit } from "../auth";
import { readJson } from "../body";
import { type CallOptions, readCallOptions } from "../call-options";
import type { Call, Invoker } from "../invoker";
import { type Idempotency, idempotency, type JobItem, type JobsTable } from "../jobs-table";
import { unreadable } from "../json";
import type { KnownFunctions } from "../known-functions";
import type { OpenRequests } from "../open-requests";
import { invalid, unsupportedType } from "../problems";
import { jobJson, type Results, type Watch } from "../results";
import { requireFunction } from "./functions";
import { jobSummary } from "./jobs";

/** Largest event, in bytes of JSON. */
export const MAX_INPUT_BYTES = 6 * 1024 * 1024;
const INPUT_TOO_LARGE = "Put large data into a bucket and pass its place in the event.";

export interface InvocationRoutesProps {
  readonly known: KnownFunctions;
  readonly jobs: JobsTable;
  readonly invoker: Invoker;
  readonly results: Results;
  /** Longest wait of a synchronous call, in seconds. */
  readonly syncMaxWaitS: number;
  /** Calls that wait: a controller that stops answers them with their job. */
  readonly waits: OpenRequests;
  /** Name of the environment: callbacks over plain HTTP are for local and dev. */
  readonly environment: string;
}

export function invocationRoutes(router: Router, props: InvocationRoutesProps): void {
  const { known, jobs, invoker, results, syncMaxWaitS, waits, environment } = props;

  router.post("/v1/functions/:functionId/invocations", requireRole("invoker"), async (request, response) => {
    const options = readCallOptions(request, environment);
    const { asynchronous, preferred, callbackUrl, deadline, traceparent } = options;
    // What a 202 costs is measured against its two writes: all that comes before them is remembered, or comes in side by side.
    const [fn, inputJson] = await Promise.all([
      requireFunction(known, response, request.params.functionId),
      readInput(request),
      withinLimit(response),
    ]);
    const call: Call = {
      function: fn,
      kind: "run",
      inputJson,
      callbackUrl,
      deadline,
      traceparent,
      idempotency: readIdempotency(tenantOf(response), options, [fn.functionId, inputJson]),
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

  function wait(watch: Watch, response: Response, atOnce: boolean): Promise<string | undefined> {
    return waits.during(response, (signal) => watch.result({ maxMs: syncMaxWaitS * 1_000, atOnce, signal }));
  }

  async function accept(response: Response, job: JobItem): Promise<void> {
    const body = jobJson(jobSummary(job), await results.of(job));
    response.status(202).location(`/v1/jobs/${job.jobId}`).type("application/json").send(body);
  }
}

/** What the header Idempotency-Key stands for: the same function, event and callback. */
function readIdempotency(
  tenant: string,
  { idempotencyKey, callbackUrl }: CallOptions,
  request: readonly string[],
): Idempotency | undefined {
  const parts = callbackUrl === null ? request : [...request, callbackUrl];
  return idempotencyKey === undefined ? undefined : idempotency(tenant, idempotencyKey, parts);
}

async function readInput(request: Request): Promise<string> {
  const empty = request.get("content-length") === "0";
  // Express says false of a body that is not JSON, null where there is none.
  if (!empty && request.is(["application/json", "application/*+json"]) === false) {
    throw unsupportedType(request.get("content-type"), "application/json");
  }
  const { text } = await readJson(request, MAX_INPUT_BYTES, INPUT_TOO_LARGE);
  const wrong = unreadable(text);
  if (wrong) {
    throw invalid([{ field: "body", detail: wrong }]);
  }
  return text;
}
