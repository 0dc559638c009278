/** Follows a job over its stream of events, across lost connections. */
import { EventSourceParserStream } from "eventsource-parser/stream";
import { type Api, ApiProblem, pause, Unreachable } from "./api";
import { isFinal, type JobSummary, type JobView, type ResultDocument } from "./types";

/** The stream has a comment every 15 s: one that says nothing for longer than this is dead. */
const SILENCE_MS = 45_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** How often in a row a connection may fail before the job's follower is told. */
const FAILURES = 8;

/** Something that has happened to a job. */
export type JobEvent =
  | { readonly type: "status"; readonly job: JobSummary }
  | { readonly type: "log"; readonly attempt: number; readonly offset: number; readonly text: string }
  /** The end. Without a document, the result is lost: it was too large for the table, and Redis has forgotten it. */
  | { readonly type: "result"; readonly job: JobSummary | undefined; readonly result: ResultDocument | undefined };

/**
 * The events of a job, until its result. A connection that breaks is made again, and goes on where the log was.
 * @throws ApiProblem when the API refuses, Unreachable when it stays away
 */
export async function* followJob(api: Api, jobId: string, signal?: AbortSignal): AsyncGenerator<JobEvent, void> {
  const place: Place = { lastEventId: undefined, job: undefined };
  for (let failures = 0; !signal?.aborted; failures++) {
    try {
      for await (const event of connection(api, jobId, place, signal)) {
        failures = 0;
        yield event;
        if (event.type === "result") {
          return;
        }
      }
      const { result, ...job } = await api.get<JobView>(`/v1/jobs/${jobId}`, { signal });
      if (isFinal(job.status)) {
        yield { type: "result", job, result };
        return;
      }
    } catch (error) {
      const refused = error instanceof ApiProblem && error.problem.status < 500;
      if (signal?.aborted || refused || failures >= FAILURES) {
        throw error;
      }
    }
    const backoff = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
    await pause(backoff * (0.5 + Math.random() / 2), signal);
  }
}

/** How far the events have come. */
interface Place {
  lastEventId: string | undefined;
  job: JobSummary | undefined;
}

async function* connection(api: Api, jobId: string, place: Place, signal?: AbortSignal): AsyncGenerator<JobEvent> {
  const silence = new Silence();
  const ended = signal ? AbortSignal.any([signal, silence.signal]) : silence.signal;
  try {
    const response = await api.send("GET", `/v1/jobs/${jobId}/events`, {
      headers: {
        Accept: "text/event-stream",
        ...(place.lastEventId === undefined ? {} : { "Last-Event-ID": place.lastEventId }),
      },
      signal: ended,
    });
    const heard = new TransformStream<string, string>({
      transform(chunk, controller) {
        silence.broken();
        controller.enqueue(chunk);
      },
    });
    const decoder = new TextDecoderStream() as unknown as ReadableWritablePair<string, Uint8Array>;
    const messages = response.body?.pipeThrough(decoder).pipeThrough(heard).pipeThrough(new EventSourceParserStream());
    const reader = messages?.getReader();
    try {
      for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
        const event = read(next.value.event, next.value.data, place);
        place.lastEventId = next.value.id ?? place.lastEventId;
        if (event) {
          yield event;
        }
      }
    } finally {
      await reader?.cancel().catch(() => undefined);
    }
  } catch (error) {
    if (silence.signal.aborted) {
      throw new Unreachable("the stream of events", silence.signal.reason);
    }
    throw error;
  } finally {
    silence.close();
  }
}

function read(type: string | undefined, data: string, place: Place): JobEvent | undefined {
  switch (type) {
    case "status":
      place.job = JSON.parse(data) as JobSummary;
      return { type, job: place.job };
    case "log":
      return { type, ...(JSON.parse(data) as { attempt: number; offset: number; text: string }) };
    case "result":
      return { type, job: place.job, result: (JSON.parse(data) as ResultDocument | null) ?? undefined };
    default:
      return undefined;
  }
}

/** Aborts when nothing has been heard for too long. */
class Silence {
  private readonly controller = new AbortController();
  readonly signal = this.controller.signal;
  private timer = this.start();

  broken(): void {
    clearTimeout(this.timer);
    this.timer = this.start();
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private start(): ReturnType<typeof setTimeout> {
    const end = () => this.controller.abort(new Error(`nothing came for ${SILENCE_MS / 1000} s`));
    return setTimeout(end, SILENCE_MS);
  }
}
