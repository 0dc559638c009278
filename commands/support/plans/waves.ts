/** Which stacks, in which order, and how many at a time. */
import { availableParallelism, freemem } from "node:os";
import { Problem } from "../problem";
import type { SynthesizedStack } from "../synthesis";

/** What one Terraform with its providers takes at its peak. */
const TERRAFORM_BYTES = 1.5 * 1024 ** 3;

/**
 * The stacks that are meant: those of these names, or all.
 *
 * @throws Problem when there is no such stack
 */
export function chosenStacks(stacks: readonly SynthesizedStack[], wanted: readonly string[]): string[] {
  const known = stacks.map(({ name }) => name);
  const unknown = wanted.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Problem(`There is no stack ${unknown.join(", ")}.`, `The stacks are ${known.join(", ")}.`);
  }
  return wanted.length > 0 ? known.filter((name) => wanted.includes(name)) : known;
}

/**
 * Stacks in waves: those of a wave do not depend on each other, and each depends on stacks of earlier waves only.
 *
 * @param stacks all, in deployment order
 * @param chosen names of those that are wanted; the others count for the order only
 */
export function wavesOf(stacks: readonly SynthesizedStack[], chosen: readonly string[]): string[][] {
  const level = new Map<string, number>();
  for (const { name, dependencies } of stacks) {
    level.set(name, Math.max(-1, ...dependencies.map((each) => level.get(each) ?? -1)) + 1);
  }
  const waves: string[][] = [];
  for (const name of stacks.map((stack) => stack.name).filter((each) => chosen.includes(each))) {
    const at = level.get(name) ?? 0;
    waves[at] = [...(waves[at] ?? []), name];
  }
  return waves.filter((wave) => wave !== undefined);
}

/** How many Terraforms this machine bears at once: one a processor, as far as the memory goes. */
export function bearable(): number {
  const free = Math.min(freemem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return Math.max(1, Math.min(availableParallelism(), Math.floor(free / TERRAFORM_BYTES)));
}

/**
 * Works on stacks side by side, each after its producers among them.
 *
 * @param stacks in deployment order
 * @param parallel how many at a time
 * @param work is given the results of the producers, by name
 * @returns each stack's result to come; a failure is that stack's own, and it is its consumers' too
 */
export function inOrder<T>(
  stacks: readonly SynthesizedStack[],
  parallel: number,
  work: (stack: SynthesizedStack, producers: ReadonlyMap<string, T>) => Promise<T>,
): Map<string, Promise<T>> {
  const turns = new Turns(parallel);
  const results = new Map<string, Promise<T>>();
  for (const stack of stacks) {
    const producers = stack.dependencies.filter((name) => results.has(name));
    const result = Promise.all(producers.map(async (name) => [name, (await results.get(name)) as T] as const)).then(
      (found) => turns.take(() => work(stack, new Map(found))),
    );
    // Whoever awaits it sees the failure; until then it is no unhandled one.
    result.catch(() => undefined);
    results.set(stack.name, result);
  }
  return results;
}

/** Lets so many through at a time, first come, first served. */
export class Turns {
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {}

  /** Waits for a turn, and gives it back when the work is done. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.free === 0) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    } else {
      this.free--;
    }
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) {
        this.free++;
      } else {
        next();
      }
    }
  }
}
