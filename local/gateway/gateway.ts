/**
 * A stand-in of an HTTP API of API Gateway: it reads the deployed API's routes from the AWS stand-in, calls functions with events, and
 * forwards what goes through a VPC link to the address that answers for its listener. It keeps API Gateway's limits; it does not throttle.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readBody } from "../body";
import type { Invocable } from "../lambda/function";
import { refusalOf } from "./access";
import { type ApiSource, type DeployedApi, type DeployedRoute, readApi } from "./api";
import { corsHeaders, preflightHeaders } from "./cors";
import { type Answer, answerOf, eventOf, type ReadRequest } from "./event";
import { matchRoute } from "./routes";

/** Longest that an integration may take, in milliseconds. */
const INTEGRATION_MS = 30_000;
/** Largest body, in bytes. */
const MAX_BODY_BYTES = 10 * 1024 ** 2;
/** Headers that belong to one connection. */
const HOP_BY_HOP = /^(connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|host|content-length)$/;

/** What the gateway stands for. */
export interface GatewayProps extends ApiSource {
  /** The functions behind it, by name. */
  readonly functions: Readonly<Record<string, Invocable>>;
  /** URL of what answers for the VPC link's listener. */
  readonly upstream: string;
  /** @default - any free one */
  readonly port?: number;
  /** Longest that an integration may take, in milliseconds. @default 30000, which is API Gateway's */
  readonly integrationMs?: number;
  /** Gets a line of JSON for each request. @default - thrown away */
  readonly onLog?: (line: string) => void;
}

/** A gateway that answers. */
export interface Gateway {
  readonly url: string;
  readonly api: DeployedApi;
  close(): Promise<void>;
}

/**
 * Starts a gateway on loopback.
 *
 * @throws Error when the API is not deployed, or leads to a function that was not given
 */
export async function startGateway(props: GatewayProps): Promise<Gateway> {
  const api = await readApi(props);
  for (const { key, target } of api.routes) {
    if (target.kind === "function" && !props.functions[target.name]) {
      throw new Error(`${key} leads to the function ${target.name}. Give it in "functions".`);
    }
  }
  const server = createServer((request, response) => {
    serve(props, api, request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  server.listen(props.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    api,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function serve(
  props: GatewayProps,
  api: DeployedApi,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const startedAt = performance.now();
  const requestId = randomUUID();
  const [path = "/", query = ""] = (request.url ?? "/").split(/\?(.*)/s);
  const answer = await answerTo(props, api, { request, requestId, path, query });
  response.writeHead(answer.status, {
    ...answer.headers,
    ...corsHeaders(api.cors, request.headers.origin),
    "apigw-requestid": requestId,
    "content-length": answer.body.length,
  });
  response.end(request.method === "HEAD" ? undefined : answer.body);
  const durationMs = Math.round(performance.now() - startedAt);
  // Without the query: it can hold a key's name, and a signature.
  props.onLog?.(JSON.stringify({ requestId, method: request.method, path, status: answer.status, durationMs }));
}

async function answerTo(props: GatewayProps, api: DeployedApi, head: Omit<ReadRequest, "body">): Promise<Answer> {
  const { request, path } = head;
  if (api.cors && request.method === "OPTIONS" && request.headers.origin) {
    request.resume();
    return { status: 204, headers: preflightHeaders(api.cors, request.headers), body: Buffer.alloc(0) };
  }
  const body = await readBody(request, MAX_BODY_BYTES);
  if (!body) {
    return message(413, "Request Entity Too Large");
  }
  const read = { ...head, body };
  const found = matchRoute(api.routes, request.method ?? "", path);
  if (!found) {
    return message(404, "Not Found");
  }
  const refusal = await refusalOf(found.route.access, read);
  if (refusal) {
    return message(refusal.status, refusal.message);
  }
  const { integrationMs = INTEGRATION_MS } = props;
  const integration = callIntegration(props, api, read, found.route, found.parameters);
  return inTime(api.cors ? integration.then(withoutCors) : integration, integrationMs).catch((error: Error) => {
    props.onLog?.(JSON.stringify({ requestId: head.requestId, level: "error", msg: error.message }));
    return error instanceof LateError
      ? message(504, "Endpoint request timed out")
      : message(503, "Service Unavailable");
  });
}

/** An API with CORS of its own ignores what the server behind says of it. */
function withoutCors({ headers, ...answer }: Answer): Answer {
  const kept = Object.entries(headers).filter(([name]) => !name.startsWith("access-control-"));
  return { ...answer, headers: Object.fromEntries(kept) };
}

async function callIntegration(
  { functions, upstream, integrationMs = INTEGRATION_MS }: GatewayProps,
  api: DeployedApi,
  read: ReadRequest,
  { key, target }: DeployedRoute,
  parameters: Readonly<Record<string, string>>,
): Promise<Answer> {
  if (target.kind === "listener") {
    return forward(upstream, read, target.headers, integrationMs);
  }
  const invocation = await functions[target.name]?.invoke(eventOf(read, api.id, key, parameters));
  return invocation && !invocation.functionError ? answerOf(invocation.payload) : message(500, "Internal Server Error");
}

async function forward(
  upstream: string,
  { request, requestId, body }: ReadRequest,
  set: Readonly<Record<string, string>>,
  limitMs: number,
): Promise<Answer> {
  const own = Object.entries(set).map(([name, value]) => [name, value === "$context.requestId" ? requestId : value]);
  const headers = {
    ...Object.fromEntries(Object.entries(request.headers).filter(([name]) => !HOP_BY_HOP.test(name))),
    forwarded: `for=${request.socket.remoteAddress};host=${request.headers.host};proto=https`,
    ...Object.fromEntries(own),
    "content-length": body.length,
  };
  const target = new URL(request.url ?? "/", upstream);
  const sent = httpRequest(target, { method: request.method, headers, signal: AbortSignal.timeout(limitMs + 1_000) });
  sent.end(body);
  const [reply] = (await once(sent, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    chunks.push(chunk);
  }
  const kept = Object.entries(reply.headers).flatMap(([name, value]) =>
    HOP_BY_HOP.test(name) || value === undefined ? [] : [[name, value] as const],
  );
  return { status: reply.statusCode ?? 502, headers: Object.fromEntries(kept), body: Buffer.concat(chunks) };
}

class LateError extends Error {}

async function inTime(answer: Promise<Answer>, limitMs: number): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new LateError(`the integration took over ${limitMs} ms`)), limitMs);
  });
  // What comes too late is nobody's any more.
  answer.catch(() => undefined);
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

function message(status: number, text: string): Answer {
  return {
    status,
    headers: { "content-type": "application/json" },
    body: Buffer.from(JSON.stringify({ message: text })),
  };
}
