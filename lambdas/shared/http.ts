/** Answers of a function behind an HTTP API, payload format 2.0: JSON, problems, and a log line for each request. */
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from "aws-lambda";
import type { Log, LogFields } from "./log";
import { Problem, type ProblemProps, problemDocument } from "./problem";

/** What a request came to. */
export interface Done {
  readonly status: number;
  readonly document: object;
  /** @default - none */
  readonly headers?: Readonly<Record<string, string>>;
  /** What the log says of it, besides ids, status and time: never what customers wrote. @default - nothing */
  readonly about?: LogFields;
}

export interface HttpHandlerProps {
  /** Whose problems they are, in `type`. */
  readonly namespace: string;
  readonly log: Log;
  /** The problem of an error that nobody expected. */
  readonly unexpected: (cause: unknown) => Problem;
  /** @throws Problem for any other answer than the one it gives */
  readonly work: (event: APIGatewayProxyEventV2, context: Context) => Promise<Done>;
}

/** A handler that answers whatever happens, and logs it once. */
export function httpHandler({ namespace, log, unexpected, work }: HttpHandlerProps) {
  return async (event: APIGatewayProxyEventV2, context: Context): Promise<APIGatewayProxyStructuredResultV2> => {
    const startedAt = performance.now();
    const { requestId } = event.requestContext;
    const about = { requestId, invocationId: context.awsRequestId, route: event.routeKey };
    const durationMs = () => Math.round(performance.now() - startedAt);
    try {
      const { status, document, headers, about: more } = await work(event, context);
      log("info", "answered", { ...about, ...more, status, durationMs: durationMs() });
      return answer(status, "application/json", document, headers);
    } catch (error) {
      const { props } = error instanceof Problem ? error : unexpected(error);
      const { status, kind, cause } = props;
      log(status >= 500 ? "error" : "info", kind, { ...about, status, durationMs: durationMs(), cause });
      return refusal(namespace, props, event.rawPath, requestId);
    }
  };
}

/** The answer of a problem. */
export function refusal(
  namespace: string,
  props: ProblemProps,
  path: string,
  requestId: string,
): APIGatewayProxyStructuredResultV2 {
  const { retryAfterS } = props;
  const headers: Record<string, string> = retryAfterS === undefined ? {} : { "retry-after": String(retryAfterS) };
  return answer(props.status, "application/problem+json", problemDocument(namespace, props, path, requestId), headers);
}

/** An answer that no cache keeps. */
export function answer(
  statusCode: number,
  type: string,
  document: object,
  headers: Readonly<Record<string, string>> = {},
): APIGatewayProxyStructuredResultV2 {
  const common = { "content-type": type, "cache-control": "no-store", "x-content-type-options": "nosniff" };
  return { statusCode, headers: { ...common, ...headers }, body: JSON.stringify(document) };
}
