/** Who may ask: `Authorization: Bearer ng_…`, over HTTPS outside of local and dev. */
import type { RequestHandler, Response } from "express";
import type { ApiKeys } from "./keys";
import { Problem } from "./problems";

/** Environments whose keys may travel unencrypted. */
const PLAIN_HTTP = new Set(["local", "dev"]);

/** Lets requests with a valid key through, and notes whose it is. */
export function authenticate(keys: ApiKeys, environment: string): RequestHandler {
  return async (request, response, next) => {
    const key = /^Bearer +(\S+)$/i.exec(request.get("authorization") ?? "")?.[1];
    if (key !== undefined && request.protocol !== "https" && !PLAIN_HTTP.has(environment)) {
      throw plainHttp();
    }
    const owner = key === undefined ? undefined : await keys.owner(key);
    if (!owner) {
      throw unauthorized(key);
    }
    response.locals.tenant = owner.tenant;
    next();
  };
}

/** The tenant of an authenticated request. */
export function tenantOf(response: Response): string {
  return String(response.locals.tenant);
}

function unauthorized(key: string | undefined): Problem {
  return new Problem({
    status: 401,
    kind: "unauthorized",
    title: "No valid API key",
    detail: key === undefined ? "The request has no API key." : "The API key of the request is not known.",
    remedy: "Send the header Authorization: Bearer ng_…; the operator makes keys.",
    errors: [{ field: "header Authorization", detail: "expected Bearer and an API key" }],
    headers: { "WWW-Authenticate": 'Bearer realm="nanogrid"' },
  });
}

function plainHttp(): Problem {
  return new Problem({
    status: 403,
    kind: "https-required",
    title: "HTTPS is required",
    detail: "The API key came over plain HTTP, where others can read it.",
    remedy: "Use https://, and have the operator replace this key.",
    errors: [{ field: "header Authorization", detail: "sent over plain HTTP" }],
  });
}
