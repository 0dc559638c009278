/**
 * A stand-in of a Lambda function URL with AWS_IAM: it checks the signature of each request, asks the deployed policies for both actions
 * that a call needs, and gives the function its event. It keeps Lambda's limits; it does not stream, and knows no CORS.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readBody } from "../body";
import { signerOf } from "../gateway/access";
import { type Answer, answerOf, eventOf, type ReadRequest } from "../gateway/event";
import { type Invocable, ThrottledError } from "../lambda/function";
import { MAX_PAYLOAD_BYTES } from "../lambda/runtime-api";
import { type PolicySource, permissionOf } from "./permissions";

/** How far the clock of who signs may be off, in milliseconds. */
const SKEW_MS = 300_000;
/** Id in the URL's host name; nothing depends on it here. */
const URL_ID = "local";

/** What the URL stands for. */
export interface FunctionUrlProps extends PolicySource {
  readonly fn: Invocable;
  /** @default - any free one */
  readonly port?: number;
  /** Gets a line of JSON for each request. @default - thrown away */
  readonly onLog?: (line: string) => void;
}

/** A URL that answers. */
export interface FunctionUrl {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts it on loopback. */
export async function startFunctionUrl(props: FunctionUrlProps): Promise<FunctionUrl> {
  const server = createServer((request, response) => {
    serve(props, request, response).catch((error: unknown) => {
      props.onLog?.(JSON.stringify({ level: "error", msg: String(error) }));
      response.destroy();
    });
  });
  server.listen(props.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function serve(props: FunctionUrlProps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const startedAt = performance.now();
  const requestId = randomUUID();
  const [path = "/", query = ""] = (request.url ?? "/").split(/\?(.*)/s);
  const body = await readBody(request, MAX_PAYLOAD_BYTES);
  const read = { request, requestId, path, query, body: body ?? Buffer.alloc(0) };
  const answer = body ? await answerTo(props, read) : refusal(413, "RequestEntityTooLarge", "Request too large");
  response.writeHead(answer.status, {
    ...answer.headers,
    "x-amzn-requestid": requestId,
    "content-length": answer.body.length,
  });
  response.end(request.method === "HEAD" ? undefined : answer.body);
  const durationMs = Math.round(performance.now() - startedAt);
  props.onLog?.(JSON.stringify({ requestId, method: request.method, path, status: answer.status, durationMs }));
}

async function answerTo(props: FunctionUrlProps, read: ReadRequest): Promise<Answer> {
  if (read.request.headers.authorization === undefined) {
    return refusal(403, "MissingAuthenticationTokenException", "Missing Authentication Token");
  }
  const signer = await signerOf(read, "lambda");
  if (!signer) {
    const message = "The request signature we calculated does not match the signature you provided.";
    return refusal(403, "InvalidSignatureException", message);
  }
  if (Math.abs(Date.now() - signer.signedAt.getTime()) > SKEW_MS) {
    return refusal(403, "InvalidSignatureException", "Signature expired.");
  }
  const { caller, denied } = await permissionOf(props, signer.accessKeyId);
  if (denied.length > 0) {
    const actions = denied.join(", ");
    props.onLog?.(JSON.stringify({ requestId: read.requestId, level: "info", msg: "denied", caller, actions }));
    return refusal(403, "AccessDeniedException", "Forbidden");
  }
  try {
    const { functionError, payload } = await props.fn.invoke(eventOf(read, URL_ID, "$default", {}));
    return functionError ? refusal(502, "InternalServerException", "Internal Server Error") : answerOf(payload);
  } catch (error) {
    if (error instanceof ThrottledError) {
      return refusal(429, "TooManyRequestsException", "Rate Exceeded.");
    }
    throw error;
  }
}

function refusal(status: number, type: string, Message: string): Answer {
  return {
    status,
    headers: { "content-type": "application/json", "x-amzn-errortype": type },
    body: Buffer.from(JSON.stringify({ Message })),
  };
}
