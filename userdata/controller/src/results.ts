/** Waiting for the result of a job: Redis tells at once, the jobs table tells in any case. */
import { setTimeout as sleep } from "node:timers/promises";
import { isFinal, type JobItem, type JobsTable } from "./jobs-table";
import { isJson, withRaw } from "./json";
import type { Logger } from "./log";
import type { JobEvents } from "./redis";
import { type ResultDocument, resultDocument } from "./schemas";

/** How often a waiting call looks at the table, in milliseconds; spread by a tenth, so that callers do not look all at once. */
const LOOK_MS = 5_000;

export interface WaitProps {
  /** Longest wait, in milliseconds. */
  readonly maxMs: number;
  /** Looks at the table at once: for a job that may have ended already. */
  readonly atOnce: boolean;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/** The events of one job, from the moment of its creation on. */
export interface Watch {
  /**
   * Waits for the result document.
   * @returns its JSON; undefined when the time is up or `signal` is aborted before, or when the result is lost
   */
  result(props: WaitProps): Promise<string | undefined>;
  /** Stops watching. */
  close(): void;
}

export class Results {
  constructor(
    private readonly jobs: JobsTable,
    private readonly events: JobEvents,
    private readonly log: Logger,
  ) {}

  /** Begins to watch a job. To miss nothing, call it before the job is queued. */
  async watch(jobId: string): Promise<Watch> {
    let arrived: (result: string) => void;
    const event = new Promise<string>((resolve) => {
      arrived = resolve;
    });
    const unsubscribe = await this.events.subscribe(jobId, (text) => {
      if (isFinalEvent(text)) {
        arrived(text);
      }
    });
    return {
      result: (props) => this.wait(jobId, event, props),
      close: unsubscribe,
    };
  }

  /**
   * The result document of a final job as JSON; undefined when it is not final, or its result was too large for the table and
   * Redis has lost it.
   */
  async of(job: JobItem): Promise<string | undefined> {
    if (!isFinal(job.status)) {
      return undefined;
    }
    if (job.result !== undefined) {
      return isJson(job.result) ? job.result : undefined;
    }
    try {
      const view = await this.events.view(job.jobId);
      return view !== null && isFinalEvent(view) ? view : undefined;
    } catch (err) {
      this.log.warn({ err, jobId: job.jobId }, "Redis: a result that is too large for the table was not read");
      return undefined;
    }
  }

  private async wait(jobId: string, event: Promise<string>, props: WaitProps): Promise<string | undefined> {
    const answered = new AbortController();
    const signal = AbortSignal.any([props.signal, answered.signal]);
    try {
      return await Promise.race([event, this.lookFromTimeToTime(jobId, { ...props, signal })]);
    } finally {
      answered.abort();
    }
  }

  private async lookFromTimeToTime(jobId: string, { maxMs, atOnce, signal }: WaitProps): Promise<string | undefined> {
    const end = Date.now() + maxMs;
    for (let look = atOnce; !signal.aborted; look = true) {
      const found = look ? await this.look(jobId) : "open";
      if (found !== "open") {
        return found.result;
      }
      const left = end - Date.now();
      if (left <= 0) {
        return undefined;
      }
      const pause = Math.min(left, LOOK_MS * (0.95 + Math.random() / 10));
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
    return undefined;
  }

  private async look(jobId: string): Promise<"open" | { readonly result: string | undefined }> {
    try {
      const job = await this.jobs.find(jobId);
      return job && !isFinal(job.status) ? "open" : { result: job && (await this.of(job)) };
    } catch (err) {
      this.log.warn({ err, jobId }, "the jobs table was not read; looking again");
      return "open";
    }
  }
}

/** The view of a job with the result where there is one, as JSON. */
export function jobJson(view: object, result: string | undefined): string {
  return result === undefined ? JSON.stringify(view) : withRaw(view, "result", result);
}

/** The log of a result document, and which attempt wrote it; undefined when the document is not as it must be. */
export function logOf(result: string): Pick<ResultDocument, "attempt" | "logs" | "logs_truncated"> | undefined {
  return resultDocument.pick({ attempt: true, logs: true, logs_truncated: true }).safeParse(JSON.parse(result)).data;
}

/** The output file of that name in a result document. */
export function outputFile(result: string, name: string): { readonly key: string } | undefined {
  const parsed = resultDocument.pick({ files: true }).safeParse(JSON.parse(result));
  return parsed.data?.files.find((file) => file.name === name);
}

/** Whether an event of a job is its result document. */
export function isFinalEvent(text: string): boolean {
  try {
    const event: unknown = JSON.parse(text);
    return typeof event === "object" && event !== null && "status" in event && isFinal(String(event.status));
  } catch {
    return false;
  }
}
