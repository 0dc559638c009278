/** The front's server: the page at `/`, and `/api/…` passed on to the back with the user signed. */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import {
  request as ask,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from "node:http";
import { extname, join } from "node:path";
import { Sessions } from "./session";
import { readSettings, type Settings } from "./settings";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
};
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "media-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");
/** What of a request the back needs to know; above all no cookie. */
const PASSED_IN = ["accept", "content-length", "content-type", "if-none-match", "if-range", "range"];
/** What of an answer the browser needs to know. */
const PASSED_OUT = [
  "accept-ranges",
  "cache-control",
  "content-disposition",
  "content-length",
  "content-range",
  "content-type",
  "etag",
  "last-modified",
  "location",
  "retry-after",
];
const METHODS = ["GET", "HEAD", "POST", "DELETE"];
/** Longest silence of the back: it checks a recording before it answers. */
const BACK_MS = 60_000;
/** A slow line has this long for a recording. */
const UPLOAD_MS = 300_000;
const HEADERS_MS = 15_000;
const QUIET = ["/livez", "/readyz"];

/** Serves until it is told to end. */
class Front {
  private readonly sessions: Sessions;
  private readonly files: ReadonlyMap<string, Buffer>;
  private readonly server: Server;
  private leaving = false;

  constructor(private readonly settings: Settings) {
    this.sessions = new Sessions(settings.sessionKey, settings.secure);
    this.files = new Map(readdirSync(settings.page).map((name) => [name, readFileSync(join(settings.page, name))]));
    this.server = createServer({ requestTimeout: UPLOAD_MS, headersTimeout: HEADERS_MS }, (request, response) =>
      this.serve(request, response),
    );
  }

  start(): void {
    const { host, port } = this.settings;
    this.server.listen(port, host, () => say("info", "listening", { host, port }));
  }

  /** Takes no more requests, and ends when those that run have ended, or after their time. */
  leave(): void {
    if (this.leaving) {
      return;
    }
    this.leaving = true;
    say("info", "leaving", {});
    this.server.close(() => process.exit(0));
    this.server.closeIdleConnections();
    setTimeout(() => this.server.closeAllConnections(), this.settings.drainS * 1_000).unref();
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    const id = randomBytes(16).toString("hex");
    const started = performance.now();
    const { pathname, search } = new URL(`http://front${/^\/[^/\\]/.test(request.url ?? "") ? request.url : "/"}`);
    response.setHeader("x-request-id", id);
    response.setHeader("x-content-type-options", "nosniff");
    response.setHeader("referrer-policy", "no-referrer");
    response.once("close", () => {
      const status = response.writableFinished ? response.statusCode : 499;
      if (status >= 400 || !QUIET.includes(pathname)) {
        const ms = Math.round(performance.now() - started);
        say("info", "answered", { request_id: id, method: request.method, path: pathname, status, ms });
      }
    });
    if (pathname === "/" || pathname.startsWith("/page/")) {
      this.sendFile(request, response, pathname === "/" ? "index.html" : pathname.slice("/page/".length));
    } else if (pathname.startsWith("/api/")) {
      this.pass(request, response, pathname.slice("/api".length) + search, id);
    } else if (pathname === "/livez" || pathname === "/readyz") {
      const ready = pathname === "/livez" || !this.leaving;
      response.writeHead(ready ? 200 : 503, { "content-type": "application/json" });
      response.end(JSON.stringify({ status: ready ? "ok" : "leaving" }));
    } else {
      refuse(response, id, 404, "Not found", `There is no ${pathname.slice(0, 100)}.`, "Check the path.");
    }
  }

  private sendFile(request: IncomingMessage, response: ServerResponse, name: string): void {
    const content = this.files.get(name);
    const type = TYPES[extname(name)];
    const isPage = name === "index.html";
    if (!content || !type || (isPage && request.url?.startsWith("/page/"))) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader("content-type", type);
    // Names of all others hold a hash of their content.
    response.setHeader("cache-control", isPage ? "no-store" : "public, max-age=31536000, immutable");
    if (isPage) {
      response.setHeader("content-security-policy", POLICY);
      response.setHeader("cross-origin-opener-policy", "same-origin");
      if (this.sessions.userOf(request.headers.cookie) === undefined) {
        response.setHeader("set-cookie", this.sessions.newCookie());
      }
    }
    response.end(request.method === "HEAD" ? undefined : content);
  }

  /** Passes a request on, as a stream both ways. */
  private pass(request: IncomingMessage, response: ServerResponse, path: string, id: string): void {
    const user = this.sessions.userOf(request.headers.cookie);
    if (user === undefined) {
      const remedy = "Open the page, which gives you a session, and keep its cookie.";
      refuse(response, id, 401, "There is no session", "The request has no cookie of a session.", remedy);
      return;
    }
    const method = request.method ?? "GET";
    if (!METHODS.includes(method)) {
      response.setHeader("allow", METHODS.join(", "));
      refuse(response, id, 405, "Method not allowed", `${method} is not taken here.`, "Check the method.");
      return;
    }
    if (method !== "GET" && method !== "HEAD" && !isOwnPage(request.headers)) {
      const detail = "Another site's page has sent the request.";
      refuse(response, id, 403, "The origin is not allowed", detail, "Use the page of this service.");
      return;
    }
    const { hostname, port, protocol } = this.settings.back;
    const headers: OutgoingHttpHeaders = {
      ...picked(request.headers, PASSED_IN),
      authorization: `Bearer ${this.sessions.token(user)}`,
      "x-request-id": id,
    };
    if (request.headers["transfer-encoding"] !== undefined) {
      headers["transfer-encoding"] = "chunked";
    }
    const upstream = ask({ protocol, hostname, port, method, path, headers, timeout: BACK_MS });
    upstream.on("timeout", () => upstream.destroy(new Error(`no answer within ${BACK_MS / 1_000} s`)));
    upstream.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, picked(answer.headers, PASSED_OUT));
      answer.pipe(response);
      answer.on("error", () => response.destroy());
      // It may be answered before all of it was sent: the rest is not wanted.
      answer.on("end", () => request.unpipe(upstream).resume());
    });
    upstream.on("error", (error) => {
      if (response.headersSent) {
        response.destroy();
        return;
      }
      request.unpipe(upstream).resume();
      say("warning", "the back does not answer", { request_id: id, error: error.message });
      response.setHeader("retry-after", "5");
      const remedy = "Try again in some seconds.";
      refuse(response, id, 503, "The service is not available", "The back does not answer.", remedy);
    });
    response.once("close", () => upstream.destroy());
    request.pipe(upstream);
  }
}

/** Whether a request that changes something comes from this page: browsers say where requests come from, other clients say nothing. */
function isOwnPage(headers: IncomingHttpHeaders): boolean {
  const { origin, host } = headers;
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
}

function picked(headers: IncomingHttpHeaders, names: readonly string[]): OutgoingHttpHeaders {
  return Object.fromEntries(names.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])));
}

/** Answers with a problem document of RFC 9457, in the words of the back's own. */
function refuse(
  response: ServerResponse,
  requestId: string,
  status: number,
  title: string,
  detail: string,
  remedy: string,
): void {
  const type = `urn:music:problem:${title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  response.writeHead(status, { "content-type": "application/problem+json", "cache-control": "no-store" });
  response.end(JSON.stringify({ type, title, status, detail, remedy, requestId }));
}

function say(level: "info" | "warning" | "error", event: string, more: object): void {
  process.stdout.write(`${JSON.stringify({ event, level, timestamp: new Date().toISOString(), ...more })}\n`);
}

try {
  const front = new Front(readSettings(process.env));
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => front.leave());
  }
  front.start();
} catch (error) {
  process.stderr.write(`The front cannot start:\n${(error as Error).message}\n`);
  process.exit(78);
}
