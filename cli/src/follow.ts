/** Follows a job on the terminal: its log to stderr or stdout, and what became of it. */
import type { Api } from "../../userdata/controller/page/client/api";
import { followJob } from "../../userdata/controller/page/client/follow";
import type { JobSummary, ResultDocument } from "../../userdata/controller/page/client/types";
import { duration, memoryAdvice } from "../../userdata/controller/page/client/words";
import { EXIT, Failure } from "./failure";
import { say } from "./output";

/** How a job ended. */
export interface Ended {
  readonly job: JobSummary | undefined;
  readonly result: ResultDocument;
}

export interface FollowOptions {
  /** Takes the log as it comes; without it the log is not shown. */
  readonly onLog?: (text: string) => void;
}

/**
 * Waits for the end of a job. Ctrl-C ends the waiting, not the job, and says so.
 * @throws Failure when the result is lost
 */
export async function waitFor(api: Api, jobId: string, { onLog }: FollowOptions = {}): Promise<Ended> {
  const interrupt = () => {
    say(`\nThe job goes on. Follow it: nanogrid logs ${jobId} -f. End it: nanogrid jobs cancel ${jobId}`);
    process.exit(130);
  };
  process.once("SIGINT", interrupt);
  let attempt: number | undefined;
  let told = false;
  try {
    for await (const event of followJob(api, jobId)) {
      if (event.type === "log") {
        if (attempt !== undefined && attempt !== event.attempt) {
          onLog?.(`── attempt ${event.attempt} ──\n`);
        }
        attempt = event.attempt;
        onLog?.(event.text);
      } else if (event.type === "status") {
        told = tellFailure(event.job, told);
      } else if (event.result) {
        if (attempt === undefined) {
          onLog?.(event.result.logs);
        }
        return { job: event.job, result: event.result };
      } else {
        throw new Failure(
          `The result of ${jobId} is no longer there (the job is ${event.job?.status}).`,
          "Large results are kept for a day.",
          EXIT.failed,
        );
      }
    }
  } finally {
    process.off("SIGINT", interrupt);
  }
  throw new Failure(
    `${jobId} was not followed to its end.`,
    `Ask for it: nanogrid jobs show ${jobId}`,
    EXIT.unreachable,
  );
}

function tellFailure({ status, lastError }: JobSummary, told: boolean): boolean {
  if (lastError && status === "PENDING" && !told) {
    say(`Attempt ${lastError.attempt} failed on NanoGrid's side: ${lastError.message} It is tried again.`);
    return true;
  }
  return told;
}

/** The end of a job in a few lines: outcome, time, memory, files. */
export function summary({ result }: Ended, memoryMb?: number): string {
  const { status, exit_reason, duration_ms, queue_ms, start, error, files } = result;
  const times = [
    duration_ms === null ? undefined : `in ${duration(duration_ms)}`,
    queue_ms === null ? undefined : `after ${duration(queue_ms)} in the queue`,
    start ?? undefined,
  ].filter((part) => part !== undefined);
  const head =
    status === "SUCCESS"
      ? `✔ done ${times.join(", ")}`
      : `✖ ${exit_reason.code}: ${exit_reason.message} ${times.join(", ")}`;
  return [
    head.trimEnd(),
    ...(error ? [error.traceback.trimEnd() || `${error.type}: ${error.message}`] : []),
    ...[memoryAdvice(result, memoryMb)].filter((line) => line !== undefined),
    ...(files.length > 0
      ? [`${files.length} ${files.length === 1 ? "file" : "files"}: nanogrid jobs files ${result.job_id} -o <folder>`]
      : []),
  ].join("\n");
}
