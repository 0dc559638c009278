/** HTTP calls of commands: tried again with jitter where that may help, each told with its request's id. */
import { setTimeout as sleep } from "node:timers/promises";

const ATTEMPTS = 4;
const BACKOFF_MS = 500;
/** Answers that the same request may get no more a moment later. */
const PASSING = [429, 500, 502, 503, 504];
/** Headers with the id under which the other side logs a request. */
const ID_HEADERS = ["apigw-requestid", "x-request-id", "x-amzn-requestid", "x-amz-request-id"];

/** A call. */
export interface Call {
  /** What stands in the log: method and path, and never a query that holds a signature. */
  readonly what: string;
  /** Makes one attempt, bounded in time. */
  readonly send: () => Promise<Response>;
  /** Told about every attempt: status, request id, milliseconds. */
  readonly say: (text: string) => void;
}

/** Makes a call, up to four times. @returns the last answer, or why there was none */
export async function callWithRetries({ say, send, what }: Call): Promise<Response | Error> {
  for (let attempt = 1; ; attempt++) {
    const begun = Date.now();
    const answer = await send().catch((error: Error) => error);
    const took = `${Date.now() - begun} ms`;
    if (answer instanceof Response && !PASSING.includes(answer.status)) {
      say(`${what}: ${answer.status} in ${took}${requestId(answer)}`);
      return answer;
    }
    const said = answer instanceof Response ? `${answer.status}${requestId(answer)}` : messageOf(answer);
    say(`${what}: ${said} in ${took}; attempt ${attempt} of ${ATTEMPTS}`);
    if (attempt === ATTEMPTS) {
      return answer;
    }
    await sleep(Math.random() * BACKOFF_MS * 2 ** attempt);
  }
}

/** The id of a request, ready to be appended to a sentence; empty where the answer has none. */
export function requestId(answer: Response): string {
  const id = ID_HEADERS.map((name) => answer.headers.get(name)).find(Boolean);
  return id ? `, request ${id}` : "";
}

/** `fetch failed` alone says nothing; its cause does. */
export function messageOf({ cause, message }: Error): string {
  const because = (cause as Error | undefined)?.message;
  return because ? `${message}: ${because}` : message;
}

/** A text as JSON; undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
