/** `GET /` and `GET /page/{proxy+}`: the page to try the API, from files beside the program; payload format 2.0. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";

/** Folder of the page's files in the bundle. */
const FOLDER = join(__dirname, "page");
const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
};
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

// Read when Lambda starts the function: a name that is asked for is looked up, and is no path.
const files = new Map(readdirSync(FOLDER).map((name) => [name, readFileSync(join(FOLDER, name), "utf8")]));

/** Answers one request. */
export async function handler({ pathParameters }: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> {
  const name = pathParameters?.proxy ?? "index.html";
  const body = files.get(name);
  if (body === undefined) {
    return { statusCode: 404, headers: { "content-type": "text/plain; charset=utf-8" }, body: "Not found" };
  }
  // All but the first page are named for what is in them.
  const cache = name === "index.html" ? "no-cache" : "public, max-age=31536000, immutable";
  const headers = {
    "content-type": TYPES[name.split(".").at(-1) ?? ""] ?? "application/octet-stream",
    "cache-control": cache,
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };
  return { statusCode: 200, headers, body };
}
