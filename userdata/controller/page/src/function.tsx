/** One function: its code and settings in an editor, and a run of it beside them. */
import { useCallback, useRef, useState } from "preact/hooks";
import { type Api, ApiProblem } from "../client/api";
import { bytesOf, type CodeFiles, packCode, textOf, unpackCode } from "../client/code";
import type { FunctionView, JobSummary, JobView, Page } from "../client/types";
import { size } from "../client/words";
import { Editor, languageOf } from "./editor";
import { useAction, useNow, useResource } from "./hooks";
import { JobPanel } from "./job";
import { JobTable, LOOK_MS } from "./lists";
import { Ago, Confirm, Heading, ProblemNote } from "./parts";
import { useSession } from "./session";

type Runtime = FunctionView["runtime"];

const MAIN: Readonly<Record<Runtime, string>> = { python: "main.py", node: "main.mjs" };
const MANIFEST: Readonly<Record<Runtime, string>> = { python: "requirements.txt", node: "package.json" };
const STARTERS: Readonly<Record<Runtime, string>> = {
  python: `def handler(event):
    """Takes an event, any JSON, and returns an answer, any JSON."""
    name = (event or {}).get("name", "world")
    print(f"greeting {name}")
    return {"greeting": f"Hello, {name}!"}
`,
  node: `/** Takes an event, any JSON, and returns an answer, any JSON. */
export async function handler(event) {
  const name = event?.name ?? "world";
  console.log(\`greeting \${name}\`);
  return { greeting: \`Hello, \${name}!\` };
}
`,
};
const FIRST_EVENT = '{\n  "name": "NanoGrid"\n}\n';

/** What the form holds: texts, as they are typed. */
interface Draft {
  readonly name: string;
  readonly runtime: Runtime;
  readonly handler: string;
  readonly memoryMb: string;
  readonly timeoutS: string;
  readonly egress: boolean;
  readonly environment: string;
  readonly secrets: string;
  readonly files: CodeFiles;
}

const NEW: Draft = {
  name: "",
  runtime: "python",
  handler: "main.handler",
  memoryMb: "256",
  timeoutS: "",
  egress: false,
  environment: "",
  secrets: "",
  files: { [MAIN.python]: bytesOf(STARTERS.python) },
};

/** A function that is not there yet. */
export function NewFunction() {
  return (
    <>
      <div class="title">
        <Heading title="New function" />
      </div>
      <Workbench
        draft={NEW}
        onSaved={(saved) => {
          location.hash = `#/functions/${saved.functionId}`;
        }}
      />
    </>
  );
}

/** A function with its code, or without where that cannot be read. */
interface Loaded {
  readonly fn: FunctionView;
  readonly files: CodeFiles | undefined;
}

async function loadFunction(api: Api, functionId: string, signal: AbortSignal): Promise<Loaded> {
  const fn = await api.get<FunctionView>(`/v1/functions/${functionId}`, { signal });
  try {
    const response = await api.send("GET", `/v1/functions/${functionId}/code`, { signal });
    return { fn, files: unpackCode(new Uint8Array(await response.arrayBuffer())) };
  } catch (error) {
    if (error instanceof ApiProblem && [403, 404].includes(error.problem.status)) {
      return { fn, files: undefined };
    }
    throw error;
  }
}

/** A function that is there. */
export function ExistingFunction({ functionId }: { functionId: string }) {
  const { api } = useSession();
  const now = useNow(10_000);
  const loaded = useResource(`function ${functionId}`, (client, signal) => loadFunction(client, functionId, signal));
  const [saved, setSaved] = useState<FunctionView>();
  const [asking, setAsking] = useState(false);
  const remove = useAction(async () => {
    setAsking(false);
    await api.send("DELETE", `/v1/functions/${functionId}`);
    location.hash = "#/functions";
  });
  const { data } = loaded;
  if (!data) {
    return (
      <>
        <Heading title="Function" />
        <ProblemNote error={loaded.error} />
      </>
    );
  }
  const fn = saved?.functionId === functionId ? saved : data.fn;
  return (
    <>
      <div class="title">
        <Heading title={fn.name} />
        <p class="quiet">
          version {fn.version}, saved <Ago time={fn.updatedAt} now={now} /> <span class="id">{fn.functionId}</span>
        </p>
        <button type="button" disabled={remove.busy} onClick={() => setAsking(true)}>
          Delete
        </button>
      </div>
      {asking && (
        <Confirm
          question={`Delete ${fn.name} and the code of all its versions? Its jobs and their results stay until they expire.`}
          action="Delete the function"
          onYes={() => remove.run()}
          onNo={() => setAsking(false)}
        />
      )}
      <ProblemNote error={remove.error} />
      {data.files === undefined && (
        <p class="note warn">The code of this version cannot be read back here: what is saved now replaces it.</p>
      )}
      <Workbench key={functionId} fn={fn} draft={draftOf(data)} onSaved={setSaved} />
    </>
  );
}

function draftOf({ fn, files }: Loaded): Draft {
  return {
    name: fn.name,
    runtime: fn.runtime,
    handler: fn.handler,
    memoryMb: String(fn.memoryMb),
    timeoutS: fn.timeoutS === undefined ? "" : String(fn.timeoutS),
    egress: fn.egress ?? false,
    environment: linesOf(fn.environment),
    secrets: linesOf(fn.secrets ?? {}),
    files: files ?? { [MAIN[fn.runtime]]: bytesOf(STARTERS[fn.runtime]) },
  };
}

interface WorkbenchProps {
  /** @default - a function that is not there yet */
  readonly fn?: FunctionView;
  readonly draft: Draft;
  readonly onSaved: (fn: FunctionView) => void;
}

/** Code and settings on one side, a run on the other. */
function Workbench({ fn, draft: begin, onSaved }: WorkbenchProps) {
  const { api } = useSession();
  const [draft, setDraft] = useState(begin);
  const [changed, setChanged] = useState(fn === undefined);
  const [note, setNote] = useState("");
  const latest = useRef(draft);
  latest.current = draft;
  const change = useCallback((more: Partial<Draft>) => {
    setDraft((before) => ({ ...before, ...more }));
    setChanged(true);
    setNote("");
  }, []);

  const store = async (): Promise<FunctionView> => {
    const path = fn ? `/v1/functions/${fn.functionId}` : "/v1/functions";
    const body = formOf(latest.current);
    const saved = await api.call<FunctionView>(fn ? "PUT" : "POST", path, { body, timeoutMs: 120_000 });
    setChanged(false);
    setNote(`Saved as version ${saved.version}.`);
    onSaved(saved);
    return saved;
  };
  const save = useAction(async () => {
    await store();
  });
  return (
    <div class="workbench">
      <form
        class="code"
        onSubmit={(event) => {
          event.preventDefault();
          void save.run();
        }}
      >
        <Files draft={draft} onChange={change} isNew={fn === undefined} />
        <Settings draft={draft} onChange={change} isNew={fn === undefined} />
        <ProblemNote error={save.error} />
        {fn?.buildJobId && !changed && <Build jobId={fn.buildJobId} />}
        <div class="actions">
          <button type="submit" class={changed ? "primary" : undefined} disabled={save.busy || !changed}>
            {fn ? `Save version ${fn.version + 1}` : "Create function"}
          </button>
          <span class="quiet" role="status">
            {save.busy ? "Saving…" : note || (changed && fn ? "There are changes that are not saved." : "")}
          </span>
        </div>
      </form>
      {fn ? (
        <Run fn={fn} unsaved={changed} />
      ) : (
        <p class="quiet later">Create the function, then run it here with an event.</p>
      )}
    </div>
  );
}

interface DraftProps {
  readonly draft: Draft;
  readonly isNew: boolean;
  readonly onChange: (more: Partial<Draft>) => void;
}

/** The files of the code: one is in the editor. */
function Files({ draft, onChange, isNew }: DraftProps) {
  const main = MAIN[draft.runtime];
  const paths = Object.keys(draft.files).sort();
  const [wanted, setWanted] = useState(main);
  const current = paths.includes(wanted) ? wanted : (paths[0] ?? main);
  const bytes = draft.files[current] ?? new Uint8Array();
  const text = textOf(bytes);
  const manifest = MANIFEST[draft.runtime];
  const addManifest = () => {
    const empty = draft.runtime === "python" ? "" : '{\n  "dependencies": {}\n}\n';
    onChange({ files: { ...draft.files, [manifest]: bytesOf(empty) } });
    setWanted(manifest);
  };
  return (
    <>
      <div class="files-bar">
        <label>
          File
          <select value={current} onChange={(event) => setWanted(event.currentTarget.value)}>
            {paths.map((path) => (
              <option key={path}>{path}</option>
            ))}
          </select>
        </label>
        {!paths.includes(manifest) && (
          <button type="button" onClick={addManifest}>
            Add {manifest}
          </button>
        )}
        <span class="quiet hint">Tab indents, Escape then Tab leaves the editor</span>
      </div>
      {text === undefined ? (
        <p class="note">
          {current} is not text ({size(bytes.length)}). It stays as it is.
        </p>
      ) : (
        <Editor
          id={`${isNew ? draft.runtime : "code"} ${current}`}
          text={text}
          language={languageOf(current)}
          label={`Code of ${current}`}
          onChange={(value) => onChange({ files: { ...draft.files, [current]: bytesOf(value) } })}
        />
      )}
    </>
  );
}

/** Name, limits and the rest. */
function Settings({ draft, isNew, onChange }: DraftProps) {
  const changeRuntime = (runtime: Runtime) => {
    const starter = { [MAIN[runtime]]: bytesOf(STARTERS[runtime]) };
    const untouched = textOf(draft.files[MAIN[draft.runtime]] ?? new Uint8Array()) === STARTERS[draft.runtime];
    const { [MAIN[draft.runtime]]: _left, ...others } = draft.files;
    onChange({ runtime, files: untouched ? { ...others, ...starter } : { ...draft.files, ...starter } });
  };
  return (
    <fieldset class="settings">
      <legend>Settings</legend>
      <label class="wide">
        Name
        <input
          required
          maxLength={64}
          value={draft.name}
          onInput={(event) => onChange({ name: event.currentTarget.value })}
        />
      </label>
      <label>
        Runtime
        <select
          value={draft.runtime}
          disabled={!isNew}
          onChange={(event) => changeRuntime(event.currentTarget.value as Runtime)}
        >
          <option value="python">Python</option>
          <option value="node">JavaScript (Node.js)</option>
        </select>
      </label>
      <label>
        Handler
        <input
          required
          class="mono"
          value={draft.handler}
          onInput={(event) => onChange({ handler: event.currentTarget.value })}
        />
      </label>
      <label>
        Memory, MiB
        <input
          required
          type="number"
          min={64}
          max={3008}
          value={draft.memoryMb}
          onInput={(event) => onChange({ memoryMb: event.currentTarget.value })}
        />
      </label>
      <label>
        Time limit, seconds
        <input
          type="number"
          min={1}
          placeholder="none"
          value={draft.timeoutS}
          onInput={(event) => onChange({ timeoutS: event.currentTarget.value })}
        />
      </label>
      <label class="wide check">
        <input
          type="checkbox"
          checked={draft.egress}
          onChange={(event) => onChange({ egress: event.currentTarget.checked })}
        />
        Runs reach the network
      </label>
      <label class="wide">
        Environment, NAME=value on each line
        <textarea
          class="mono"
          rows={2}
          spellcheck={false}
          value={draft.environment}
          onInput={(event) => onChange({ environment: event.currentTarget.value })}
        />
      </label>
      <label class="wide">
        Secrets, VARIABLE=name of the secret on each line
        <textarea
          class="mono"
          rows={2}
          spellcheck={false}
          value={draft.secrets}
          onInput={(event) => onChange({ secrets: event.currentTarget.value })}
        />
      </label>
    </fieldset>
  );
}

/** The job that resolves the dependencies of this version. */
function Build({ jobId }: { jobId: string }) {
  return (
    <details class="build">
      <summary>Dependencies of this version</summary>
      <JobPanel jobId={jobId} />
    </details>
  );
}

/** An event, a button, and what comes of it. */
function Run({ fn, unsaved }: { fn: FunctionView; unsaved: boolean }) {
  const { api } = useSession();
  const remembered = `nanogrid-event ${fn.functionId}`;
  const [event, setEvent] = useState(() => sessionStorage.getItem(remembered) ?? FIRST_EVENT);
  const [jobId, setJobId] = useState<string>();
  const latest = useRef(event);
  latest.current = event;
  const jobs = useResource(
    `jobs of ${fn.functionId}`,
    (client, signal) => client.get<Page<JobSummary>>(`/v1/jobs?functionId=${fn.functionId}&limit=10`, { signal }),
    LOOK_MS,
  );
  const run = useAction(async () => {
    const text = latest.current.trim() || "null";
    checkJson(text);
    sessionStorage.setItem(remembered, latest.current);
    const job = await api.call<JobView>("POST", `/v1/functions/${fn.functionId}/invocations`, {
      body: text,
      headers: {
        "Content-Type": "application/json",
        Prefer: "respond-async",
        "Idempotency-Key": crypto.randomUUID(),
      },
      idempotent: true,
    });
    setJobId(job.jobId);
    jobs.reload();
  });
  return (
    <section class="run" aria-label="Run">
      <h2>Event</h2>
      <Editor
        id="event"
        text={event}
        language="javascript"
        label="Event, JSON"
        onChange={setEvent}
        onRun={run.run}
        short
      />
      <div class="actions">
        <button type="button" class="primary" disabled={run.busy} onClick={() => run.run()}>
          Run
        </button>
        <span class="quiet">
          {unsaved ? `runs version ${fn.version}, without the changes` : "or Ctrl+Enter in the event"}
        </span>
      </div>
      <ProblemNote error={run.error} />
      {jobId && <JobPanel key={jobId} jobId={jobId} memoryMb={fn.memoryMb} onEnd={jobs.reload} />}
      <h2>Latest jobs</h2>
      <ProblemNote error={jobs.error} />
      {jobs.data &&
        (jobs.data.items.length > 0 ? <JobTable jobs={jobs.data.items} /> : <p class="quiet">It has not run yet.</p>)}
    </section>
  );
}

function checkJson(text: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    throw new Error(`The event is not JSON: ${error instanceof Error ? error.message : error}`);
  }
}

/** The form that the API takes. */
function formOf(draft: Draft): FormData {
  const form = new FormData();
  const fields: Readonly<Record<string, string>> = {
    name: draft.name,
    runtime: draft.runtime,
    handler: draft.handler,
    memoryMb: draft.memoryMb,
    timeoutS: draft.timeoutS,
    egress: String(draft.egress),
    environment: JSON.stringify(pairsOf(draft.environment, "Environment")),
    secrets: JSON.stringify(pairsOf(draft.secrets, "Secrets")),
  };
  for (const [name, value] of Object.entries(fields)) {
    if (value !== "") {
      form.set(name, value);
    }
  }
  form.set("code", new Blob([packCode(draft.files)], { type: "application/zip" }), "code.zip");
  return form;
}

function linesOf(pairs: Readonly<Record<string, string>>): string {
  return Object.entries(pairs)
    .map(([name, value]) => `${name}=${value}`)
    .join("\n");
}

function pairsOf(lines: string, field: string): Record<string, string> {
  const pairs = lines.split("\n").filter((line) => line.trim() !== "");
  return Object.fromEntries(
    pairs.map((line) => {
      const at = line.indexOf("=");
      if (at < 1) {
        throw new Error(`${field}: expected NAME=value, got "${line}".`);
      }
      return [line.slice(0, at).trim(), line.slice(at + 1)];
    }),
  );
}
