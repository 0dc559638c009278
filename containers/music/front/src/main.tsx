/** The page: a recording in, words and mood shown, candidates played. */
import { type FormEvent, useCallback, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { all, look, type Order, Refusal, type Run, remove, start, upload } from "./api";
import { Result } from "./result";
import "./style.css";

const POLL_MS = 1_000;
/** Questions in a row that may fail before the page says so. */
const FAILURES = 4;
const ACCEPT = ".wav,.flac,.ogg,.opus,.mp3,audio/*";

function App() {
  const [file, setFile] = useState<File>();
  const [order, setOrder] = useState<Order>({ candidates: 3, seconds: 10 });
  const [runs, setRuns] = useState<readonly Run[]>([]);
  const [shown, setShown] = useState<string>();
  const [sending, setSending] = useState(false);
  const [error, setError] = useState<unknown>();
  const run = runs.find(({ id }) => id === shown);
  const isBusy = sending || run?.status === "queued" || run?.status === "running";

  const put = useCallback((changed: Run) => {
    setRuns((before) =>
      before.some(({ id }) => id === changed.id)
        ? before.map((each) => (each.id === changed.id ? changed : each))
        : [changed, ...before],
    );
  }, []);

  useEffect(() => {
    all().then(setRuns, setError);
  }, []);
  useEffect(() => {
    if (shown === undefined || !["queued", "running"].includes(run?.status ?? "")) {
      return;
    }
    let failures = 0;
    const timer = setInterval(() => {
      look(shown).then(
        (changed) => {
          failures = 0;
          put(changed);
        },
        (caught) => {
          failures++;
          if (failures >= FAILURES) {
            clearInterval(timer);
            setError(caught);
          }
        },
      );
    }, POLL_MS);
    return () => clearInterval(timer);
  }, [shown, run?.status, put]);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!file || isBusy) {
      return;
    }
    setError(undefined);
    setSending(true);
    try {
      const sent = await upload(file);
      put(sent);
      setShown(sent.id);
      put(await start(sent.id, order));
    } catch (caught) {
      setError(caught);
    } finally {
      setSending(false);
    }
  };
  const forget = async (id: string) => {
    try {
      await remove(id);
      setRuns((before) => before.filter((each) => each.id !== id));
      setShown((now) => (now === id ? undefined : now));
    } catch (caught) {
      setError(caught);
    }
  };

  return (
    <main>
      <h1>Music</h1>
      <p className="quiet">Say something; get music of its mood. WAV, FLAC, OGG or MP3, up to three minutes.</p>
      <form onSubmit={submit}>
        <label className="wide">
          Recording
          <input type="file" accept={ACCEPT} onChange={({ currentTarget }) => setFile(currentTarget.files?.[0])} />
        </label>
        <NumberField
          label="Candidates"
          value={order.candidates}
          min={1}
          max={4}
          onValue={(candidates) => setOrder({ ...order, candidates })}
        />
        <NumberField
          label="Seconds"
          value={order.seconds}
          min={4}
          max={30}
          onValue={(seconds) => setOrder({ ...order, seconds })}
        />
        <div className="actions wide">
          <button type="submit" className="primary" disabled={!file || isBusy}>
            Make music
          </button>
          <span role="status">{sending ? "Uploading …" : run && wordsOf(run)}</span>
        </div>
      </form>
      <Problem error={error ?? (run?.error ? new Refusal(run.error) : undefined)} />
      {run && <Result run={run} />}
      {runs.length > 0 && (
        <section aria-label="Your runs">
          <h2>Your runs</h2>
          <ul className="runs">
            {runs.map(({ id, name, status, created }) => (
              <li key={id}>
                <button type="button" aria-pressed={id === shown} onClick={() => setShown(id)}>
                  {name || "Recording"}, {new Date(created).toLocaleString()}
                </button>
                <span className="quiet">{status}</span>
                <button type="button" aria-label={`Delete ${name || "the recording"}`} onClick={() => forget(id)}>
                  Delete
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
    </main>
  );
}

interface NumberFieldProps {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly onValue: (value: number) => void;
}

function NumberField({ label, value, min, max, onValue }: NumberFieldProps) {
  return (
    <label>
      {label}
      <input
        type="number"
        required
        value={value}
        min={min}
        max={max}
        step={1}
        onInput={({ currentTarget }) => onValue(Number(currentTarget.value))}
      />
    </label>
  );
}

function Problem({ error }: { readonly error: unknown }) {
  if (error === undefined) {
    return null;
  }
  const timedOut = error instanceof DOMException && error.name === "TimeoutError";
  const { title, detail, remedy, requestId } =
    error instanceof Refusal
      ? error.problem
      : {
          title: timedOut ? "No answer in time" : "That did not work",
          detail: String(error),
          remedy: "Try again.",
          requestId: "",
        };
  return (
    <div className="note" role="alert">
      <strong>{title}</strong>
      <p>{detail}</p>
      {remedy && <p>{remedy}</p>}
      {requestId && <p className="quiet">request {requestId}</p>}
    </div>
  );
}

function wordsOf({ status, transcript, mood, candidates }: Run): string {
  const made = candidates.filter((each) => each.status === "succeeded").length;
  if (status === "succeeded") {
    return `Done: ${made} of ${candidates.length} candidates.`;
  }
  const step = !transcript ? "Listening" : !mood ? "Feeling" : `Composing: ${made} of ${candidates.length}`;
  const words = { uploaded: "Uploaded.", queued: "Waiting for its turn …", running: `${step} …`, failed: "Failed." };
  return words[status];
}

const root = document.getElementById("app");
if (root) {
  createRoot(root).render(<App />);
}
