/** The proof that the Music pipeline runs: a recording through the front, until its candidates are there. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Problem } from "../../commands/support/problem";
import type { Needs, Outcome, Report } from "../phase";

/** What came of the example. */
export interface MusicExample {
  readonly transcript: string;
  readonly mood: string;
  /** Bytes of each candidate's WAV. */
  readonly candidates: readonly number[];
}

/** What of a run's document is looked at. */
interface RunDocument {
  readonly id: string;
  readonly status: string;
  readonly transcript: { readonly text: string } | null;
  readonly mood: { readonly mood: string } | null;
  readonly candidates: readonly { readonly href?: string }[];
  readonly error?: { readonly detail: string };
}

/** Espeak's voice en-us+f5 at 130 words a minute: `I am so happy to see you today my dear friend`. */
const RECORDING = "examples/speech.ogg";
const ORDER = { candidates: 3, seconds: 8, seed: 1 };
const LIMIT_MS = 120_000;
const CALL_MS = 30_000;
const POLL_MS = 500;

/** Sends the recording, and waits for the music. */
export async function runMusicExample(
  { musicPrograms, places, signal }: Needs<"musicPrograms">,
  report: Report,
): Promise<Outcome<MusicExample>> {
  const call = caller(musicPrograms.url, signal);
  const session = await call("/");
  const cookie = session.headers.get("set-cookie")?.split(";")[0] ?? "";
  const ask = async (path: string, init: RequestInit = {}) =>
    (await (await call(`/api${path}`, { ...init, headers: { ...init.headers, cookie } })).json()) as RunDocument;
  const body = readFileSync(join(places.project, RECORDING));
  let run = await ask("/runs?name=speech.ogg", { method: "POST", body });
  const json = { "content-type": "application/json" };
  run = await ask(`/runs/${run.id}/start`, { method: "POST", body: JSON.stringify(ORDER), headers: json });
  const end = Date.now() + LIMIT_MS;
  while (!["succeeded", "failed"].includes(run.status) && Date.now() < end) {
    report.say(`run ${run.id}: ${run.status}`);
    await sleep(POLL_MS, undefined, { signal });
    run = await ask(`/runs/${run.id}`);
  }
  if (run.status !== "succeeded") {
    const why = run.error?.detail ?? `after ${LIMIT_MS / 1_000} s it is ${run.status}`;
    throw new Problem(`The example run did not succeed: ${why}.`, "Look at the logs of the services.");
  }
  const candidates = await Promise.all(
    run.candidates.map(async ({ href }) => {
      const answer = await call(`/api${href}`, { headers: { cookie } });
      return (await answer.arrayBuffer()).byteLength;
    }),
  );
  const value = { transcript: run.transcript?.text ?? "", mood: run.mood?.mood ?? "", candidates };
  return { value, summary: `${value.mood}, ${candidates.length} candidates` };
}

function caller(url: string, signal: AbortSignal): (path: string, init?: RequestInit) => Promise<Response> {
  return async (path, init = {}) => {
    const answer = await fetch(url + path, {
      ...init,
      signal: AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)]),
    });
    if (!answer.ok) {
      throw new Problem(
        `${path} answered ${answer.status}: ${await answer.text()}`,
        "Look at the logs of the services.",
      );
    }
    return answer;
  };
}
