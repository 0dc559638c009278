/** Many environments through synth, diff and plan bookkeeping: each in processes of its own, so many at a time. */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ChildFigures } from "./scale-child";

const RUN_MS = 180_000;
/** An environment with every system. */
const SECTION = {
  accountId: "111122223333",
  owner: "scale",
  denoise: { enabled: true },
  inference: { enabled: true, atlas: { organizationId: "0123456789abcdef01234567" } },
  mlFunction: { enabled: true },
  music: { enabled: true },
};
const run = promisify(execFile);

/** What a number of environments took. */
export interface ScaleFigures {
  readonly environments: number;
  readonly stacks: number;
  readonly resources: number;
  /** Wall time of the whole, in seconds. */
  readonly seconds: number;
  /** Seconds of one environment in its processes: synth, and the comparison and bookkeeping within theirs. */
  readonly synth: readonly number[];
  readonly diff: readonly number[];
  readonly plan: readonly number[];
  /** The most memory of any process, and of the one that leads them, in MiB. */
  readonly childMebibytes: number;
  readonly ownMebibytes: number;
}

interface OneEnvironment extends ChildFigures {
  readonly synthSeconds: number;
  readonly mebibytes: number;
}

/**
 * Runs so many environments.
 *
 * @param environments how many
 * @param parallel how many at a time
 * @param work folder for what is synthesized; an environment's files are removed when it is done
 * @param done told how many are done
 */
export async function scale(
  environments: number,
  parallel: number,
  work: string,
  done: (count: number) => void,
): Promise<ScaleFigures> {
  const names = Array.from({ length: environments }, (_, index) => `env-${String(index + 1).padStart(4, "0")}`);
  const context = JSON.stringify({
    environments: Object.fromEntries(names.map((name) => [name, SECTION])),
  });
  const waiting = [...names];
  const results: OneEnvironment[] = [];
  const started = performance.now();
  const lane = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      results.push(await environmentOf(name, join(work, name), context));
      done(results.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, environments) }, lane));
  return {
    environments,
    stacks: sum(results.map(({ stacks }) => stacks)),
    resources: sum(results.map(({ resources }) => resources)),
    seconds: (performance.now() - started) / 1_000,
    synth: results.map(({ synthSeconds }) => synthSeconds),
    diff: results.map(({ diffSeconds }) => diffSeconds),
    plan: results.map(({ planSeconds }) => planSeconds),
    childMebibytes: Math.max(...results.map(({ mebibytes }) => mebibytes)),
    ownMebibytes: process.resourceUsage().maxRSS / 1024,
  };
}

async function environmentOf(name: string, folder: string, context: string): Promise<OneEnvironment> {
  const before = join(folder, "before", "cdktf.out");
  mkdirSync(before, { recursive: true });
  try {
    const env = { ...process.env, ENVIRONMENT: name, CDKTF_OUTDIR: before, CDKTF_CONTEXT_JSON: context };
    const synth = await timed(["--import", "tsx", "main.ts"], env, folder);
    const stacks = readdirSync(join(before, "stacks"));
    const after = join(folder, "after", "cdktf.out");
    cpSync(before, after, { recursive: true });
    changeEach(after, stacks);
    const child = await timed(
      ["--import", "tsx", join("bench", "support", "scale-child.ts"), folder, ...stacks],
      env,
      folder,
    );
    const figures = JSON.parse(child.stdout) as ChildFigures;
    if (figures.differing !== stacks.length) {
      throw new Error(`${name}: ${figures.differing} of ${stacks.length} stacks differ, expected all.`);
    }
    return { ...figures, synthSeconds: synth.seconds, mebibytes: Math.max(synth.mebibytes, child.mebibytes) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Another owner in every stack, so that the comparison finds something everywhere. */
function changeEach(output: string, stacks: readonly string[]): void {
  for (const stack of stacks) {
    const file = join(output, "stacks", stack, "cdk.tf.json");
    writeFileSync(file, readFileSync(file, "utf8").replaceAll('"owner": "scale"', '"owner": "another"'));
  }
}

async function timed(args: readonly string[], env: NodeJS.ProcessEnv, folder: string) {
  const figures = join(folder, "figures");
  const { stdout } = await run("/usr/bin/time", ["--format=%e %M", `--output=${figures}`, process.execPath, ...args], {
    env,
    timeout: RUN_MS,
    maxBuffer: 64 * 1024 ** 2,
  });
  const [seconds = Number.NaN, kibibytes = Number.NaN] = readFileSync(figures, "utf8").trim().split(" ").map(Number);
  return { stdout, seconds, mebibytes: kibibytes / 1024 };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
