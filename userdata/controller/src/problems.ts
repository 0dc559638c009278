/** RFC 9457 problem documents: what was expected, what came, where, and what to do. */
import { isNativeError } from "node:util/types";
import type { ErrorRequestHandler, Request, RequestHandler, Response } from "express";
import type { z } from "zod";
import type { Logger } from "./log";

/** How long the rest of a refused body may still arrive, in milliseconds. */
const LINGER_MS = 10_000;

/** One field that is wrong. */
export interface FieldError {
  /** Path of the field in the body, or `header <name>`, `query <name>`. */
  readonly field: string;
  readonly detail: string;
}

export interface ProblemProps {
  readonly status: number;
  /** Kind of the problem, the last part of its `type`. */
  readonly kind: string;
  /** The same for each problem of the kind. */
  readonly title: string;
  /** What is wrong this time. */
  readonly detail: string;
  /** What the caller can do. */
  readonly remedy: string;
  /** @default - none */
  readonly errors?: readonly FieldError[];
  /** The job that it is about. @default - none */
  readonly jobId?: string;
  /** Response headers. @default - none */
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the document. @default - none */
  readonly more?: Readonly<Record<string, unknown>>;
  /** What led to it, for the log alone. @default - none */
  readonly cause?: unknown;
}

/** An error that answers the request with a problem document. */
export class Problem extends Error {
  constructor(readonly props: ProblemProps) {
    super(props.detail, { cause: props.cause });
    this.name = "Problem";
  }
}

/** 404: nothing of the tenant has that id. Another tenant's is not found either. */
export function notFound(
  what: string,
  id: string,
  remedy = `Check the id; GET /v1/${what}s lists those of this key's tenant.`,
): Problem {
  const detail = `There is no ${what} ${JSON.stringify(id)}.`;
  return new Problem({ status: 404, kind: "not-found", title: "Not found", detail, remedy });
}

/** 400: fields that are wrong. */
export function invalid(errors: readonly FieldError[]): Problem {
  return new Problem({
    status: 400,
    kind: "invalid-request",
    title: "The request is not valid",
    detail: errors.map(({ field, detail }) => `${field}: ${detail}`).join("; "),
    remedy: `Correct ${errors.map(({ field }) => field).join(", ")} and send the request again. /openapi.json describes it.`,
    errors,
  });
}

/** 413: a body over its limit. */
export function tooLarge(limitBytes: number, remedy: string): Problem {
  return new Problem({
    status: 413,
    kind: "body-too-large",
    title: "The body is too large",
    detail: `The body of this request may have at most ${limitBytes} bytes.`,
    remedy,
    errors: [{ field: "body", detail: `at most ${limitBytes} bytes` }],
  });
}

/** 415: a content type that the route does not take. */
export function unsupportedType(came: string | undefined, expected: string): Problem {
  return new Problem({
    status: 415,
    kind: "unsupported-media-type",
    title: "The content type is not supported",
    detail: `Expected ${expected}, got ${came ? JSON.stringify(came) : "no Content-Type"}.`,
    remedy: `Send the body as ${expected}.`,
    errors: [{ field: "header Content-Type", detail: `expected ${expected}` }],
  });
}

/** 503: a service that the controller needs does not answer. */
export function unavailable(detail: string, cause: unknown, jobId?: string): Problem {
  return new Problem({
    status: 503,
    kind: "unavailable",
    title: "NanoGrid cannot do this now",
    detail,
    remedy: "Send the request again in a few seconds; with the same Idempotency-Key it cannot run twice.",
    headers: { "Retry-After": "5" },
    jobId,
    cause,
  });
}

/** What zod found, as fields. `root` names the value itself. */
export function fieldErrors(error: z.ZodError, root = "body"): FieldError[] {
  return error.issues.flatMap((issue) => {
    const field = issue.path.map(String).join(".") || root;
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({
        field: [...issue.path.map(String), key].join("."),
        detail: "is not known here",
      }));
    }
    return [{ field, detail: issue.message }];
  });
}

/** Answers what no route took. */
export const noSuchRoute: RequestHandler = (request) => {
  throw new Problem({
    status: 404,
    kind: "no-such-route",
    title: "No such route",
    detail: `There is nothing at ${request.method} ${request.path}.`,
    remedy: "See /openapi.json for what there is.",
  });
};

/** Answers a known path with a method that it lacks. */
export function methodNotAllowed(allowed: readonly string[]): RequestHandler {
  return (request) => {
    throw new Problem({
      status: 405,
      kind: "method-not-allowed",
      title: "The method is not allowed here",
      detail: `${request.path} takes ${allowed.join(", ")}, not ${request.method}.`,
      remedy: "See /openapi.json for what there is.",
      headers: { Allow: allowed.join(", ") },
    });
  };
}

/** Turns every error into a problem document, and logs those that are ours. */
export function problemHandler(log: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    const { props } = toProblem(error);
    const requestId = String(response.locals.requestId);
    if (props.cause !== undefined) {
      log.error({ err: props.cause, requestId, jobId: props.jobId, status: props.status }, props.detail);
    }
    if (response.headersSent) {
      next(error);
      return;
    }
    discardRest(request);
    send(request, response, props, requestId);
  };
}

/**
 * Throws away what is still to come of a body, for a short while: a connection that is closed at once would take the answer with
 * it before the client has read it.
 */
function discardRest(request: Request): void {
  if (request.complete) {
    return;
  }
  request.unpipe();
  request.resume();
  const timer = setTimeout(() => request.destroy(), LINGER_MS).unref();
  request.once("close", () => clearTimeout(timer));
  request.once("end", () => clearTimeout(timer));
}

function send(request: Request, response: Response, props: ProblemProps, requestId: string): void {
  response
    .status(props.status)
    .set(props.headers ?? {})
    .type("application/problem+json")
    .send(JSON.stringify(problemDocument(props, request.path, requestId)));
}

/**
 * The document of a problem.
 * @param instance path of the request; empty where it is not known
 */
export function problemDocument(props: ProblemProps, instance: string, requestId: string): object {
  const { status, kind, title, detail, remedy, errors, jobId, more } = props;
  return {
    type: `urn:nanogrid:problem:${kind}`,
    title,
    status,
    detail,
    remedy,
    instance,
    requestId,
    ...(jobId ? { jobId } : {}),
    ...(errors ? { errors } : {}),
    ...more,
  };
}

function toProblem(error: unknown): Problem {
  if (error instanceof Problem) {
    return error;
  }
  if (isUnreachable(error)) {
    return unavailable("A service that this request needs did not answer in time.", error);
  }
  if (isHttpError(error)) {
    return new Problem({
      status: error.status,
      kind: "malformed-request",
      title: "The request cannot be read",
      detail: error.message,
      remedy: "Check the URL, the headers and the encoding of the body.",
    });
  }
  return new Problem({
    status: 500,
    kind: "internal",
    title: "The controller failed",
    detail: "An unexpected error happened in the controller.",
    remedy: "Send the request again; if it fails again, give the operator the requestId.",
    cause: error,
  });
}

/** Whether an error of an AWS client, its retries spent, means that the service is away or overloaded. */
function isUnreachable(error: unknown): boolean {
  if (!isNativeError(error)) {
    return false;
  }
  const { $fault, $retryable, code, name } = error as Error & { $fault?: string; $retryable?: object; code?: string };
  const network = /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/;
  return (
    $fault === "server" ||
    $retryable !== undefined ||
    name === "TimeoutError" ||
    /Throttl|ProvisionedThroughput|TooManyRequests|RequestLimit|SlowDown/.test(name) ||
    network.test(code ?? "")
  );
}

/** Whether an error comes from Express or a body parser about what the client sent. */
function isHttpError(error: unknown): error is Error & { status: number } {
  const status = isNativeError(error) && "status" in error ? error.status : undefined;
  return typeof status === "number" && status >= 400 && status < 500;
}
