/**
 * `npm run bench:scale`: synth, diff against another synth, and plan bookkeeping for 1, 10, 100 and 300 environments of every stack. Each
 * environment has processes of its own, so many at a time, so that time grows with their number and memory does not. `-- --write` writes
 * the table to docs/benchmarks.md and the chart to docs/images.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { wholeNumber, wholeNumbers } from "../commands/support/arguments";
import { median, writeSection } from "./support/report";
import { scaleChart } from "./support/scale-chart";
import { type ScaleFigures, scale } from "./support/scale-run";

const PAGE = "docs/benchmarks.md";
const IMAGES = "docs/images";
/** How much more an environment may take among many than among ten, and how much larger its processes may be. */
const LIMITS = { time: 1.25, memory: 1.25 };

interface Flags {
  readonly sizes: readonly number[];
  readonly parallel: number;
  readonly write: boolean;
}

async function main(): Promise<void> {
  const { sizes, parallel, write } = new Command("bench:scale")
    .description("Times synth, diff and plan bookkeeping of many environments.")
    .option("--sizes <numbers>", "numbers of environments, with commas", wholeNumbers(1), [1, 10, 100, 300])
    .option("--parallel <number>", "environments at a time", wholeNumber(1), cpus().length)
    .option("--write", `write the table to ${PAGE} and the chart to ${IMAGES}`, false)
    .parse()
    .opts<Flags>();
  const work = mkdtempSync(join(tmpdir(), "scale-"));
  const results: ScaleFigures[] = [];
  try {
    // The first one warms caches up: of files, of compiled TypeScript, of bundles.
    await scale(1, 1, work, () => undefined);
    for (const size of sizes) {
      results.push(await scale(size, parallel, work, (count) => process.stderr.write(`\r${count} of ${size}`)));
      process.stderr.write("\n");
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const table = tableOf(results, parallel);
  process.stdout.write(`${table}\n`);
  if (write) {
    writeSection(PAGE, "scale", table);
    mkdirSync(IMAGES, { recursive: true });
    writeFileSync(
      join(IMAGES, "scale.svg"),
      await scaleChart("Environments through synth, diff and bookkeeping", results),
    );
  }
}

function tableOf(results: readonly ScaleFigures[], parallel: number): string {
  const machine = `${cpus().length} cores (${cpus()[0]?.model ?? "unknown"}), ${Math.round(totalmem() / 1024 ** 3)} GiB, Node.js ${process.version}`;
  return [
    `One run of each on ${machine}, ${parallel} at a time. Per environment: wall time of the whole, then medians within its processes.`,
    "",
    "| environments | stacks | resources | all in all | per environment | synth | diff | bookkeeping | largest process | leading process |",
    "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ...results.map(rowOf),
    "",
    verdict(results),
    "",
    "![Time and memory over the number of environments](images/scale.svg)",
  ].join("\n");
}

function rowOf(figures: ScaleFigures): string {
  const { environments, stacks, resources, seconds, synth, diff, plan, childMebibytes, ownMebibytes } = figures;
  const cells = [
    environments,
    stacks.toLocaleString("en"),
    resources.toLocaleString("en"),
    seconds < 120 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`,
    `${(seconds / environments).toFixed(2)} s`,
    `${median(synth).toFixed(2)} s`,
    `${(median(diff) * 1_000).toFixed(0)} ms`,
    `${(median(plan) * 1_000).toFixed(0)} ms`,
    `${childMebibytes.toFixed(0)} MiB`,
    `${ownMebibytes.toFixed(0)} MiB`,
  ];
  return `| ${cells.join(" | ")} |`;
}

/** Whether the largest number took what ten of them say, a piece. */
function verdict(results: readonly ScaleFigures[]): string {
  const few = results.find(({ environments }) => environments >= 10);
  const many = results.at(-1);
  if (few === undefined || many === undefined || few === many) {
    return "Too few numbers to say how it grows.";
  }
  const time = many.seconds / many.environments / (few.seconds / few.environments);
  const memory = many.childMebibytes / few.childMebibytes;
  const held = time <= LIMITS.time && memory <= LIMITS.memory;
  return (
    `From ${few.environments} to ${many.environments} environments, one takes ${time.toFixed(2)} × the time and its largest process ` +
    `${memory.toFixed(2)} × the memory (limits: ${LIMITS.time} × and ${LIMITS.memory} ×): ${held ? "linear, in bounded memory" : "missed"}.`
  );
}

void main();
