/** The service's API, as the page uses it. */

/** What a user asks for. */
export interface Order {
  readonly candidates: number;
  /** Length of each. */
  readonly seconds: number;
  /** @default - chosen by the service */
  readonly seed?: number;
}

/** A piece to choose. */
export interface Candidate {
  readonly index: number;
  readonly status: "waiting" | "succeeded" | "failed";
  readonly seconds?: number;
  readonly model?: string;
  /** Where it is, below the API. */
  readonly href?: string;
  readonly error?: string;
}

/** A run, as the service tells it. */
export interface Run {
  readonly id: string;
  readonly name: string;
  readonly status: "uploaded" | "queued" | "running" | "succeeded" | "failed";
  readonly created: string;
  readonly recording: { readonly format: string; readonly seconds: number };
  readonly order: Order | null;
  readonly transcript: { readonly text: string } | null;
  readonly mood: { readonly mood: string; readonly valence: number } | null;
  readonly candidates: readonly Candidate[];
  readonly error?: ProblemDocument;
}

/** RFC 9457, as every program of the service answers. */
export interface ProblemDocument {
  readonly title?: string;
  readonly detail?: string;
  readonly remedy?: string;
  readonly requestId?: string;
}

/** An answer that is an error, or a run that failed. */
export class Refusal extends Error {
  constructor(readonly problem: ProblemDocument) {
    super(problem.detail ?? problem.title ?? "The service refused.");
    this.name = "Refusal";
  }
}

const ANSWER_MS = 65_000;
const UPLOAD_MS = 300_000;

/** Sends a recording. @returns its run, which waits to be started */
export function upload(file: File): Promise<Run> {
  return call(`/runs?${new URLSearchParams({ name: file.name.slice(0, 255) })}`, "POST", file, UPLOAD_MS);
}

/** Starts a run; the same order again does nothing. */
export function start(id: string, order: Order): Promise<Run> {
  return call(`/runs/${id}/start`, "POST", new Blob([JSON.stringify(order)], { type: "application/json" }));
}

/** How a run is. */
export function look(id: string): Promise<Run> {
  return call(`/runs/${id}`);
}

/** The user's runs, the newest first. */
export async function all(): Promise<readonly Run[]> {
  return (await call<{ runs: Run[] }>("/runs")).runs;
}

/** Removes a run with all of its files. */
export async function remove(id: string): Promise<void> {
  await call(`/runs/${id}`, "DELETE");
}

/** Where a browser finds what the API names. */
export function addressOf(href: string): string {
  return `/api${href}`;
}

async function call<T>(path: string, method = "GET", body?: Blob, timeoutMs = ANSWER_MS): Promise<T> {
  const response = await fetch(addressOf(path), {
    method,
    ...(body ? { body } : {}),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await response.text();
  if (!response.ok) {
    throw new Refusal(problemOf(text, response.status));
  }
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

function problemOf(text: string, status: number): ProblemDocument {
  try {
    return JSON.parse(text) as ProblemDocument;
  } catch {
    return { title: "The service does not answer", detail: `Status ${status}.`, remedy: "Try again in a minute." };
  }
}
