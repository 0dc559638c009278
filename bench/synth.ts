/**
 * Synth of everything against synth of an empty CDKTF application, in the same run: wall time and peak memory, as ratios of medians.
 *
 * Each run is the command that `cdktf.json` names, in a process of its own, the kinds in turn, so that a change in the machine's speed
 * meets all of them.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { wholeNumber } from "../commands/support/arguments";
import { median, spread, writeSection } from "./support/report";

const RUN_MS = 120_000;

/** What one process took. */
interface Run {
  readonly seconds: number;
  readonly mebibytes: number;
}

/** A thing to synthesize. */
interface Subject {
  readonly name: string;
  readonly script: string;
  readonly environments: readonly string[];
}

const EMPTY_APP = 'import { App } from "cdktf";\nnew App().synth();\n';

/** The most that synth may take, as multiples of the empty application's. */
const LIMITS = { time: 2.5, memory: 3 };

function main(): void {
  const { runs, write } = new Command("bench:synth")
    .description("Times synth of every stack against an empty CDKTF application.")
    .option("-n, --runs <number>", "counted runs of each, after one warm-up", wholeNumber(1), 7)
    .option("--write", "write the table to docs/benchmarks.md", false)
    .parse()
    .opts<{ runs: number; write: boolean }>();
  const work = mkdtempSync(join(process.cwd(), "node_modules", ".cache-bench-"));
  try {
    const subjects = prepare(work);
    const results = measure(subjects, runs, work);
    const table = tableOf(subjects, results);
    console.log(table);
    if (write) {
      writeSection("docs/benchmarks.md", "synth", table);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function prepare(work: string): Subject[] {
  const empty = join(work, "empty.ts");
  writeFileSync(empty, EMPTY_APP);
  return [
    { name: "empty application", script: empty, environments: ["dev"] },
    { name: "every stack, one environment", script: "main.ts", environments: ["dev"] },
    {
      name: "every stack, ten environments one after the other",
      script: "main.ts",
      environments: Array(10).fill("dev"),
    },
  ];
}

function measure(subjects: readonly Subject[], runs: number, work: string): Run[][] {
  const results: Run[][] = subjects.map(() => []);
  for (let round = 0; round <= runs; round++) {
    subjects.forEach((subject, index) => {
      const run = runOnce(subject, work);
      // The first round warms caches up: of files, of compiled TypeScript, of bundles.
      if (round > 0) {
        results[index]?.push(run);
      }
    });
    process.stderr.write(`\rround ${round} of ${runs}`);
  }
  process.stderr.write("\n");
  return results;
}

function runOnce({ script, environments }: Subject, work: string): Run {
  const runs = environments.map((environment) => timed(script, environment, work));
  return {
    seconds: runs.reduce((sum, { seconds }) => sum + seconds, 0),
    mebibytes: Math.max(...runs.map(({ mebibytes }) => mebibytes)),
  };
}

function timed(script: string, environment: string, work: string): Run {
  const figures = join(work, "figures");
  const output = join(work, "out");
  mkdirSync(output, { recursive: true });
  const { status, stderr } = spawnSync(
    "/usr/bin/time",
    ["--format=%e %M", `--output=${figures}`, "npx", "tsx", script],
    { env: { ...process.env, ENVIRONMENT: environment, CDKTF_OUTDIR: output }, encoding: "utf8", timeout: RUN_MS },
  );
  if (status !== 0) {
    throw new Error(`${script} (${environment}): exit status ${status}\n${stderr}`);
  }
  const [seconds = Number.NaN, kibibytes = Number.NaN] = readFileSync(figures, "utf8").trim().split(" ").map(Number);
  return { seconds, mebibytes: kibibytes / 1024 };
}

function tableOf(subjects: readonly Subject[], results: readonly Run[][]): string {
  const [base = []] = results;
  const seconds = (runs: readonly Run[]) => runs.map((run) => run.seconds);
  const memory = (runs: readonly Run[]) => runs.map((run) => run.mebibytes);
  const rows = subjects.map((subject, index) => {
    const runs = results[index] ?? [];
    const per = subject.environments.length;
    const timeRatio = median(seconds(runs)) / median(seconds(base)) / per;
    const memoryRatio = median(memory(runs)) / median(memory(base));
    const time = `${spread(seconds(runs), 2)} | ${timeRatio.toFixed(2)}`;
    return `| ${subject.name} | ${time} | ${spread(memory(runs), 0)} | ${memoryRatio.toFixed(2)} |`;
  });
  const machine = `${cpus().length} cores (${cpus()[0]?.model ?? "unknown"}), ${Math.round(totalmem() / 1024 ** 3)} GiB, Node.js ${process.version}`;
  return [
    `Median (minimum – maximum) of ${base.length} runs on ${machine}. Limits: time ≤ ${LIMITS.time} ×, memory ≤ ${LIMITS.memory} ×.`,
    "",
    "| synth of | seconds | × empty, per environment | peak memory, MiB | × empty |",
    "|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

main();
