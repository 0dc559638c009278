/** The page for people: HTML at `/`, its assets, and the API reference at `/docs`. */
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type NextFunction, type Request, type Response, Router } from "express";

/** Beside the bundled controller; a controller that runs from source has no such folder and bundles the page itself. */
const BUNDLED = join(__dirname, "page");
const YEAR_S = 365 * 24 * 3_600;
const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
};

/** Nothing but what this controller serves, no inline script, nobody's frame. */
const POLICY = {
  "default-src": "'none'",
  "script-src": "'self'",
  "connect-src": "'self'",
  "img-src": "'self' data:",
  "base-uri": "'none'",
  "form-action": "'none'",
  "frame-ancestors": "'none'",
};

/** Path of a file, such as `assets/index-ABC.js`, to its bytes. */
type Files = ReadonlyMap<string, Uint8Array>;

/** Adds the page. As middleware, for the API's description does not list it: it is no part of the API. */
export function pageRoutes(router: Router): void {
  let loading: Promise<Files> | undefined;
  const files = () => {
    loading ??= loadFiles();
    return loading;
  };
  const compressed = new Map<string, Uint8Array>();
  const pages = Router();

  pages.get("/", async (request, response, next) => {
    // Clients that do not ask for HTML get the API's links.
    response.vary("Accept");
    if (request.accepts(["json", "html"]) !== "html") {
      next();
      return;
    }
    const nonce = randomBytes(16).toString("base64");
    // CodeMirror writes its styles into a <style> element, and gives it the nonce.
    const policy = { ...POLICY, "style-src": `'self' 'nonce-${nonce}'`, "require-trusted-types-for": "'script'" };
    sendPage(response, policy, textOf(await files(), "index.html").replace("{{nonce}}", nonce));
  });

  pages.get("/docs", async (_request, response) => {
    // RapiDoc has style attributes in its templates. It shows this controller's own document, and no script can be written inline.
    const policy = { ...POLICY, "style-src": "'self' 'unsafe-inline'" };
    sendPage(response, policy, textOf(await files(), "docs.html"));
  });

  pages.get("/assets/:name", async (request: Request, response: Response, next: NextFunction) => {
    const path = `assets/${request.params.name}`;
    const content = (await files()).get(path);
    const type = TYPES[path.split(".").pop() ?? ""];
    if (!content || !type) {
      next();
      return;
    }
    response.vary("Accept-Encoding");
    response.set({
      "Content-Type": type,
      // The name holds a hash of the content.
      "Cache-Control": `public, max-age=${YEAR_S}, immutable`,
      "X-Content-Type-Options": "nosniff",
    });
    if (request.acceptsEncodings("gzip") === "gzip") {
      const packed = compressed.get(path) ?? gzipSync(content);
      compressed.set(path, packed);
      response.set("Content-Encoding", "gzip").end(packed);
      return;
    }
    response.end(content);
  });

  router.use(pages);
}

function sendPage(response: Response, policy: Readonly<Record<string, string>>, html: string): void {
  const directives = Object.entries(policy).map(([name, value]) => `${name} ${value}`);
  response
    .set({
      "Content-Security-Policy": directives.join("; "),
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
      "Referrer-Policy": "no-referrer",
      "Cross-Origin-Opener-Policy": "same-origin",
    })
    .type("html")
    .send(html);
}

function textOf(files: Files, path: string): string {
  const content = files.get(path);
  if (!content) {
    throw new Error(`The page has no ${path}.`);
  }
  return Buffer.from(content).toString();
}

async function loadFiles(): Promise<Files> {
  if (existsSync(BUNDLED)) {
    const paths = readdirSync(BUNDLED, { recursive: true, encoding: "utf8" }).filter((path) => /\.\w+$/.test(path));
    return new Map(paths.map((path) => [path, readFileSync(join(BUNDLED, path))]));
  }
  const { bundlePage } = await import("../../page/bundle");
  return new Map(bundlePage().map(({ path, content }) => [path, content]));
}
