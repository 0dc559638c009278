/** Errors as a reader can act on them. */
import { ApiProblem } from "./api-problem";

/**
 * What is wrong, and what to do. Nothing without an error.
 *
 * @param signedRemedy what to do where only signed requests are taken
 */
export function ProblemNote({ error, signedRemedy }: { readonly error: unknown; readonly signedRemedy: string }) {
  if (error === undefined) {
    return null;
  }
  const { title, detail, remedy, requestId } = wordsOf(error, signedRemedy);
  return (
    <div class="note" role="alert">
      <strong>{title}</strong>
      <p>{detail}</p>
      {remedy && <p>{remedy}</p>}
      {requestId && <p class="fine">request {requestId}</p>}
    </div>
  );
}

function wordsOf(
  error: unknown,
  signedRemedy: string,
): { title: string; detail: string; remedy?: string; requestId?: string } {
  if (!(error instanceof ApiProblem)) {
    const detail = error instanceof Error ? error.message : String(error);
    const timedOut = error instanceof DOMException && error.name === "TimeoutError";
    return timedOut
      ? { title: "No answer in time", detail: "The service did not answer.", remedy: "Try again in a minute." }
      : { title: "That did not work", detail };
  }
  const { status, document } = error;
  const gateway = GATEWAY[status];
  if (document.title === undefined && document.detail === undefined && gateway) {
    return { remedy: signedRemedy, ...gateway };
  }
  const { title = "The service refused", remedy, requestId } = document;
  return { title, detail: error.message, ...(remedy ? { remedy } : {}), ...(requestId ? { requestId } : {}) };
}

/** What API Gateway itself answers, without the service's words. */
const GATEWAY: Readonly<Record<number, { title: string; detail: string; remedy?: string }>> = {
  401: {
    title: "A token is needed",
    detail: "This API asks who is calling, and took no token, or not this one.",
    remedy: "Paste a valid token of your identity provider into the field Token.",
  },
  403: {
    title: "This API takes signed requests only",
    detail: "Its authorizer is IAM, and a page has no AWS credentials to sign with.",
  },
  429: { title: "Too many requests", detail: "The API is throttled.", remedy: "Try again in a few seconds." },
  503: { title: "The service does not answer", detail: "No task is healthy.", remedy: "Try again in some minutes." },
  504: { title: "No answer in time", detail: "The API gave up after 30 seconds.", remedy: "Try again in a minute." },
};
