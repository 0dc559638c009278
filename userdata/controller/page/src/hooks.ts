/** Hooks: the route, data of the API, the clock. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Api } from "../client/api";
import { isKeyRefused, useSession } from "./session";

/** The parts of the address after `#/`. */
export function useRoute(): readonly string[] {
  const [route, setRoute] = useState(readRoute);
  useEffect(() => {
    const follow = () => setRoute(readRoute());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}

function readRoute(): readonly string[] {
  const parts = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decode);
  return parts.length > 0 ? parts : ["functions"];
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Data that is being loaded, is there, or failed to come. */
export interface Resource<T> {
  readonly data: T | undefined;
  readonly error: unknown;
  /** Loads it again; what is there stays until then. */
  reload(): void;
}

/**
 * Loads data for a view, anew whenever `key` changes.
 * @param everyMs loads it again after so long, as long as the page is visible; 0 does not
 */
export function useResource<T>(
  key: string,
  load: (api: Api, signal: AbortSignal) => Promise<T>,
  everyMs = 0,
): Resource<T> {
  const { api, signOut } = useSession();
  const [loaded, setLoaded] = useState<{ key: string; data?: T; error?: unknown }>({ key });
  const [round, setRound] = useState(0);
  const latest = useRef(load);
  latest.current = load;

  useEffect(() => {
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const again = () => {
      if (document.visibilityState === "visible") {
        void run();
      } else {
        timer = setTimeout(again, everyMs);
      }
    };
    const run = async () => {
      try {
        const data = await latest.current(api, ended.signal);
        if (!ended.signal.aborted) {
          setLoaded({ key, data });
        }
      } catch (error) {
        if (ended.signal.aborted) {
          return;
        }
        if (isKeyRefused(error)) {
          signOut("This key is no longer valid.");
          return;
        }
        setLoaded((before) => ({ key, data: before.key === key ? before.data : undefined, error }));
      }
      if (everyMs > 0 && !ended.signal.aborted) {
        timer = setTimeout(again, everyMs);
      }
    };
    void run();
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, [api, key, everyMs, round]);

  const reload = useCallback(() => setRound((value) => value + 1), []);
  const current = loaded.key === key ? loaded : undefined;
  return { data: current?.data, error: current?.error, reload };
}

/** An action of a button: whether it is under way, and how it failed. */
export interface Action<A extends unknown[]> {
  readonly busy: boolean;
  readonly error: unknown;
  run(...args: A): Promise<void>;
  /** Takes the error away. */
  clear(): void;
}

/** Runs one action at a time and keeps its error for the view. */
export function useAction<A extends unknown[]>(act: (...args: A) => Promise<void>): Action<A> {
  const { signOut } = useSession();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const running = useRef(false);
  return {
    busy,
    error,
    clear: () => setError(undefined),
    run: async (...args) => {
      if (running.current) {
        return;
      }
      running.current = true;
      setBusy(true);
      setError(undefined);
      try {
        await act(...args);
      } catch (failure) {
        if (isKeyRefused(failure)) {
          signOut("This key is no longer valid.");
        } else {
          setError(failure);
        }
      } finally {
        running.current = false;
        setBusy(false);
      }
    },
  };
}

/** The time, again every so many milliseconds. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
