/** RFC 9457 problem documents, as every program here answers them: what was expected, what came, where, and what to do. */

/** A field of the request that is wrong. */
export interface FieldError {
  /** Its path, such as `products.3.title`. */
  readonly field: string;
  readonly detail: string;
}

export interface ProblemProps {
  readonly status: number;
  /** Kind of the problem, the last part of its `type`. */
  readonly kind: string;
  /** The same for each problem of the kind. */
  readonly title: string;
  /** What is wrong this time. */
  readonly detail: string;
  /** What the caller can do. */
  readonly remedy: string;
  /** What of the request is wrong, and how. @default - none */
  readonly errors?: readonly FieldError[];
  /** Seconds after which to try again. @default - no header */
  readonly retryAfterS?: number;
  /** Further members of the document. @default - none */
  readonly members?: object;
  /** What led to it, for the log alone. @default - none */
  readonly cause?: unknown;
}

/** An error that answers the request with a problem document. */
export class Problem extends Error {
  constructor(readonly props: ProblemProps) {
    super(props.detail, { cause: props.cause });
    this.name = "Problem";
  }
}

/**
 * The document of a problem.
 *
 * @param namespace whose problem it is: `type` is `urn:<namespace>:problem:<kind>`
 * @param instance path of the request
 */
export function problemDocument(
  namespace: string,
  props: ProblemProps,
  instance: string,
  requestId: string,
): Record<string, unknown> {
  const { status, kind, title, detail, remedy, errors = [], members } = props;
  return {
    type: `urn:${namespace}:problem:${kind}`,
    title,
    status,
    detail,
    remedy,
    instance,
    requestId,
    ...(errors[0] === undefined ? {} : { field: errors[0].field, errors }),
    ...members,
  };
}
