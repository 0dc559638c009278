import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scale } from "../../bench/support/scale-run";

const RUN_MS = 180_000;

let work: string;

beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), "scale-test-"));
});

afterEach(() => rmSync(work, { recursive: true, force: true }));

test(
  "three environments, two at a time, are synthesized, compared and booked, and leave nothing behind",
  async () => {
    const done: number[] = [];
    const figures = await scale(3, 2, work, (count) => done.push(count));
    expect(done).toEqual([1, 2, 3]);
    expect(figures.environments).toBe(3);
    expect(figures.stacks % 3).toBe(0);
    expect(figures.resources).toBeGreaterThan(3 * 100);
    expect([...figures.synth, ...figures.diff, ...figures.plan].filter((seconds) => !(seconds > 0))).toEqual([]);
    expect(figures.childMebibytes).toBeGreaterThan(50);
    expect(readdirSync(work)).toEqual([]);
  },
  RUN_MS,
);

test(
  "an environment that does not synthesize stops the run with what it said, and its files are gone",
  async () => {
    const before = process.env.NODE_OPTIONS;
    process.env.NODE_OPTIONS = "--require ./does-not-exist.cjs";
    try {
      await expect(scale(1, 1, work, () => undefined)).rejects.toThrow("does-not-exist");
    } finally {
      process.env.NODE_OPTIONS = before ?? "";
    }
    expect(existsSync(join(work, "env-0001"))).toBe(false);
  },
  RUN_MS,
);
