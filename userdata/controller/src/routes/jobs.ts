/** Jobs: status, result, log, events, the files that they left, and cancelling them. */
import { pipeline } from "node:stream/promises";
import type { Request, Response, Router } from "express";
import { z } from "zod";
import { allow, tenantOf } from "../auth";
import { cancelJob } from "../cancellation";
import { EventStream } from "../event-stream";
import { FUNCTION_ID, JOB_ID } from "../ids";
import { followJob, type LogPosition } from "../job-stream";
import { isFinal, type JobFilter, type JobItem, type JobsTable } from "../jobs-table";
import type { Logger } from "../log";
import type { OpenRequests } from "../open-requests";
import { readPage } from "../paging";
import { type FieldError, invalid, notFound, unavailable } from "../problems";
import type { JobEvents } from "../redis";
import { jobJson, logOf, outputFile, type Results } from "../results";
import { type JobSummary, jobStatus } from "../schemas";
import type { UserFiles } from "../user-files";

export interface JobRoutesProps {
  readonly jobs: JobsTable;
  readonly results: Results;
  readonly events: JobEvents;
  readonly files: UserFiles;
  /** Streams of events that are open. */
  readonly streams: OpenRequests;
  readonly log: Logger;
}

export function jobRoutes(router: Router, props: JobRoutesProps): void {
  const { jobs, results, events, files, streams, log } = props;

  router.get("/v1/jobs", allow("invoker"), async (request, response) => {
    const page = await jobs.list(tenantOf(response), readPage(request), readFilter(request));
    response.json({ ...page, items: page.items.map(jobSummary) });
  });

  router.get("/v1/jobs/:jobId", allow("invoker"), async (request, response) => {
    const job = await requireJob(jobs, response, request.params.jobId);
    response.type("application/json").send(jobJson(jobSummary(job), await results.of(job)));
  });

  router.post("/v1/jobs/:jobId/cancellation", allow("invoker"), async (request, response) => {
    const job = await cancelJob(props, await requireJob(jobs, response, request.params.jobId));
    response.type("application/json").send(jobJson(jobSummary(job), await results.of(job)));
  });

  router.get("/v1/jobs/:jobId/events", allow("invoker"), async (request, response) => {
    const from = readPosition(request);
    const job = await requireJob(jobs, response, request.params.jobId);
    await streams.during(response, async (signal) => {
      const stream = new EventStream(response, signal);
      if (request.method !== "HEAD") {
        const stored = { jobs, results, events, log, summary: jobSummary };
        await followJob(stored, job, from, stream, signal);
      }
      stream.close();
    });
  });

  router.get("/v1/jobs/:jobId/logs", allow("invoker"), async (request, response) => {
    const job = await requireJob(jobs, response, request.params.jobId);
    response.type("text/plain").send(await readLog(job));
  });

  router.get("/v1/jobs/:jobId/files/:name", allow("invoker"), async (request, response) => {
    const job = await requireJob(jobs, response, request.params.jobId);
    const { name } = request.params;
    const result = await results.of(job);
    const file = result === undefined ? undefined : outputFile(result, name);
    const content = file && (await files.open(job.tenant, job.jobId, file.key));
    if (!content) {
      throw notFound("file", name, `GET /v1/jobs/${job.jobId} has the names in result.files.`);
    }
    // Never shown in a browser as if it came from the controller: its content, and its name, are the function's.
    response
      .attachment(
        name
          .split("/")
          .pop()
          ?.replace(/\p{Cc}/gu, "_"),
      )
      .type("application/octet-stream");
    response.set("Content-Length", String(content.bytes));
    await pipeline(content.stream, response);
  });

  /** The log of a final job's result, or what there is so far. */
  async function readLog(job: JobItem): Promise<string> {
    const result = await results.of(job);
    const written = result === undefined ? undefined : logOf(result);
    if (written) {
      return written.logs;
    }
    if (job.attempts === 0) {
      return "";
    }
    try {
      return (await events.liveLog(job.jobId, job.attempts, 0)).toString();
    } catch (error) {
      const detail = `The log of ${job.jobId} ${isFinal(job.status) ? "cannot be read now" : "so far cannot be read now; its result will have it"}.`;
      throw unavailable(detail, error, job.jobId);
    }
  }
}

/**
 * The job of the path, if it is the tenant's.
 * @throws Problem 404
 */
async function requireJob(jobs: JobsTable, response: Response, jobId: string): Promise<JobItem> {
  const job = JOB_ID.test(jobId) ? await jobs.find(jobId) : undefined;
  if (job?.tenant !== tenantOf(response)) {
    throw notFound("job", jobId);
  }
  response.locals.jobId = jobId;
  return job;
}

const filter = z.object({
  functionId: z.string().regex(FUNCTION_ID).optional(),
  status: jobStatus.optional(),
});

function readFilter({ query }: Request): JobFilter {
  const parsed = filter.safeParse(query);
  if (!parsed.success) {
    const wrong = new Set(parsed.error.issues.map(({ path }) => String(path[0])));
    throw invalid(
      [...wrong].map((name): FieldError => ({ field: `query ${name}`, detail: EXPECTED[name] ?? "is wrong" })),
    );
  }
  return parsed.data;
}

const EXPECTED: Readonly<Record<string, string>> = {
  functionId: "expected the id of a function, fn_…",
  status: `expected one of ${jobStatus.options.join(", ")}`,
};

function readPosition(request: Request): LogPosition {
  const id = request.get("last-event-id");
  // A client that has had no log yet sends none, or an empty one.
  if (!id) {
    return { attempt: 0, offset: 0 };
  }
  const [, attempt, offset] = /^(\d{1,9}):(\d{1,9})$/.exec(id) ?? [];
  if (attempt === undefined || offset === undefined) {
    throw invalid([{ field: "header Last-Event-ID", detail: "expected the id of a log event, such as 1:2048" }]);
  }
  return { attempt: Number(attempt), offset: Number(offset) };
}

/** A job as the API shows it, without its result. */
export function jobSummary(job: JobItem): JobSummary {
  const { jobId, functionId, functionVersion, kind, status, attempts, createdAt, startedAt, finishedAt } = job;
  const { lastError, callbackUrl, callbackStatus = "PENDING", callbackAttempts = 0 } = job;
  return {
    jobId,
    functionId,
    functionVersion,
    kind,
    status,
    attempts,
    createdAt,
    startedAt,
    finishedAt,
    ...(lastError && { lastError: { message: lastError.message, attempt: lastError.attempt, at: lastError.at } }),
    ...(callbackUrl && { callback: { url: callbackUrl, status: callbackStatus, attempts: callbackAttempts } }),
  };
}
