/** GPUs in virtual time: work starts where it was placed, and is done once its seconds have passed at the speed that it got. */

/** What work that shares a GPU costs each other: `time-sliced` halves the speed of two, `unhindered` leaves them theirs. */
export const SHARINGS = ["time-sliced", "unhindered"] as const;
export type Sharing = (typeof SHARINGS)[number];

/** A GPU. */
export interface Gpu {
  readonly name: string;
  /** Memory, in GiB. */
  readonly gib: number;
}

/** Work with a model. */
export interface Work {
  readonly id: string;
  /** Seconds that it takes there when it is alone. */
  readonly seconds: number;
  /** GPU memory that its model takes, in GiB. */
  readonly gib: number;
}

/** What became of a GPU's time. */
export interface GpuUse {
  readonly name: string;
  /** Seconds from the beginning until its last work was done: from then on its node may go. */
  readonly heldSeconds: number;
  /** Of those, seconds with any work. */
  readonly busySeconds: number;
  /** Memory in use, times seconds. */
  readonly gibSeconds: number;
}

/** Work on a GPU, as a chart shows it. */
export interface Span {
  readonly id: string;
  readonly gpu: string;
  readonly from: number;
  readonly to: number;
}

interface Running {
  readonly work: Work;
  readonly from: number;
  left: number;
}

class Usage {
  readonly running = new Map<string, Running>();
  busySeconds = 0;
  gibSeconds = 0;
  heldSeconds = 0;

  constructor(readonly gpu: Gpu) {}

  get gib(): number {
    return [...this.running.values()].reduce((sum, { work }) => sum + work.gib, 0);
  }
}

/** All GPUs on one clock, which stands still until {@link finish} moves it to the next end of some work. */
export class GpuTime {
  /** Everything that is done, in the order in which it ended. */
  readonly spans: Span[] = [];
  private readonly usages: ReadonlyMap<string, Usage>;
  private seconds = 0;

  constructor(
    gpus: readonly Gpu[],
    private readonly sharing: Sharing,
  ) {
    this.usages = new Map(gpus.map((gpu) => [gpu.name, new Usage(gpu)]));
  }

  /** Seconds since the beginning. */
  get now(): number {
    return this.seconds;
  }

  /** @throws Error when there is no such GPU, or the model does not fit into what is free of its memory */
  start(name: string, work: Work): void {
    const usage = this.usages.get(name);
    if (usage === undefined || usage.gib + work.gib > usage.gpu.gib) {
      throw new Error(
        `${work.id}: ${work.gib} GiB do not fit on ${name} beside ${usage?.gib ?? "nothing, it is unknown"}.`,
      );
    }
    usage.running.set(work.id, { work, from: this.seconds, left: work.seconds });
  }

  /** Lets time pass until some work is done. @returns all that is done then; nothing when nothing runs */
  finish(): string[] {
    const ends = [...this.usages.values()].flatMap((usage) =>
      [...usage.running.values()].map(({ left }) => left / this.speed(usage)),
    );
    if (ends.length === 0) {
      return [];
    }
    const passed = Math.min(...ends);
    this.seconds += passed;
    return [...this.usages.values()].flatMap((usage) => this.pass(usage, passed));
  }

  /** What became of each GPU's time until now. */
  uses(): GpuUse[] {
    return [...this.usages.values()].map(({ gpu, heldSeconds, busySeconds, gibSeconds }) => ({
      name: gpu.name,
      heldSeconds,
      busySeconds,
      gibSeconds,
    }));
  }

  private speed({ running }: Usage): number {
    return this.sharing === "time-sliced" ? 1 / running.size : 1;
  }

  private pass(usage: Usage, passed: number): string[] {
    if (usage.running.size === 0) {
      return [];
    }
    const speed = this.speed(usage);
    usage.busySeconds += passed;
    usage.gibSeconds += passed * usage.gib;
    const done: string[] = [];
    for (const [id, each] of usage.running) {
      each.left -= passed * speed;
      if (each.left < 1e-6) {
        usage.running.delete(id);
        usage.heldSeconds = this.seconds;
        this.spans.push({ id, gpu: usage.gpu.name, from: each.from, to: this.seconds });
        done.push(id);
      }
    }
    return done;
  }
}
