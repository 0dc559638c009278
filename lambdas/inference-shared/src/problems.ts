/** The problems that the inference functions answer. */
import { type FieldError, Problem } from "../../shared/problem";

/** Whose problems they are. */
export const NAMESPACE = "inference";

/** 400: the request says what cannot be taken; every error has its path. */
export function invalid(errors: readonly FieldError[]): Problem {
  const [first] = errors;
  const more = errors.length > 1 ? `, and ${errors.length - 1} more in "errors"` : "";
  return new Problem({
    status: 400,
    kind: "invalid-request",
    title: "The request is not valid",
    detail: `${first?.field}: ${first?.detail}${more}`,
    remedy: "Correct what is in errors and send the request again.",
    errors,
  });
}

/** 413: more than one request may hold. */
export function tooLarge(field: string, detail: string): Problem {
  return new Problem({
    status: 413,
    kind: "too-large",
    title: "The request is too large",
    detail: `${field}: ${detail}`,
    remedy: "Divide it and send the parts.",
    errors: [{ field, detail }],
  });
}

/** 429: the quota of a model is used up. */
export function throttled(model: string, cause: unknown): Problem {
  return new Problem({
    status: 429,
    kind: "throttled",
    title: "The model's quota is used up",
    detail: `${model} takes no more requests for now.`,
    remedy: "Send the request again after the seconds in Retry-After. What was stored until now is not paid for again.",
    retryAfterS: 10,
    cause,
  });
}

/** 503: something behind the function does not answer. */
export function unavailable(what: string, cause: unknown): Problem {
  return new Problem({
    status: 503,
    kind: "unavailable",
    title: "This cannot be done now",
    detail: `${what} did not answer in time.`,
    remedy: "Send the request again in a few seconds. What was stored until now is not paid for again.",
    retryAfterS: 5,
    cause,
  });
}

/** 502: a model answered what cannot be used. */
export function badAnswer(what: string, detail: string, cause?: unknown): Problem {
  return new Problem({
    status: 502,
    kind: "bad-answer",
    title: "A model gave an answer that cannot be used",
    detail: `${what}: ${detail}.`,
    remedy: "Send the request again; if it fails again, give the operator the requestId.",
    cause,
  });
}

/** 500: what nobody expected. */
export function internal(cause: unknown): Problem {
  return new Problem({
    status: 500,
    kind: "internal",
    title: "The function failed",
    detail: "An unexpected error happened.",
    remedy: "Send the request again; if it fails again, give the operator the requestId.",
    cause,
  });
}
