/** Runs phases and shows them: a live list on a terminal, plain lines elsewhere. */
import { Listr, type ListrTask, PRESET_TIMER } from "listr2";
import type { Basis, Found, Phase, Report } from "./phase";

/** How long a phase took. */
export interface Timing {
  readonly title: string;
  readonly seconds: number;
}

/** What a run of phases leaves behind, also when it failed. */
export interface Progress {
  readonly found: Partial<Found>;
  readonly timings: readonly Timing[];
  readonly warnings: readonly string[];
  /** What ended the run early. */
  readonly failure: unknown;
}

/** Where output is no terminal, a phase says at most every so often what it does. */
const PLAIN_INTERVAL_MS = 15_000;

/** How the phases are run. */
export interface ProgressOptions {
  readonly basis: Basis;
  /** Ends phases that run beside one that failed. */
  readonly abort: () => void;
  /** Whether a live list can be drawn. */
  readonly live: boolean;
}

/**
 * Runs phases in their order, those of an inner list side by side.
 *
 * @returns what they found, how long each took, and the failure that ended the run, if any
 */
export async function runPhases(
  plan: readonly (Phase | readonly Phase[])[],
  options: ProgressOptions,
): Promise<Progress> {
  const found: Partial<Record<keyof Found, unknown>> = {};
  const timings: Timing[] = [];
  const warnings: string[] = [];
  const running: Promise<unknown>[] = [];
  let failure: unknown;

  const work = async (phase: Phase, report: Report): Promise<string> => {
    const started = performance.now();
    try {
      const { value, summary } = await phase.run({ ...options.basis, ...found } as Basis & Found, report);
      found[phase.key] = value;
      return summary;
    } catch (error) {
      failure ??= error;
      options.abort();
      throw error;
    } finally {
      timings.push({ title: phase.title, seconds: (performance.now() - started) / 1000 });
    }
  };
  const toTask = (phase: Phase): ListrTask => ({
    title: phase.title,
    task: async (_, task) => {
      const say = options.live
        ? (text: string) => {
            task.output = text;
          }
        : plainly((text) => process.stdout.write(`  ${phase.title}: ${text}\n`));
      const warn = (text: string) => warnings.push(text);
      const finished = work(phase, { say, warn });
      running.push(finished);
      const summary = await finished.catch(() => {
        // The whole of it is printed below the list.
        throw new Error("see below");
      });
      task.title = `${phase.title}: ${summary}`;
    },
  });
  const tasks = plan.map((entry): ListrTask => {
    const phases = [entry].flat();
    const [only] = phases;
    const task: ListrTask =
      phases.length === 1 && only !== undefined
        ? toTask(only)
        : { task: (_, wrapper) => wrapper.newListr(phases.map(toTask), { concurrent: true }) };
    return { ...task, enabled: () => failure === undefined };
  });
  const list = new Listr(tasks, {
    registerSignalListeners: false,
    exitOnError: false,
    renderer: options.live ? "default" : "simple",
    rendererOptions: { timer: PRESET_TIMER, collapseSubtasks: false, showErrorMessage: false },
  });
  await list.run();
  await Promise.allSettled(running);
  return { found: found as Partial<Found>, timings, warnings, failure };
}

/** Passes on what is said, at most once in a while, beginning after the first while. */
function plainly(write: (text: string) => void): (text: string) => void {
  let last = Date.now();
  return (text) => {
    if (Date.now() - last >= PLAIN_INTERVAL_MS) {
      last = Date.now();
      write(text);
    }
  };
}
