/** The page: sign in, then functions, jobs, queue and workers. */
import { render } from "preact";
import { useMemo, useState } from "preact/hooks";
import { Api } from "../client/api";
import type { StatusView } from "../client/types";
import { ExistingFunction, NewFunction } from "./function";
import { type Resource, useResource, useRoute } from "./hooks";
import { Functions, Job, Jobs, LOOK_MS, Service } from "./lists";
import { ProblemNote } from "./parts";
import { isKeyRefused, type Session, SessionContext, storedKey, storeKey } from "./session";
import "./style.css";

const HERE = "";

function App() {
  const [key, setKey] = useState(storedKey);
  const [reason, setReason] = useState<string>();
  const session = useMemo<Session | undefined>(
    () =>
      key === undefined
        ? undefined
        : {
            api: new Api({ url: HERE, key }),
            signOut: (why) => {
              storeKey(undefined);
              setReason(why);
              setKey(undefined);
            },
          },
    [key],
  );
  if (!session) {
    return (
      <SignIn
        reason={reason}
        onKey={(valid) => {
          storeKey(valid);
          setReason(undefined);
          setKey(valid);
        }}
      />
    );
  }
  return (
    <SessionContext.Provider value={session}>
      <Frame />
    </SessionContext.Provider>
  );
}

function SignIn({ reason, onKey }: { reason: string | undefined; onKey: (key: string) => void }) {
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const enter = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await new Api({ url: HERE, key: key.trim() }).get("/v1/functions?limit=1");
      onKey(key.trim());
    } catch (failure) {
      setError(
        isKeyRefused(failure) ? new Error("This key is not known here. Check that all of it was pasted.") : failure,
      );
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="sign-in">
      <h1>
        <Logo /> NanoGrid
      </h1>
      <p>Functions on your own machines. Sign in with an API key; it is kept in this tab until the tab is closed.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void enter();
        }}
      >
        <label>
          API key
          <input
            required
            type="password"
            class="mono"
            autocomplete="off"
            placeholder="ng_…"
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="primary" disabled={busy}>
          Sign in
        </button>
      </form>
      {reason !== undefined && error === undefined && (
        <p class="note warn" role="alert">
          {reason}
        </p>
      )}
      <ProblemNote error={error} />
      <p class="quiet">
        An operator makes keys. The <a href="/docs">API reference</a> is open to all.
      </p>
    </main>
  );
}

const PLACES = [
  ["functions", "Functions"],
  ["jobs", "Jobs"],
  ["service", "Queue and workers"],
] as const;

function Frame() {
  const [place = "functions", id] = useRoute();
  const status = useResource("status", (api, signal) => api.get<StatusView>("/v1/status", { signal }), LOOK_MS);
  return (
    <>
      <button type="button" class="skip" onClick={() => document.querySelector<HTMLElement>("#main")?.focus()}>
        Skip to the content
      </button>
      <header>
        <a class="brand" href="#/functions">
          <Logo /> NanoGrid
        </a>
        <nav aria-label="Main">
          {PLACES.map(([to, title]) => (
            <a key={to} href={`#/${to}`} aria-current={to === place ? "page" : undefined}>
              {title}
            </a>
          ))}
          <a href="/docs">API</a>
        </nav>
        <Pulse status={status} />
        <SignOut />
      </header>
      <main id="main" tabIndex={-1}>
        <View place={place} id={id} status={status} />
      </main>
    </>
  );
}

function View({ place, id, status }: { place: string; id: string | undefined; status: Resource<StatusView> }) {
  switch (place) {
    case "jobs":
      return id ? <Job key={id} jobId={id} /> : <Jobs />;
    case "service":
      return <Service status={status} />;
    default:
      if (id === "new") {
        return <NewFunction />;
      }
      return id ? <ExistingFunction key={id} functionId={id} /> : <Functions />;
  }
}

/** The service in one line. */
function Pulse({ status: { data } }: { status: Resource<StatusView> }) {
  if (!data) {
    return <p class="pulse" />;
  }
  const { queue, workers } = data;
  const slots = workers?.reduce((sum, worker) => sum + worker.slots, 0);
  const machines =
    workers === null ? "workers unknown" : `${workers.length} ${workers.length === 1 ? "worker" : "workers"}`;
  return (
    <p class="pulse">
      {queue.visible} waiting, {queue.inFlight} running, {machines}
      {slots ? ` with ${slots} ${slots === 1 ? "slot" : "slots"}` : ""}
    </p>
  );
}

function SignOut() {
  return (
    <SessionContext.Consumer>
      {(session) => (
        <button type="button" onClick={() => session?.signOut()}>
          Sign out
        </button>
      )}
    </SessionContext.Consumer>
  );
}

/** Four cells of a grid, one of them at work. */
function Logo() {
  return (
    <svg class="logo" viewBox="0 0 16 16" aria-hidden="true">
      <path d="M1 1h6v6H1zM9 1h6v6H9zM1 9h6v6H1z" />
      <circle cx="12" cy="12" r="3" />
    </svg>
  );
}

const place = document.querySelector("#app");
if (place) {
  render(<App />, place);
}
