/**
 * A stand-in of Lambda's Runtime API, as AWS documents it
 * (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html): what AWS's runtime interface clients speak, in any language.
 * One server serves one execution environment, which works on one invocation at a time.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readBody } from "../body";

const VERSION = "2018-06-01";
/** Largest payload of a synchronous invocation, either way, in bytes. */
export const MAX_PAYLOAD_BYTES = 6 * 1024 ** 2;
/** An error's document, and a little more. */
const MAX_ERROR_BYTES = 256 * 1024;

/** An invocation as the runtime gets it. */
export interface Work {
  readonly requestId: string;
  /** The event, as JSON. */
  readonly payload: string;
  /** When the invocation is cut, in milliseconds since the epoch. */
  readonly deadlineMs: number;
  /** Value of `X-Amzn-Trace-Id`. */
  readonly traceId: string;
  readonly functionArn: string;
}

/** What a runtime says. */
export type Said =
  | { readonly kind: "ready" }
  | { readonly kind: "response" | "error"; readonly requestId: string; readonly payload: string }
  | { readonly kind: "init-error"; readonly payload: string };

/** The server. What the runtime says goes to `listener`. */
export class RuntimeApi {
  private waiting: ServerResponse | undefined;
  private work: Work | undefined;

  private constructor(
    private readonly server: Server,
    private readonly listener: (said: Said) => void,
  ) {}

  /** Starts it on a free port of loopback. */
  static async start(listener: (said: Said) => void): Promise<RuntimeApi> {
    const server = createServer();
    // A runtime waits for its next invocation for as long as it takes.
    server.requestTimeout = 0;
    server.timeout = 0;
    server.keepAliveTimeout = 0;
    const api = new RuntimeApi(server, listener);
    server.on("request", (request, response) => {
      api.answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return api;
  }

  /** Value of AWS_LAMBDA_RUNTIME_API. */
  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Hands an invocation to the runtime, which has said that it is ready. */
  send(work: Work): void {
    const response = this.waiting;
    if (!response) {
      throw new Error("The runtime was given an invocation before it asked for one.");
    }
    this.waiting = undefined;
    this.work = work;
    response
      .writeHead(200, {
        "content-type": "application/json",
        "lambda-runtime-aws-request-id": work.requestId,
        "lambda-runtime-deadline-ms": String(work.deadlineMs),
        "lambda-runtime-invoked-function-arn": work.functionArn,
        "lambda-runtime-trace-id": work.traceId,
      })
      .end(work.payload);
  }

  /** Ends it; what is open is dropped. A second call does nothing. */
  async close(): Promise<void> {
    if (!this.server.listening) {
      return;
    }
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = "" } = request;
    const [, id, what] = new RegExp(`^/${VERSION}/runtime/invocation/([^/]+)/(response|error)$`).exec(url) ?? [];
    if (method === "GET" && url === `/${VERSION}/runtime/invocation/next`) {
      this.next(response);
    } else if (method === "POST" && url === `/${VERSION}/runtime/init/error`) {
      this.listener({ kind: "init-error", payload: (await readBody(request, MAX_ERROR_BYTES))?.toString() ?? "{}" });
      accept(response);
    } else if (method === "POST" && (what === "response" || what === "error")) {
      await this.finish(request, response, decodeURIComponent(id ?? ""), what);
    } else {
      refuse(response, 404, "NotFound", `There is nothing at ${method} ${url}.`);
    }
  }

  private next(response: ServerResponse): void {
    if (this.work) {
      refuse(response, 403, "InvalidStateTransition", "The invocation before has no response yet.");
      return;
    }
    this.waiting = response;
    this.listener({ kind: "ready" });
  }

  private async finish(
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
    kind: "response" | "error",
  ): Promise<void> {
    if (this.work?.requestId !== requestId) {
      refuse(response, 400, "InvalidRequestID", "Invalid request ID");
      return;
    }
    const body = await readBody(request, kind === "error" ? MAX_ERROR_BYTES : MAX_PAYLOAD_BYTES);
    const payload = body?.toString();
    this.work = undefined;
    if (payload === undefined) {
      const errorType = "Function.ResponseSizeTooLarge";
      const errorMessage = `Response payload size exceeded maximum allowed payload size (${MAX_PAYLOAD_BYTES} bytes).`;
      this.listener({ kind: "error", requestId, payload: JSON.stringify({ errorType, errorMessage }) });
      refuse(response, 413, "RequestEntityTooLarge", errorMessage);
      return;
    }
    this.listener({ kind, requestId, payload });
    accept(response);
  }
}

function accept(response: ServerResponse): void {
  response.writeHead(202, { "content-type": "application/json" }).end('{"status":"OK"}');
}

function refuse(response: ServerResponse, status: number, errorType: string, errorMessage: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ errorType, errorMessage }));
}
