/** An error of an API, as a page gets it. */

/** RFC 9457, as every program here answers; API Gateway itself gives a `message` alone. */
export interface ProblemDocument {
  readonly title?: string;
  readonly detail?: string;
  readonly remedy?: string;
  readonly requestId?: string;
  readonly message?: string;
}

/** An answer that is an error. */
export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly document: ProblemDocument,
  ) {
    super(document.detail ?? document.title ?? document.message ?? `status ${status}`);
    this.name = "ApiProblem";
  }
}
