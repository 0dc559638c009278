/**
 * A job's events for one client: its status, its log as it is written, and its result. Redis tells of changes at once; the jobs table is
 * looked at from time to time, so that a lost Redis delays the stream and ends with the same result.
 */
import { isFinal, type JobItem, type JobsTable } from "./jobs-table";
import type { Logger } from "./log";
import type { JobEvents } from "./redis";
import { isFinalEvent, logOf, type Results } from "./results";
import { type JobSummary, type LogEvent, logEvent } from "./schemas";

/** How often the table is looked at, in milliseconds; spread by a tenth, so that streams do not look all at once. */
const LOOK_MS = 5_000;

/** How far a client has a log. */
export interface LogPosition {
  readonly attempt: number;
  /** Bytes that it has. */
  readonly offset: number;
}

/** Where the events go; each call resolves when the client can take more. */
export interface StreamOutput {
  status(summary: JobSummary): Promise<void>;
  log(event: LogEvent, end: LogPosition): Promise<void>;
  /** @param result the result document, as JSON; undefined when it is lost */
  end(result: string | undefined): Promise<void>;
}

export interface JobStreamProps {
  readonly jobs: JobsTable;
  readonly results: Results;
  readonly events: JobEvents;
  readonly log: Logger;
  /** A job as events show it. */
  readonly summary: (job: JobItem) => JobSummary;
}

/**
 * Follows a job until it has ended, or `signal` is aborted.
 * @param from what of the log the client has already
 */
export async function followJob(
  props: JobStreamProps,
  job: JobItem,
  from: LogPosition,
  output: StreamOutput,
  signal: AbortSignal,
): Promise<void> {
  const inbox = new Inbox(signal);
  const unsubscribe = await props.events.subscribe(job.jobId, (text) => inbox.put(text));
  try {
    await new JobStream(props, job, from, output).run(inbox, signal);
  } finally {
    unsubscribe();
  }
}

class JobStream {
  private shown = "";

  constructor(
    private readonly props: JobStreamProps,
    private job: JobItem,
    private position: LogPosition,
    private readonly output: StreamOutput,
  ) {}

  async run(inbox: Inbox, signal: AbortSignal): Promise<void> {
    let result: string | undefined;
    // What was said before the subscription: the table has it, and the live log.
    await this.look();
    await this.catchUp();
    while (!signal.aborted && !isFinal(this.job.status)) {
      const text = await inbox.take(LOOK_MS * (0.95 + Math.random() / 10));
      const written = text === undefined ? undefined : parseLog(text);
      if (written) {
        await this.takeLog(written);
        continue;
      }
      await this.look();
      if (text !== undefined && isFinalEvent(text)) {
        result = text;
        await this.showAs(statusOf(text));
      }
    }
    if (!signal.aborted) {
      await this.finish(result);
    }
  }

  /** Looks at the table, and shows what has changed. */
  private async look(): Promise<void> {
    const { jobs, log } = this.props;
    const { jobId } = this.job;
    try {
      this.job = (await jobs.find(jobId)) ?? this.job;
    } catch (err) {
      log.warn({ err, jobId }, "the jobs table was not read; looking again");
    }
    await this.show();
  }

  private async show(): Promise<void> {
    const summary = this.props.summary(this.job);
    const text = JSON.stringify(summary);
    if (text !== this.shown) {
      this.shown = text;
      await this.output.status(summary);
    }
  }

  /** Shows a status that Redis knows and the table did not tell. */
  private async showAs(status: JobItem["status"]): Promise<void> {
    this.job = { ...this.job, status };
    await this.show();
  }

  /** Sends what the live log has and the client has not; false when that is nothing. */
  private async catchUp(attempt = this.job.attempts): Promise<boolean> {
    const { events, log } = this.props;
    const { jobId } = this.job;
    const offset = this.sent(attempt);
    if (attempt === 0 || offset === undefined) {
      return false;
    }
    try {
      const bytes = await events.liveLog(jobId, attempt, offset);
      await this.send(attempt, offset, bytes);
      return bytes.length > 0;
    } catch (err) {
      log.warn({ err, jobId }, "Redis: the live log was not read; the result has the log");
      return false;
    }
  }

  private async takeLog({ attempt, offset, text }: LogEvent): Promise<void> {
    const has = this.sent(attempt);
    if (has === undefined) {
      return;
    }
    // Where something was missed, the live log has it, and this too.
    if (offset <= has || !(await this.catchUp(attempt))) {
      const begins = Math.max(offset, has);
      await this.send(attempt, begins, Buffer.from(text).subarray(begins - offset));
    }
  }

  /** Bytes of an attempt's log that the client has; undefined when it has begun with a later attempt. */
  private sent(attempt: number): number | undefined {
    if (attempt < this.position.attempt) {
      return undefined;
    }
    return attempt === this.position.attempt ? this.position.offset : 0;
  }

  private async send(attempt: number, offset: number, bytes: Buffer): Promise<void> {
    if (bytes.length > 0) {
      this.position = { attempt, offset: offset + bytes.length };
      await this.output.log({ attempt, offset, text: bytes.toString() }, this.position);
    }
  }

  private async finish(published: string | undefined): Promise<void> {
    const result = published ?? (await this.props.results.of(this.job));
    const written = result === undefined ? undefined : logOf(result);
    const caughtUp = await this.catchUp(written?.attempt);
    if (!caughtUp && written && !written.logs_truncated) {
      // Redis has no live log: a result that has all of it makes up for that.
      await this.takeLog({ attempt: written.attempt, offset: 0, text: written.logs });
    }
    await this.output.end(result);
  }
}

/** Events that have come and not been taken. */
class Inbox {
  private readonly texts: string[] = [];
  private wake: () => void = () => undefined;

  constructor(private readonly signal: AbortSignal) {
    signal.addEventListener("abort", () => this.wake());
  }

  put(text: string): void {
    this.texts.push(text);
    this.wake();
  }

  /** The oldest; undefined when none comes within `ms`, or the signal is aborted. */
  async take(ms: number): Promise<string | undefined> {
    if (this.texts.length === 0 && !this.signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.texts.shift();
  }
}

function parseLog(text: string): LogEvent | undefined {
  try {
    const { type, job_id: _jobId, ...event } = JSON.parse(text);
    return type === "log" ? logEvent.parse(event) : undefined;
  } catch {
    return undefined;
  }
}

function statusOf(text: string): JobItem["status"] {
  return JSON.parse(text).status;
}
