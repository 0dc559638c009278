/** What every restore drill shares: steps with their times, names that cannot be an original's, and cleaning up whatever happens. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Problem } from "../problem";

/** A step that was done. */
export interface Step {
  readonly what: string;
  readonly seconds: number;
}

/** One drill. */
export class Drill {
  readonly steps: Step[] = [];
  /** Belongs in the name of everything that the drill makes; nothing without it is ever changed or deleted. */
  readonly mark = `restore-drill-${new Date().toISOString().slice(0, 10)}-${randomBytes(4).toString("hex")}`;

  /**
   * @param say told about each step that is done; the next one waits for it
   * @param signal aborted when the person at the keyboard wants to stop
   */
  constructor(
    private readonly say: (text: string) => void | Promise<void>,
    readonly signal: AbortSignal,
  ) {}

  /** Does a step and takes its time. */
  async step<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    return await this.cleanUp(what, work);
  }

  /** As {@link step}, also after an interruption. */
  async cleanUp<T>(what: string, work: () => Promise<T>): Promise<T> {
    const begin = performance.now();
    const result = await work();
    const seconds = (performance.now() - begin) / 1_000;
    this.steps.push({ what, seconds });
    await this.say(`✔ ${what} [${seconds.toFixed(1)} s]`);
    return result;
  }

  /**
   * The name, where it is the drill's own.
   *
   * @throws Error otherwise: what was there before is never touched
   */
  own(name: string): string {
    if (!name.includes(this.mark)) {
      throw new Error(`${name} is not of this drill (${this.mark}): it is not touched.`);
    }
    return name;
  }

  /**
   * Waits until something is so.
   *
   * @param what for the error, such as `the table is ACTIVE`
   * @throws Problem when it takes too long
   */
  async until(what: string, isSo: () => Promise<boolean>, pauseMs: number, limitMs: number): Promise<void> {
    const end = Date.now() + limitMs;
    while (!(await isSo())) {
      this.signal.throwIfAborted();
      if (Date.now() > end) {
        throw new Problem(
          `After ${Math.round(limitMs / 60_000)} minutes it is still not so that ${what}.`,
          "Look at it in the console. The drill cleans up what it can now; run it again later.",
        );
      }
      await sleep(pauseMs);
    }
  }
}

/** Seconds of all steps. */
export function total(steps: readonly Step[]): number {
  return steps.reduce((sum, { seconds }) => sum + seconds, 0);
}
