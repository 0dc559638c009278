/** A request as a function's event, and what the function gives as an answer: payload format 2.0. */
import type { IncomingMessage } from "node:http";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";

/** A request that was read whole. */
export interface ReadRequest {
  readonly request: IncomingMessage;
  readonly requestId: string;
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  readonly body: Buffer;
}

/** An answer, ready to send. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer;
}

/** Content types whose bodies are handed on as text. */
const TEXT = /^(text\/|application\/(json|javascript|xml|[\w.]+\+(json|xml)))/;

/** The event of a request. */
export function eventOf(
  { request, requestId, path, query, body }: ReadRequest,
  apiId: string,
  routeKey: string,
  pathParameters: Readonly<Record<string, string>>,
): APIGatewayProxyEventV2 {
  const { cookie, ...others } = request.headers;
  const headers = Object.fromEntries(Object.entries(others).map(([name, value]) => [name, String(value)]));
  const parameters: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    parameters[name] = name in parameters ? `${parameters[name]},${value}` : value;
  }
  const isText = TEXT.test(headers["content-type"] ?? "text/plain");
  const now = new Date();
  return {
    version: "2.0",
    routeKey,
    rawPath: path,
    rawQueryString: query,
    ...(cookie ? { cookies: cookie.split("; ") } : {}),
    headers,
    ...(query ? { queryStringParameters: parameters } : {}),
    ...(Object.keys(pathParameters).length > 0 ? { pathParameters } : {}),
    requestContext: {
      accountId: "anonymous",
      apiId,
      domainName: headers.host ?? "",
      domainPrefix: apiId,
      http: {
        method: request.method ?? "",
        path,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.socket.remoteAddress ?? "",
        userAgent: headers["user-agent"] ?? "",
      },
      requestId,
      routeKey,
      stage: "$default",
      time: now.toUTCString(),
      timeEpoch: now.getTime(),
    },
    ...(body.length > 0 ? { body: body.toString(isText ? "utf8" : "base64") } : {}),
    isBase64Encoded: body.length > 0 && !isText,
  };
}

/** What a function gave, as an answer: a result with a status, or anything else as JSON. */
export function answerOf(payload: string): Answer {
  const result: unknown = JSON.parse(payload);
  if (typeof result !== "object" || result === null || !("statusCode" in result)) {
    return { status: 200, headers: { "content-type": "application/json" }, body: Buffer.from(payload) };
  }
  const {
    statusCode = 200,
    headers = {},
    cookies,
    body = "",
    isBase64Encoded,
  } = result as APIGatewayProxyStructuredResultV2;
  const sent = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
  return {
    status: statusCode,
    headers: {
      "content-type": "text/plain; charset=utf-8",
      ...Object.fromEntries(sent),
      ...(cookies ? { "set-cookie": cookies } : {}),
    },
    body: Buffer.from(body, isBase64Encoded ? "base64" : "utf8"),
  };
}
