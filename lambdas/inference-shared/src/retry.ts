/** Retries with jitter that end well before the function's own timeout. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "aws-lambda";
import type { Log } from "../../shared/log";

/** Attempts of one call, the first included. */
const ATTEMPTS = 5;
/** Longest first wait, and longest wait at all, in milliseconds; each is drawn between nothing and that. */
const FIRST_MS = 200;
const LONGEST_MS = 3_000;
/** Time that is kept for the answer itself, in milliseconds. */
const RESERVE_MS = 1_500;

/** When work has to be over. */
export class Deadline {
  private constructor(
    private readonly endsAt: number,
    /** Id of the invocation, for the log. */
    readonly invocationId: string,
  ) {}

  /** The deadline of an invocation. */
  static of(context: Pick<Context, "awsRequestId" | "getRemainingTimeInMillis">): Deadline {
    const remainingMs = Math.max(0, context.getRemainingTimeInMillis() - RESERVE_MS);
    return new Deadline(performance.now() + remainingMs, context.awsRequestId);
  }

  /** Milliseconds that are left, never less than none. */
  get leftMs(): number {
    return Math.max(0, this.endsAt - performance.now());
  }
}

export interface RetryProps {
  /** What is tried, for the log. */
  readonly what: string;
  readonly deadline: Deadline;
  readonly log: Log;
  /** Whether a failure may pass. */
  readonly passes: (error: unknown) => boolean;
  /** Longest that one attempt may take, in milliseconds. */
  readonly attemptMs: number;
}

/**
 * Tries until it works, no attempt is left, or the next would end after the deadline.
 *
 * @param attempt gets a signal that aborts when its time is over
 * @throws what the last attempt threw
 */
export async function withRetries<T>(
  { what, deadline, log, passes, attemptMs }: RetryProps,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  for (let tried = 1; ; tried++) {
    const limitMs = Math.max(1, Math.min(attemptMs, deadline.leftMs));
    try {
      return await attempt(AbortSignal.timeout(Math.floor(limitMs)));
    } catch (error) {
      const waitMs = Math.random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** (tried - 1));
      if (!passes(error) || tried >= ATTEMPTS || waitMs >= deadline.leftMs) {
        throw error;
      }
      log("warn", "tried again", {
        invocationId: deadline.invocationId,
        what,
        tried,
        waitMs: Math.round(waitMs),
        cause: error,
      });
      await sleep(waitMs);
    }
  }
}

/** Whether an error says that an attempt's time was over. */
export function isTimeout(error: unknown): boolean {
  const { name } = (error ?? {}) as { name?: string };
  return name === "TimeoutError" || name === "AbortError";
}
