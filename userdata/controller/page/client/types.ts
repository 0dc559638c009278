/** What the API gives, as the page and the command line read it: the types of its schemas. */
import type { JobStatus, ProblemView } from "../../src/schemas";

export type {
  FunctionView,
  JobStatus,
  JobSummary,
  JobView,
  KeyView,
  ResultDocument,
  Runtime,
  StatusView,
} from "../../src/schemas";

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor?: string;
}

/** A problem document: the controller's own is whole, one made up here for somebody else's answer is not. */
export type ProblemDocument = Pick<ProblemView, "title" | "status" | "detail"> &
  Partial<Pick<ProblemView, "remedy" | "requestId" | "errors">>;

/** Whether a job will not change any more. */
export function isFinal(status: JobStatus): boolean {
  return status === "SUCCESS" || status === "FAILED" || status === "CANCELLED";
}
