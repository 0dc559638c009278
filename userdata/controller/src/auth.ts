/** Who may ask, what, and how often: `Authorization: Bearer ng_…`, over HTTPS outside of local and dev. */
import type { NextFunction, RequestHandler, Response } from "express";
import type { ApiKeys, KeyOwner } from "./keys";
import type { RequestLimits, Standing } from "./limits";
import { Problem } from "./problems";
import { type Role, role as roles } from "./schemas";

/** Environments whose keys may travel unencrypted. */
const PLAIN_HTTP = new Set(["local", "dev"]);

/** A handler that looks at whose the request is, and at nothing else of it. */
type Guard = (request: unknown, response: Response, next: NextFunction) => Promise<void>;

/** Lets requests with a valid key through, notes whose it is, and begins to count the request against the key's limit. */
export function authenticate(keys: ApiKeys, limits: RequestLimits, environment: string): RequestHandler {
  return async (request, response, next) => {
    const key = /^Bearer +(\S+)$/i.exec(request.get("authorization") ?? "")?.[1];
    if (key !== undefined && request.protocol !== "https" && !PLAIN_HTTP.has(environment)) {
      throw plainHttp();
    }
    const owner = key === undefined ? undefined : await keys.owner(key);
    if (!owner) {
      throw unauthorized(key);
    }
    response.locals.owner = owner;
    response.locals.standing = limits.count(owner);
    // What belongs to a tenant is for nobody's cache.
    response.set("Cache-Control", "no-store");
    next();
  };
}

/** Lets keys through that have a role, or one that may more, and are within their limit. */
export function allow(role: Role): Guard {
  const hasRole = requireRole(role);
  return async (request, response, next) => {
    await withinLimit(response);
    await hasRole(request, response, next);
  };
}

/** The same without the limit, for a handler that calls `withinLimit` beside its other work. */
export function requireRole(role: Role): Guard {
  const enough = roles.options.slice(roles.options.indexOf(role));
  return async (_request, response, next) => {
    const has = ownerOf(response).role;
    if (!enough.includes(has)) {
      throw forbidden(has, enough);
    }
    next();
  };
}

/**
 * Resolves when the request is within its key's limit.
 * @throws Problem 429
 */
export async function withinLimit(response: Response): Promise<void> {
  const { headers, refusal } = await (response.locals.standing as Promise<Standing>);
  response.set(headers);
  if (refusal) {
    throw refusal;
  }
}

/** Whose key an authenticated request was made with. */
export function ownerOf(response: Response): KeyOwner {
  return response.locals.owner as KeyOwner;
}

/** The tenant of an authenticated request. */
export function tenantOf(response: Response): string {
  return ownerOf(response).tenant;
}

function unauthorized(key: string | undefined): Problem {
  return new Problem({
    status: 401,
    kind: "unauthorized",
    title: "No valid API key",
    detail: key === undefined ? "The request has no API key." : "The API key of the request is not known.",
    remedy: "Send the header Authorization: Bearer ng_…; an admin of the tenant or the operator makes keys.",
    errors: [{ field: "header Authorization", detail: "expected Bearer and an API key" }],
    headers: { "WWW-Authenticate": 'Bearer realm="nanogrid"' },
  });
}

function forbidden(has: Role, enough: readonly Role[]): Problem {
  return new Problem({
    status: 403,
    kind: "forbidden",
    title: "The key's role may not do this",
    detail: `This needs a key of role ${enough.join(" or ")}; this key has role ${has}.`,
    remedy: `Use a key of role ${enough.join(" or ")}; an admin of the tenant makes one with POST /v1/keys.`,
    errors: [{ field: "header Authorization", detail: `needs role ${enough.join(" or ")}` }],
  });
}

function plainHttp(): Problem {
  return new Problem({
    status: 403,
    kind: "https-required",
    title: "HTTPS is required",
    detail: "The API key came over plain HTTP, where others can read it.",
    remedy: "Use https://, and have this key replaced.",
    errors: [{ field: "header Authorization", detail: "sent over plain HTTP" }],
  });
}
