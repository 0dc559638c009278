/** Lists: functions, jobs, and the service's queue and workers. */
import { useState } from "preact/hooks";
import type { Api } from "../client/api";
import type { FunctionView, JobSummary, Page, StatusView } from "../client/types";
import { duration, elapsed, size } from "../client/words";
import { type Resource, useAction, useNow, useResource } from "./hooks";
import { JobPanel } from "./job";
import { Ago, Empty, Heading, ProblemNote, StatusMark } from "./parts";
import { useSession } from "./session";

/** How often lists and figures are looked at again, in milliseconds. */
export const LOOK_MS = 5_000;
const FUNCTIONS = 100;

/** Every function of the tenant. */
export function Functions() {
  const now = useNow(10_000);
  const { pages, more } = usePages<FunctionView>("functions", `/v1/functions?limit=${FUNCTIONS}`);
  const functions = pages.data ?? [];
  return (
    <>
      <div class="title">
        <Heading title="Functions" />
        <a class="button primary" href="#/functions/new">
          New function
        </a>
      </div>
      <ProblemNote error={pages.error} />
      {pages.data && functions.length === 0 && (
        <Empty>
          <p>No function yet. A function is a file with a handler that takes an event and returns an answer.</p>
          <p>
            <a href="#/functions/new">Write one here</a>, or deploy a folder:{" "}
            <code>npx nanogrid deploy examples/hello</code>
          </p>
        </Empty>
      )}
      {functions.length > 0 && (
        <table class="rows">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Runtime</th>
              <th scope="col">Version</th>
              <th scope="col">Memory</th>
              <th scope="col">Time limit</th>
              <th scope="col">Code</th>
              <th scope="col">Updated</th>
            </tr>
          </thead>
          <tbody>
            {functions.map((fn) => (
              <tr key={fn.functionId}>
                <th scope="row">
                  <a href={`#/functions/${fn.functionId}`}>{fn.name}</a>
                </th>
                <td data-name="Runtime">{fn.runtime}</td>
                <td data-name="Version">{fn.version}</td>
                <td data-name="Memory">{fn.memoryMb} MiB</td>
                <td data-name="Time limit">{fn.timeoutS === undefined ? "none" : duration(fn.timeoutS * 1_000)}</td>
                <td data-name="Code">{size(fn.codeBytes)}</td>
                <td data-name="Updated">
                  <Ago time={fn.updatedAt} now={now} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {more}
    </>
  );
}

/** The tenant's jobs, newest first. */
export function Jobs() {
  const names = useFunctionNames();
  const { pages, more } = usePages<JobSummary>("jobs", "/v1/jobs?limit=50", LOOK_MS);
  const jobs = pages.data ?? [];
  return (
    <>
      <div class="title">
        <Heading title="Jobs" />
      </div>
      <ProblemNote error={pages.error} />
      {pages.data && jobs.length === 0 && <Empty>No job yet. A job is one run of a function.</Empty>}
      {jobs.length > 0 && <JobTable jobs={jobs} names={names} />}
      {more}
    </>
  );
}

/** Jobs as a table; the functions' names only where they are wanted. */
export function JobTable({ jobs, names }: { jobs: readonly JobSummary[]; names?: ReadonlyMap<string, string> }) {
  const now = useNow(5_000);
  return (
    <table class="rows">
      <thead>
        <tr>
          <th scope="col">Job</th>
          {names && <th scope="col">Function</th>}
          <th scope="col">Status</th>
          <th scope="col">Version</th>
          <th scope="col">Took</th>
          <th scope="col">Queued</th>
        </tr>
      </thead>
      <tbody>
        {jobs.map((job) => (
          <tr key={job.jobId}>
            <th scope="row">
              <a class="id" href={`#/jobs/${job.jobId}`}>
                {job.jobId}
              </a>
            </th>
            {names && (
              <td data-name="Function">
                <a href={`#/functions/${job.functionId}`}>{names.get(job.functionId) ?? job.functionId}</a>
                {job.kind === "build" && <span class="quiet"> build</span>}
              </td>
            )}
            <td data-name="Status">
              <StatusMark status={job.status} />
            </td>
            <td data-name="Version">{job.functionVersion}</td>
            <td data-name="Took">{elapsed(job) || "–"}</td>
            <td data-name="Queued">
              <Ago time={job.createdAt} now={now} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** One job, on a page of its own. */
export function Job({ jobId }: { jobId: string }) {
  const job = useResource(`job ${jobId}`, (api, signal) => api.get<JobSummary>(`/v1/jobs/${jobId}`, { signal }));
  const functionId = job.data?.functionId;
  const fn = useResource(`function of ${functionId}`, (api, signal) =>
    functionId === undefined
      ? Promise.resolve(undefined)
      : api.get<FunctionView>(`/v1/functions/${functionId}`, { signal }).catch(() => undefined),
  );
  const same = fn.data?.version === job.data?.functionVersion;
  return (
    <>
      <div class="title">
        <Heading title="Job" />
        {functionId && (
          <p class="quiet">
            {job.data?.kind === "build" ? "dependencies of " : "of "}
            <a href={`#/functions/${functionId}`}>{fn.data?.name ?? functionId}</a>, version {job.data?.functionVersion}
          </p>
        )}
      </div>
      <ProblemNote error={job.error} />
      {job.data && <JobPanel jobId={jobId} memoryMb={same ? fn.data?.memoryMb : undefined} />}
    </>
  );
}

/** Queue and workers. */
export function Service({ status }: { status: Resource<StatusView> }) {
  const now = useNow(5_000);
  const { data, error } = status;
  return (
    <>
      <div class="title">
        <Heading title="Queue and workers" />
      </div>
      <ProblemNote error={error} />
      {data && (
        <>
          <dl class="figures">
            <Figure name="waiting" value={data.queue.visible} />
            <Figure name="running" value={data.queue.inFlight} />
            <Figure name="delayed" value={data.queue.delayed} />
            {data.deadLetters !== null && (
              <Figure name="dead letters" value={data.deadLetters} bad={data.deadLetters > 0} />
            )}
          </dl>
          <h2>Workers</h2>
          {data.workers === null && (
            <p class="note warn">Redis does not answer, so the workers are not known. They go on working.</p>
          )}
          {data.workers?.length === 0 && (
            <Empty>No worker has said anything for a minute. Jobs wait until one comes.</Empty>
          )}
          {data.workers && data.workers.length > 0 && (
            <table class="rows">
              <thead>
                <tr>
                  <th scope="col">Worker</th>
                  <th scope="col">Busy</th>
                  <th scope="col">Warm containers</th>
                  <th scope="col">Runtimes</th>
                  <th scope="col">Version</th>
                  <th scope="col">Up</th>
                  <th scope="col">Heard of</th>
                </tr>
              </thead>
              <tbody>
                {data.workers.map((worker) => (
                  <tr key={worker.workerId}>
                    <th scope="row" class="id">
                      {worker.workerId}
                    </th>
                    <td data-name="Busy">
                      <Slots busy={worker.busy} slots={worker.slots} />
                    </td>
                    <td data-name="Warm containers">{worker.warm}</td>
                    <td data-name="Runtimes">{worker.runtimes.join(", ")}</td>
                    <td data-name="Version">{worker.version}</td>
                    <td data-name="Up">{duration(Math.max(0, now - Date.parse(worker.startedAt)))}</td>
                    <td data-name="Heard of">
                      <Ago time={worker.updatedAt} now={now} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </>
      )}
    </>
  );
}

function Figure({ name, value, bad = false }: { name: string; value: number; bad?: boolean }) {
  return (
    <div class={bad ? "bad" : undefined}>
      <dt>{name}</dt>
      <dd>{value.toLocaleString("en")}</dd>
    </div>
  );
}

/** A square for each slot, full where one works; the words say the same. */
function Slots({ busy, slots }: { busy: number; slots: number }) {
  const shown = Math.min(slots, 16);
  return (
    <span class="slots">
      <svg viewBox={`0 0 ${shown * 12} 10`} width={shown * 12} height="10" aria-hidden="true">
        {Array.from({ length: shown }, (_, slot) => (
          <rect key={slot} class={slot < busy ? "full" : "free"} x={slot * 12 + 0.5} y="0.5" width="9" height="9" />
        ))}
      </svg>
      {busy} of {slots}
    </span>
  );
}

/** Names of the tenant's newest functions, for lists that know only ids. */
function useFunctionNames(): ReadonlyMap<string, string> {
  const load = (api: Api, signal: AbortSignal) =>
    api.get<Page<FunctionView>>(`/v1/functions?limit=${FUNCTIONS}`, { signal });
  const { data } = useResource("function names", load);
  return new Map(data?.items.map(({ functionId, name }) => [functionId, name]));
}

/** A list and the button for its next page. Once there is more than the first page, it is not refreshed. */
function usePages<T>(key: string, path: string, everyMs = 0) {
  const { api } = useSession();
  const [rest, setRest] = useState<Page<T>>();
  const first = useResource(key, (client, signal) => client.get<Page<T>>(path, { signal }), rest ? 0 : everyMs);
  const cursor = rest ? rest.nextCursor : first.data?.nextCursor;
  const next = useAction(async () => {
    const page = await api.get<Page<T>>(`${path}&cursor=${encodeURIComponent(cursor ?? "")}`);
    setRest({ ...page, items: [...((rest ?? first.data)?.items ?? []), ...page.items] });
  });
  const data = (rest ?? first.data)?.items;
  const pages = { ...first, data, error: first.error ?? next.error };
  const more =
    cursor === undefined ? null : (
      <button type="button" disabled={next.busy} onClick={() => next.run()}>
        Show more
      </button>
    );
  return { pages, more };
}
