/** Waiting for AWS to get somewhere, with a limit and a line of progress for each change. */
import { setTimeout as sleep } from "node:timers/promises";
import { Problem } from "../problem";

/** How long to wait, and how to tell about it. */
export interface Waiting {
  /** Between two looks, in milliseconds. */
  readonly everyMs: number;
  /** After which it is given up, in milliseconds. */
  readonly limitMs: number;
  /** Told what is seen, once for each change. */
  readonly say: (text: string) => void;
}

/** What a look found: a line about it, and the result once it is there. */
export interface Look<T> {
  readonly seen: string;
  readonly result?: T;
}

/**
 * Looks until there is a result.
 *
 * @param what what is waited for, for the error
 * @param remedy what to do when it takes too long
 * @throws Problem after `limitMs`, with what was seen last
 */
export async function waitFor<T>(
  what: string,
  remedy: string,
  { everyMs, limitMs, say }: Waiting,
  look: () => Promise<Look<T>>,
): Promise<T> {
  const end = Date.now() + limitMs;
  let said = "";
  for (;;) {
    const { seen, result } = await look();
    if (seen !== said) {
      say(seen);
      said = seen;
    }
    if (result !== undefined) {
      return result;
    }
    if (Date.now() >= end) {
      throw new Problem(`${what}: not so after ${Math.round(limitMs / 60_000)} minutes. Last seen: ${seen}.`, remedy);
    }
    await sleep(everyMs);
  }
}
