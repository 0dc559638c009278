/** Makes calls into jobs: durable in the table first, then in the queue. */
import type { CodeStore } from "./code-store";
import { INLINE_CODE_BYTES } from "./code-store";
import { dependenciesKey, type FunctionItem } from "./functions-table";
import { newId } from "./ids";
import { type Idempotency, type JobItem, type JobsTable, pendingJob, type Version } from "./jobs-table";
import type { Logger } from "./log";
import type { Metrics } from "./metrics";
import { Problem, unavailable } from "./problems";
import type { JobMessage, WorkQueue } from "./queue";
import type { JobEvents } from "./redis";

/** Largest input that travels in the queue's message, in bytes of JSON. */
const INLINE_INPUT_BYTES = 128 * 1024;

/** One call of a function. */
export interface Call {
  readonly function: FunctionItem;
  readonly kind: JobItem["kind"];
  /** The event, as JSON. */
  readonly inputJson: string;
  /** Where the result goes; null for nowhere. */
  readonly callbackUrl: string | null;
  /** ISO 8601 in UTC: a job not started by then fails. Null for never. */
  readonly deadline: string | null;
  /** W3C trace context of the caller; null when there is none. */
  readonly traceparent: string | null;
  /** @default - none: each call is a job of its own */
  readonly idempotency?: Idempotency;
}

/** A job in the table. */
export interface Recorded {
  readonly job: JobItem;
  /** Whether an earlier request with the same idempotency key made it. */
  readonly repeated: boolean;
  /** Whether it is known to be in the queue, or beyond it. */
  readonly queued: boolean;
}

export interface InvokerProps {
  readonly jobs: JobsTable;
  readonly queue: WorkQueue;
  readonly code: CodeStore;
  readonly events: JobEvents;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export class Invoker {
  constructor(private readonly props: InvokerProps) {}

  /**
   * Writes the job of a call, or finds the one that an earlier request with the same idempotency key has made.
   * @throws Problem 409 when that one is forgotten, 422 when it was for another request
   */
  async record(call: Call): Promise<Recorded> {
    const { jobs } = this.props;
    const version = versionOf(call.function);
    const job = pendingJob(newId("job"), call.kind, version, call.callbackUrl);
    const earlier = await jobs.create(job, call.idempotency);
    if (!earlier) {
      return { job, repeated: false, queued: false };
    }
    if (earlier.requestSha256 !== call.idempotency?.requestSha256) {
      throw otherRequest(earlier.forJobId);
    }
    const known = await jobs.find(earlier.forJobId);
    if (!known) {
      throw forgotten(earlier.forJobId);
    }
    if (known.status !== "PENDING" || known.queuedAt) {
      return { job: known, repeated: true, queued: true };
    }
    // Either the earlier request is at this very point, or its controller died here. Sending twice has one effect.
    const older = known.functionVersion !== version.functionVersion;
    if (older && !(await jobs.moveToVersion(known.jobId, version))) {
      return { job: known, repeated: true, queued: true };
    }
    return { job: { ...known, ...version }, repeated: true, queued: false };
  }

  /**
   * Makes the job that resolves a version's dependencies, and queues it.
   * @returns its id
   * @throws Problem 503 when it cannot be queued
   */
  async build(fn: FunctionItem): Promise<string> {
    // A build gets nothing that only a run needs: whoever's packages it installs, they see no variable of the function.
    const bare: FunctionItem = { ...fn, environment: {}, secrets: {}, timeoutS: undefined, egress: false };
    const nothing = { inputJson: "null", callbackUrl: null, deadline: null, traceparent: null };
    const call: Call = { function: bare, kind: "build", ...nothing };
    const recorded = await this.record(call);
    await this.enqueue(recorded, call);
    return recorded.job.jobId;
  }

  /**
   * Queues a job. When this resolves, the job will run even if the controller dies.
   * @throws Problem 503 when it cannot be queued; the job has failed then
   */
  async enqueue({ job, repeated }: Recorded, call: Call): Promise<void> {
    const { jobs, queue, events, metrics, log } = this.props;
    const { jobId } = job;
    events.notePending(jobId);
    try {
      const { message, inputJson } = await this.message(job, call);
      await queue.send(message, inputJson);
    } catch (err) {
      metrics.noteSendFailure();
      log.error({ err, jobId, tenant: job.tenant }, "the job was not queued");
      const detail = "The job could not be put into the queue. It has not run and will not.";
      if (await jobs.failUnqueued(job, detail, call.idempotency)) {
        throw unavailable(detail, err, jobId);
      }
      log.info({ jobId }, "the job was queued all the same");
      return;
    }
    metrics.noteAccepted(job.kind);
    log.info({ jobId, kind: job.kind, functionId: job.functionId, tenant: job.tenant }, "job queued");
    if (call.idempotency) {
      const marked = this.markQueued(jobId);
      // The earlier request may be failing right now: only the mark keeps it from ending the job that this one promises.
      await (repeated ? marked : undefined);
    }
  }

  private async message(job: JobItem, call: Call): Promise<{ message: JobMessage; inputJson: string }> {
    const { function: fn, inputJson, callbackUrl, deadline, traceparent } = call;
    const large = Buffer.byteLength(inputJson) > INLINE_INPUT_BYTES;
    const inputKey = `inputs/${job.tenant}/${job.jobId}.json`;
    if (large) {
      await this.props.code.putInput(inputKey, inputJson);
    }
    const message: JobMessage = {
      schema: 1,
      kind: job.kind,
      job_id: job.jobId,
      tenant: job.tenant,
      function_id: job.functionId,
      function_version: job.functionVersion,
      runtime: fn.runtime,
      handler: fn.handler,
      code: await this.inlineCode(fn, job.jobId),
      code_key: fn.codeKey,
      code_sha256: fn.codeSha256,
      input_key: large ? inputKey : null,
      timeout_s: fn.timeoutS ?? null,
      memory_mb: fn.memoryMb,
      environment: fn.environment,
      secrets: fn.secrets,
      dependencies_key: fn.hasDependencies ? dependenciesKey(fn.tenant, fn.functionId, fn.version) : null,
      callback_url: callbackUrl,
      egress: fn.egress,
      enqueued_at: new Date().toISOString(),
      deadline,
      traceparent,
    };
    return { message, inputJson: large ? "null" : inputJson };
  }

  private async inlineCode(fn: FunctionItem, jobId: string): Promise<string | null> {
    if (fn.codeBytes > INLINE_CODE_BYTES) {
      return null;
    }
    try {
      return await this.props.code.smallCode(fn.codeKey);
    } catch (err) {
      // It only saves the worker a fetch.
      this.props.log.warn(
        { err, jobId, functionId: fn.functionId },
        "the code was not read; the worker has to fetch it",
      );
      return null;
    }
  }

  private async markQueued(jobId: string): Promise<void> {
    try {
      await this.props.jobs.markQueued(jobId);
    } catch (err) {
      this.props.log.warn(
        { err, jobId },
        "the job is queued, but not marked so; a repeated request will send it again",
      );
    }
  }
}

function versionOf({ tenant, functionId, version, codeKey, codeSha256 }: FunctionItem): Version {
  return { tenant, functionId, functionVersion: version, codeKey, codeSha256 };
}

function otherRequest(jobId: string): Problem {
  return new Problem({
    status: 422,
    kind: "idempotency-key-reused",
    title: "The idempotency key was used for another request",
    detail: "This Idempotency-Key came before, with another function or another body.",
    remedy: "Use a new Idempotency-Key for a new request.",
    errors: [{ field: "header Idempotency-Key", detail: "used for another request" }],
    jobId,
  });
}

function forgotten(jobId: string): Problem {
  return new Problem({
    status: 409,
    kind: "job-forgotten",
    title: "The job of this idempotency key is no longer kept",
    detail: "This Idempotency-Key has made a job before, which is not kept any more.",
    remedy: "Use a new Idempotency-Key to run the function again.",
    errors: [{ field: "header Idempotency-Key", detail: "its job is no longer kept" }],
    jobId,
  });
}
