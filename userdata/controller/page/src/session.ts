/** What every view works with: the API under the key of this browser tab, and the way to sign out. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { type Api, ApiProblem } from "../client/api";

const STORED = "nanogrid-key";

/** A signed-in tab. */
export interface Session {
  readonly api: Api;
  /** Forgets the key; `reason` is shown where one signs in. */
  signOut(reason?: string): void;
}

export const SessionContext = createContext<Session | undefined>(undefined);

/** The session of the views, all of which are inside of one. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) {
    throw new Error("There is no session around this view.");
  }
  return session;
}

/** The key of this tab. Session storage ends with the tab, and no other origin can read it. */
export function storedKey(): string | undefined {
  return sessionStorage.getItem(STORED) ?? undefined;
}

/** Keeps the key for this tab, or forgets it. */
export function storeKey(key: string | undefined): void {
  if (key === undefined) {
    sessionStorage.removeItem(STORED);
  } else {
    sessionStorage.setItem(STORED, key);
  }
}

/** Whether an error says that the key is not, or no longer, valid. */
export function isKeyRefused(error: unknown): boolean {
  return error instanceof ApiProblem && error.problem.status === 401;
}
