/** The HTTP server around the application: its time limits, and its answer to what is not HTTP. */
import { createServer, type RequestListener, type Server } from "node:http";
import type { Socket } from "node:net";
import { newId } from "./ids";
import { Problem, problemDocument } from "./problems";

/** A server that listens nowhere yet. */
export function createHttpServer(app: RequestListener): Server {
  // The application itself refuses a request without Host: Node would answer it without a word.
  const server = createServer({ requireHostHeader: false }, app);
  // What a client expects besides 100-continue may be left aside.
  server.on("checkExpectation", app);
  // Longer than the load balancer keeps an idle connection (at most 4000 s), so that never it meets a closed one.
  server.keepAliveTimeout = 4_100_000;
  server.headersTimeout = 60_000;
  server.requestTimeout = 600_000;
  server.on("clientError", refuse);
  return server;
}

/** Answers what Node's parser gave up on. There is no request and no response, only the connection. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const problem = problemOf(error.code);
  const requestId = newId("req");
  const body = JSON.stringify(problemDocument(problem.props, "", requestId));
  const head = [
    `HTTP/1.1 ${problem.props.status} ${problem.props.title}`,
    "Content-Type: application/problem+json; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${requestId}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

function problemOf(code: string | undefined): Problem {
  if (code === "HPE_HEADER_OVERFLOW") {
    return malformed(
      431,
      "headers-too-large",
      "Request Header Fields Too Large",
      "The headers have over 16 KiB in all.",
    );
  }
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return malformed(408, "request-timeout", "Request Timeout", "The request did not arrive in time.");
  }
  return malformed(400, "malformed-request", "Bad Request", "The request is not sound HTTP.");
}

function malformed(status: number, kind: string, title: string, detail: string): Problem {
  return new Problem({ status, kind, title, detail, remedy: "Check the headers and how the request is sent." });
}
