/** What a call asks for besides its event: headers and the query of an invocation. */
import { BlockList, isIP } from "node:net";
import type { Request } from "express";
import { z } from "zod";
import { type FieldError, invalid } from "./problems";

/** Longest callback URL, in characters. */
export const MAX_CALLBACK_URL = 2_000;
/** Environments whose callbacks may go over plain HTTP. */
const PLAIN_HTTP = new Set(["local", "dev"]);
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/;
const time = z.iso.datetime({ offset: true });

/** How a function is called. */
export interface CallOptions {
  /** Whether the answer is a job at once. */
  readonly asynchronous: boolean;
  /** Whether that follows the header Prefer, which the answer then says. */
  readonly preferred: boolean;
  readonly idempotencyKey: string | undefined;
  /** Where the result goes; null for nowhere. */
  readonly callbackUrl: string | null;
  /** ISO 8601 in UTC: a job not started by then fails. Null for never. */
  readonly deadline: string | null;
  /** W3C trace context of the caller; null when there is none. */
  readonly traceparent: string | null;
}

/**
 * Reads the options of a call.
 * @param environment its name: plain HTTP is for local and dev
 * @throws Problem 400 that names what is wrong
 */
export function readCallOptions(request: Request, environment: string): CallOptions {
  const errors: FieldError[] = [];
  const { mode } = request.query;
  if (mode !== undefined && mode !== "async" && mode !== "sync") {
    errors.push({ field: "query mode", detail: 'expected "async" or "sync"' });
  }
  const header = <T>(name: string, read: (value: string) => T): T | undefined => {
    const value = request.get(name);
    try {
      return value === undefined ? undefined : read(value);
    } catch (error) {
      errors.push({ field: `header ${name}`, detail: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  };
  const idempotencyKey = header("Idempotency-Key", readIdempotencyKey);
  const callbackUrl = header("NanoGrid-Callback-Url", (value) => readCallbackUrl(value, environment)) ?? null;
  const deadline = header("NanoGrid-Deadline", readDeadline) ?? null;
  if (errors.length > 0) {
    throw invalid(errors);
  }
  const preferred = /(^|,)\s*respond-async\s*(;|,|$)/i.test(request.get("prefer") ?? "");
  return {
    asynchronous: mode === undefined ? preferred : mode === "async",
    preferred,
    idempotencyKey,
    callbackUrl,
    deadline,
    traceparent: TRACEPARENT.exec(request.get("traceparent") ?? "")?.[0] ?? null,
  };
}

function readIdempotencyKey(value: string): string {
  if (!IDEMPOTENCY_KEY.test(value)) {
    throw new Error("expected 1 to 255 characters of ASCII");
  }
  return value;
}

/** The worker that calls checks where the name leads; here is refused what can be seen from the URL alone. */
function readCallbackUrl(value: string, environment: string): string {
  if (value.length > MAX_CALLBACK_URL || !/^[\x21-\x7e]+$/.test(value) || !URL.canParse(value)) {
    throw new Error(`expected a URL of at most ${MAX_CALLBACK_URL} characters of ASCII, others percent-encoded`);
  }
  const url = new URL(value);
  const plain = url.protocol === "http:" && PLAIN_HTTP.has(environment);
  if (url.protocol !== "https:" && !plain) {
    throw new Error("expected an https URL: results must not travel unencrypted");
  }
  if (url.username || url.password) {
    throw new Error("expected a URL without user and password: put a secret of yours into its path");
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0 && !isGlobal(host)) {
    throw new Error(`expected a host outside of the network; ${host} is an address that is not global`);
  }
  if (url.href.length > MAX_CALLBACK_URL) {
    throw new Error(`expected at most ${MAX_CALLBACK_URL} characters once it is percent-encoded`);
  }
  return url.href;
}

function readDeadline(value: string): string {
  if (!time.safeParse(value).success) {
    throw new Error("expected a time of ISO 8601 with its zone, such as 2030-01-31T12:00:00Z");
  }
  const deadline = new Date(value);
  if (deadline.getTime() <= Date.now()) {
    throw new Error("expected a time in the future");
  }
  return deadline.toISOString();
}

/** IANA's special-purpose IPv4 ranges: none of them is reachable globally. */
const IPV4_NOT_GLOBAL: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
];
/** Within 2000::/3, what is special: protocol assignments with Teredo, documentation, 6to4. All outside of it is not global. */
const IPV6_NOT_GLOBAL: readonly (readonly [string, number])[] = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
];
const notGlobal = new BlockList();
for (const [network, prefix] of IPV4_NOT_GLOBAL) {
  notGlobal.addSubnet(network, prefix, "ipv4");
}
for (const [network, prefix] of IPV6_NOT_GLOBAL) {
  notGlobal.addSubnet(network, prefix, "ipv6");
}
const globalIpv6 = new BlockList();
globalIpv6.addSubnet("2000::", 3, "ipv6");

function isGlobal(address: string): boolean {
  return isIP(address) === 4
    ? !notGlobal.check(address, "ipv4")
    : globalIpv6.check(address, "ipv6") && !notGlobal.check(address, "ipv6");
}
