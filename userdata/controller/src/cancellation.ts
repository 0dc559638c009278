/** Cancelling a job: in the table first, which is the truth, then in Redis, which tells its worker at once. */
import { isFinal, type JobItem, type JobsTable, resultOfNoRun } from "./jobs-table";
import type { Logger } from "./log";
import { notFound, Problem } from "./problems";
import type { JobEvents } from "./redis";
import type { ResultDocument } from "./schemas";
import { fromCharacterStart } from "./utf8";

/** As much of the log as results have, in bytes. */
const LOG_BYTES = 64 * 1024;
/** As much of it as JSON: with the rest of the result, the table takes no more. */
const LOG_JSON_BYTES = 192 * 1024;

export interface CancellationProps {
  readonly jobs: JobsTable;
  readonly events: JobEvents;
  readonly log: Logger;
}

/**
 * Ends a job as cancelled; one that is cancelled already stays as it is.
 * @returns the job as it is now
 * @throws Problem 409 when it has ended otherwise
 */
export async function cancelJob({ jobs, events, log }: CancellationProps, job: JobItem): Promise<JobItem> {
  if (!isFinal(job.status)) {
    const now = new Date();
    const exit_reason = { code: "cancelled", message: "The job was cancelled over the API." } as const;
    const end = { status: "CANCELLED", exit_reason, ...(await logSoFar(job, events, log)) } as const;
    const result = JSON.stringify(resultOfNoRun(job, end, now));
    if (await jobs.cancel(job, result, now)) {
      log.info({ jobId: job.jobId, tenant: job.tenant, status: job.status }, "job cancelled");
      events.noteCancelled(job.jobId, result);
    }
  }
  const latest = await jobs.find(job.jobId);
  if (!latest) {
    throw notFound("job", job.jobId);
  }
  if (latest.status !== "CANCELLED") {
    throw alreadyFinal(latest);
  }
  return latest;
}

/** What the function has written so far: the result of a cancelled job has no other log. */
async function logSoFar(
  { jobId, attempts }: JobItem,
  events: JobEvents,
  log: Logger,
): Promise<Pick<ResultDocument, "logs" | "logs_truncated">> {
  if (attempts === 0) {
    return { logs: "", logs_truncated: false };
  }
  try {
    const bytes = await events.liveLog(jobId, attempts, -LOG_BYTES);
    const all = fromCharacterStart(bytes).toString();
    let logs = all;
    while (Buffer.byteLength(JSON.stringify(logs)) > LOG_JSON_BYTES) {
      logs = logs.slice(logs.length / 2);
    }
    return { logs, logs_truncated: bytes.length === LOG_BYTES || logs !== all };
  } catch (err) {
    log.warn({ err, jobId }, "Redis: the log of a cancelled job was not read; its result has none");
    return { logs: "", logs_truncated: true };
  }
}

function alreadyFinal({ jobId, status }: JobItem): Problem {
  return new Problem({
    status: 409,
    kind: "job-is-final",
    title: "The job has ended",
    detail: `${jobId} has ended with ${status}: there is nothing left to cancel.`,
    remedy: `See GET /v1/jobs/${jobId} for its result.`,
    jobId,
  });
}
