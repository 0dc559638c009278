/** One job: its log as it comes, and its result. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Api } from "../client/api";
import { followJob } from "../client/follow";
import { type FunctionView, isFinal, type JobSummary, type ResultDocument } from "../client/types";
import { duration, memoryAdvice, size } from "../client/words";
import { useAction, useNow } from "./hooks";
import { ProblemNote, StatusMark } from "./parts";
import { useSession } from "./session";

export interface JobPanelProps {
  readonly jobId: string;
  /** The limit that the run has. @default - not known */
  readonly memoryMb?: FunctionView["memoryMb"];
  /** Called when the job has ended. */
  readonly onEnd?: () => void;
}

interface Followed {
  readonly jobId: string;
  readonly job?: JobSummary;
  readonly result?: ResultDocument;
  readonly ended: boolean;
  readonly error?: unknown;
}

/** Follows a job while it is shown. */
export function JobPanel({ jobId, memoryMb, onEnd }: JobPanelProps) {
  const { api } = useSession();
  const [followed, setFollowed] = useState<Followed>({ jobId, ended: false });
  const log = useRef<HTMLPreElement>(null);
  const end = useRef(onEnd);
  end.current = onEnd;

  useEffect(() => {
    const left = new AbortController();
    const change = (more: Partial<Followed>) => {
      if (!left.signal.aborted) {
        setFollowed((before) => ({ ...(before.jobId === jobId ? before : { ended: false }), ...more, jobId }));
      }
    };
    change({});
    log.current?.replaceChildren();
    void follow(api, jobId, left.signal, log, change).then(() => {
      if (!left.signal.aborted) {
        end.current?.();
      }
    });
    return () => left.abort();
  }, [api, jobId]);

  const cancel = useAction(async () => {
    await api.send("POST", `/v1/jobs/${jobId}/cancellation`, { idempotent: true });
  });
  const { job, result, ended, error }: Followed = followed.jobId === jobId ? followed : { jobId, ended: false };
  const status = result?.status ?? job?.status ?? "PENDING";
  return (
    <section class="job" aria-label={`Job ${jobId}`}>
      <div class="job-head">
        <p role="status">
          <StatusMark status={status} />
          {result?.exit_reason.message}
        </p>
        {!ended && job && <Clock job={job} />}
        {!ended && (
          <button type="button" disabled={cancel.busy} onClick={() => cancel.run()}>
            Cancel
          </button>
        )}
        <a class="id" href={`#/jobs/${jobId}`}>
          {jobId}
        </a>
      </div>
      <ProblemNote error={cancel.error ?? error} />
      {!ended && job?.lastError && (
        <p class="note warn">
          Attempt {job.lastError.attempt} failed on our side: {job.lastError.message} It is tried again.
        </p>
      )}
      <h3>Log</h3>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be within reach of the keyboard. */}
      <pre ref={log} class="log" role="log" aria-label="Log" tabIndex={0} />
      {result && <Result jobId={jobId} job={job} result={result} memoryMb={memoryMb} />}
      {ended && !result && error === undefined && (
        <p class="note warn">
          The job has ended, and its result is no longer there: it was large, and a day has passed.
        </p>
      )}
    </section>
  );
}

async function follow(
  api: Api,
  jobId: string,
  signal: AbortSignal,
  log: { readonly current: HTMLPreElement | null },
  change: (more: Partial<Followed>) => void,
): Promise<void> {
  let attempt: number | undefined;
  try {
    for await (const event of followJob(api, jobId, signal)) {
      if (signal.aborted) {
        return;
      }
      if (event.type === "status") {
        change({ job: event.job });
      } else if (event.type === "log") {
        append(
          log.current,
          attempt !== undefined && event.attempt !== attempt ? `── attempt ${event.attempt} ──\n` : "",
        );
        append(log.current, event.text);
        attempt = event.attempt;
      } else {
        // The live log may hold more than the result's, which is its end.
        append(log.current, attempt === undefined ? (event.result?.logs ?? "") : "");
        change({ result: event.result, ended: true, ...(event.job ? { job: event.job } : {}) });
      }
    }
  } catch (error) {
    change({ error, ended: true });
  }
}

/** Adds text, as text, and stays at the end where the reader is there. */
function append(log: HTMLPreElement | null, text: string): void {
  if (log && text !== "") {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
    log.append(text);
    if (atEnd) {
      log.scrollTop = log.scrollHeight;
    }
  }
}

/** How long it has waited or run. Outside of the live region, which would be read out every second. */
function Clock({ job }: { job: JobSummary }) {
  const now = useNow(1_000);
  const since = Date.parse(job.startedAt ?? job.createdAt);
  return isFinal(job.status) ? null : <span class="quiet">for {duration(Math.max(0, now - since))}</span>;
}

interface ResultProps {
  readonly jobId: string;
  readonly job: JobSummary | undefined;
  readonly result: ResultDocument;
  readonly memoryMb: number | undefined;
}

function Result({ jobId, job, result, memoryMb }: ResultProps) {
  const { error, output, files } = result;
  return (
    <>
      {error && (
        <>
          <h3>Error</h3>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be within reach of the keyboard. */}
          <pre class="output bad" tabIndex={0}>
            {error.traceback || `${error.type}: ${error.message}`}
          </pre>
        </>
      )}
      {output !== undefined && output !== null && (
        <>
          <h3>Output</h3>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be within reach of the keyboard. */}
          <pre class="output" tabIndex={0}>
            {JSON.stringify(output, null, 2)}
          </pre>
        </>
      )}
      {files.length > 0 && <Files jobId={jobId} files={files} />}
      <Figures job={job} result={result} memoryMb={memoryMb} />
    </>
  );
}

function Figures({ job, result, memoryMb }: Pick<ResultProps, "job" | "result" | "memoryMb">) {
  const { queue_ms: queued, duration_ms: ran, exit_reason, start } = result;
  const advice = memoryAdvice(result, memoryMb);
  const starts: Readonly<Record<string, string>> = {
    warm: "warm: a container of this version was waiting",
    prewarmed: "prewarmed: a container of the runtime was waiting",
    cold: "cold: a container was made for it",
  };
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["Exit reason", exit_reason.code],
    ["Ran for", ran === null ? undefined : duration(ran)],
    ["Waited in the queue", queued === null ? undefined : duration(queued)],
    ["Start", start ? (starts[start] ?? start) : undefined],
    ["Memory", advice],
    ["Attempts", job && job.attempts > 1 ? String(job.attempts) : undefined],
    ["Worker", result.worker_id ?? undefined],
    ["Callback", job?.callback && `${job.callback.url}: ${job.callback.status.toLowerCase()}`],
    ["Log", result.logs_truncated ? "longer than 64 KiB: the end is kept" : undefined],
  ];
  return (
    <>
      <h3>Figures</h3>
      {queued !== null && ran !== null && <TimeBar queued={queued} ran={ran} />}
      <dl class="facts">
        {facts.map(([name, value]) =>
          value === undefined ? null : (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
        )}
      </dl>
    </>
  );
}

/** Where the time went, to scale. The figures below say the same. */
function TimeBar({ queued, ran }: { queued: number; ran: number }) {
  const total = Math.max(1, queued + ran);
  return (
    <svg class="time-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
      <rect class="waited" x="0" y="0" width={(100 * queued) / total} height="6" />
      <rect class="ran" x={(100 * queued) / total} y="0" width={(100 * ran) / total} height="6" />
    </svg>
  );
}

function Files({ jobId, files }: { jobId: string; files: ResultDocument["files"] }) {
  const { api } = useSession();
  const download = useAction(async (name: string) => {
    const response = await api.send("GET", `/v1/jobs/${jobId}/files/${encodeURIComponent(name)}`);
    save(await response.blob(), name.split("/").pop() ?? name);
  });
  return (
    <>
      <h3>Files</h3>
      <ProblemNote error={download.error} />
      <ul class="files">
        {files.map(({ name, bytes }) => (
          <li key={name}>
            <button type="button" class="link" disabled={download.busy} onClick={() => download.run(name)}>
              {name}
            </button>
            <span class="quiet">{size(bytes)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

/** Hands bytes to the browser as a download: a plain link cannot carry the key. */
function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
