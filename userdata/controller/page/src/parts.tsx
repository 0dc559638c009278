/** Small parts that several views use. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { ApiProblem } from "../client/api";
import type { JobStatus } from "../client/types";
import { ago, outcome } from "../client/words";

/** Names the view, in the tab too, and takes the focus, so that a screen reader says where one is. */
export function Heading({ title, children }: { title: string; children?: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · NanoGrid`;
    heading.current?.focus({ preventScroll: true });
  }, [title]);
  return (
    <h1 ref={heading} tabIndex={-1}>
      {title}
      {children}
    </h1>
  );
}

/** An error: what is wrong, field by field, and what to do. Nothing without an error. */
export function ProblemNote({ error }: { error: unknown }) {
  if (error === undefined) {
    return null;
  }
  if (!(error instanceof ApiProblem)) {
    return (
      <div class="note bad" role="alert">
        <strong>That did not work</strong>
        <p>{error instanceof Error ? error.message : String(error)}</p>
      </div>
    );
  }
  const { title, detail, errors = [], remedy, requestId } = error.problem;
  return (
    <div class="note bad" role="alert">
      <strong>{title}</strong>
      {errors.length === 0 ? (
        <p>{detail}</p>
      ) : (
        <ul>
          {errors.map(({ field, detail: what }) => (
            <li key={field}>
              <code>{field}</code> {what}
            </li>
          ))}
        </ul>
      )}
      {remedy && <p>{remedy}</p>}
      {requestId && <p class="fine">request {requestId}</p>}
    </div>
  );
}

/** A job's status: a shape and a word, so that colour is never alone. */
export function StatusMark({ status }: { status: JobStatus }) {
  return <span class={`mark ${status.toLowerCase()}`}>{outcome({ status })}</span>;
}

/** How long ago, with the exact time to look at. */
export function Ago({ time, now }: { time: string; now: number }) {
  return (
    <time dateTime={time} title={time}>
      {ago(time, now)}
    </time>
  );
}

/** Asks before something that cannot be undone. */
export function Confirm(props: { question: string; action: string; onYes: () => void; onNo: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={props.onNo} aria-labelledby="question">
      <p id="question">{props.question}</p>
      <div class="actions">
        <button type="button" class="danger" onClick={props.onYes}>
          {props.action}
        </button>
        <button type="button" onClick={() => dialog.current?.close()}>
          Keep it
        </button>
      </div>
    </dialog>
  );
}

/** What stands where a list has nothing. */
export function Empty({ children }: { children: ComponentChildren }) {
  return <div class="empty">{children}</div>;
}
