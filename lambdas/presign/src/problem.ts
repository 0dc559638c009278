/** The problems that the function answers. */
import { Problem } from "../../shared/problem";

/** Whose problems they are. */
export const NAMESPACE = "denoise";

/** 400: a query parameter that is wrong. */
export function invalid(field: string, detail: string): Problem {
  const remedy = `Correct ${field} and send the request again: GET /presign?file=<key>&mode=upload|download.`;
  return new Problem({
    status: 400,
    kind: "invalid-request",
    title: "The request is not valid",
    detail: `${field}: ${detail}`,
    remedy,
    errors: [{ field, detail }],
  });
}

/** 404: there is no result under that key. */
export function notFound(key: string): Problem {
  return new Problem({
    status: 404,
    kind: "not-found",
    title: "Not found",
    detail: `There is no result ${JSON.stringify(key)}.`,
    remedy:
      'Check the key: it is the "output" of the answer to POST /inference, and is there once its status is succeeded.',
    errors: [{ field: "file", detail: "there is no such result" }],
  });
}

/** 503: S3 does not answer, or is overloaded. */
export function unavailable(cause: unknown): Problem {
  return new Problem({
    status: 503,
    kind: "unavailable",
    title: "This cannot be done now",
    detail: "S3 did not answer in time.",
    remedy: "Send the request again in a few seconds.",
    retryAfterS: 5,
    cause,
  });
}

/** 500: what nobody expected. */
export function internal(cause: unknown): Problem {
  return new Problem({
    status: 500,
    kind: "internal",
    title: "The function failed",
    detail: "An unexpected error happened while signing.",
    remedy: "Send the request again; if it fails again, give the operator the requestId.",
    cause,
  });
}
