/** A client of the API over fetch, for the page and the command line: time limits, retries that cannot do harm, problems as errors. */
import type { ProblemDocument } from "./types";

const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 300;
const LONGEST_PAUSE_MS = 30_000;
const TIMEOUT_MS = 30_000;

/** The API has refused a request, and says why. */
export class ApiProblem extends Error {
  constructor(readonly problem: ProblemDocument) {
    super(problem.detail);
    this.name = "ApiProblem";
  }
}

/** No answer came. */
export class Unreachable extends Error {
  constructor(url: string, cause: unknown) {
    super(`No answer from ${url}: ${reasonOf(cause)}.`, { cause });
    this.name = "Unreachable";
  }
}

/** Where the API is and who asks. */
export interface ApiProps {
  /** Such as https://nanogrid.example.com, without a path; empty for the page's own. */
  readonly url: string;
  readonly key: string;
  /** @default fetch */
  readonly fetch?: typeof fetch;
}

/** A request. */
export interface ApiRequest {
  /** Sent as JSON. @default - no body, or `body` */
  readonly json?: unknown;
  /** Sent as it is; a stream as a function, since each attempt needs its own. @default - none */
  readonly body?: BodyInit | (() => ReadableStream<Uint8Array>);
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether sending it twice does what once does. @default - true of GET and DELETE */
  readonly idempotent?: boolean;
  /** Until the answer's head has to be there. @default 30000 */
  readonly timeoutMs?: number;
  /** Ends the request. @default - nothing does */
  readonly signal?: AbortSignal;
}

export class Api {
  constructor(private readonly props: ApiProps) {}

  /**
   * Sends a request. One that was not taken (429) or may be repeated (`idempotent`: 502, 503, 504, no answer) is sent up to four times,
   * after pauses with jitter, or as long as `Retry-After` says.
   * @returns a response of 2xx, its body still unread
   * @throws ApiProblem for other answers, Unreachable without one
   */
  async send(method: string, path: string, request: ApiRequest = {}): Promise<Response> {
    const { idempotent = method === "GET" || method === "DELETE", signal } = request;
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.attempt(method, path, request);
      if (outcome instanceof Response && outcome.ok) {
        return outcome;
      }
      if (attempt === ATTEMPTS || !mayRepeat(outcome, idempotent) || signal?.aborted) {
        throw outcome instanceof Response ? new ApiProblem(await problemOf(outcome)) : outcome;
      }
      await pause(pauseMs(outcome, attempt), signal);
    }
  }

  /** GET, as JSON. */
  async get<T>(path: string, request?: ApiRequest): Promise<T> {
    return (await this.send("GET", path, request)).json() as Promise<T>;
  }

  /** Any method, answered with JSON. */
  async call<T>(method: string, path: string, request?: ApiRequest): Promise<T> {
    return (await this.send(method, path, request)).json() as Promise<T>;
  }

  private async attempt(method: string, path: string, request: ApiRequest): Promise<Response | Unreachable> {
    const { json, body, headers = {}, timeoutMs = TIMEOUT_MS, signal } = request;
    const { url, key, fetch: send = fetch } = this.props;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(new Error(`nothing came within ${timeoutMs / 1000} s`)), timeoutMs);
    try {
      return await send(`${url}${path}`, {
        method,
        ...(typeof body === "function"
          ? { body: body(), duplex: "half" }
          : { body: json === undefined ? body : JSON.stringify(json) }),
        headers: {
          Authorization: `Bearer ${key}`,
          ...(json === undefined ? {} : { "Content-Type": "application/json" }),
          ...headers,
        },
        signal: signal ? AbortSignal.any([signal, limit.signal]) : limit.signal,
        cache: "no-store",
        // A key must not follow a redirect to somebody else.
        redirect: "error",
      });
    } catch (error) {
      if (signal?.aborted) {
        throw error;
      }
      return new Unreachable(url || "the controller", limit.signal.aborted ? limit.signal.reason : error);
    } finally {
      clearTimeout(timer);
    }
  }
}

function mayRepeat(outcome: Response | Unreachable, idempotent: boolean): boolean {
  if (outcome instanceof Unreachable) {
    return idempotent;
  }
  return outcome.status === 429 || (idempotent && [502, 503, 504].includes(outcome.status));
}

function pauseMs(outcome: Response | Unreachable, attempt: number): number {
  const asked = outcome instanceof Response ? Number(outcome.headers.get("retry-after") ?? "0") * 1_000 : 0;
  const backoff = FIRST_PAUSE_MS * 2 ** (attempt - 1);
  return Math.min(LONGEST_PAUSE_MS, Math.max(asked || 0, backoff)) * (1 + Math.random() / 4);
}

/** Waits, or ends at once when `signal` is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
    if (signal?.aborted) {
      done();
    }
  });
}

/** The problem of a refusal; one of our own words where something between here and the controller has answered. */
async function problemOf(response: Response): Promise<ProblemDocument> {
  const text = await response.text().catch(() => "");
  try {
    const document = JSON.parse(text) as ProblemDocument;
    if (typeof document?.title === "string" && typeof document.detail === "string") {
      return document;
    }
  } catch {
    // Not of the controller.
  }
  return {
    title: "Not an answer of NanoGrid",
    status: response.status,
    detail: `The answer has status ${response.status} and is no problem document.`,
    remedy: "Check the URL, and what stands between here and the controller: a proxy, a load balancer, a firewall.",
  };
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) {
    return String(cause);
  }
  // fetch says only "fetch failed"; what has failed is below.
  const { cause: inner } = cause;
  return inner instanceof Error ? reasonOf(inner) : cause.message || (cause as { code?: string }).code || cause.name;
}
