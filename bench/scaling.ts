/**
 * `npm run bench:scaling`: the emitted scaling of the workers under simulated load, "depth" and "backlog" side by side, against a scaler
 * that knows everything. `-- --write` writes the table to docs/benchmarks.md and the charts to docs/images.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { wholeNumber } from "../commands/support/arguments";
import { emitted } from "./support/emitted";
import { spreadOf, writeSection } from "./support/report";
import { burstChart, dayChart, type Series } from "./support/scaling-charts";
import { burst, daily, memoryless, randomOf, steady } from "./support/scaling-loads";
import { type GroupScaling, scalingOf } from "./support/scaling-policies";
import {
  type Assumptions,
  type Load,
  type Outcome,
  type Simulated,
  simulate,
  type TracePoint,
} from "./support/scaling-simulation";

const PAGE = "docs/benchmarks.md";
const IMAGES = "docs/images";
/** A year: whatever drains at all has drained by then. */
const HORIZON = 365 * 86_400;
const HOUR = 3_600;

interface Flags {
  readonly seeds: number;
  readonly boot?: number;
  readonly write: boolean;
}

/** Settings below `nanogrid.workers`. */
type WorkerSettings = Readonly<Record<string, unknown>>;

/** A load and the limits of the group under it. */
interface Scenario {
  readonly name: string;
  readonly load: (seed: number) => Load;
  /** Settings of the workers, besides how they scale. */
  readonly settings: WorkerSettings;
  /** Whether instance-hours count until the group is small again, or until the last job. */
  readonly untilMinimum: boolean;
}

/** A way to scale, with the group that is emitted for it; without one, the bound. */
interface Scaler {
  readonly name: string;
  readonly scaling?: GroupScaling;
  readonly max: number;
}

const WIDE = { max: 300 };

const SCENARIOS: readonly Scenario[] = [
  burstOf(100, 6, {}),
  burstOf(10_000, 6, {}),
  burstOf(1_000_000, 6, {}),
  burstOf(100, 6, WIDE),
  burstOf(10_000, 6, WIDE),
  burstOf(1_000_000, 6, WIDE),
  burstOf(1_000, 60, { ...WIDE, meanJobSeconds: 60 }),
  burstOf(1_000, 60, { ...WIDE, meanJobSeconds: 6 }, ", setting says 6 s"),
  {
    name: "5 jobs a second for 6 hours, 6 s each, 2 to 300 workers",
    load: (seed) => steady(5, 6 * HOUR, memoryless(6, randomOf(seed)), randomOf(seed + 1_000)),
    settings: WIDE,
    untilMinimum: false,
  },
  {
    name: "a day with 20 jobs a second at noon, 6 s each, 2 to 300 workers",
    load: (seed) => daily(20, memoryless(6, randomOf(seed)), randomOf(seed + 1_000)),
    settings: WIDE,
    untilMinimum: false,
  },
];
/** The scenarios of the two charts. */
const CHARTED = { burst: SCENARIOS[4], day: SCENARIOS[9] };

function burstOf(jobs: number, seconds: number, settings: WorkerSettings, remark = ""): Scenario {
  return {
    name: `${jobs.toLocaleString("en")} jobs at once, ${seconds} s each, 2 to ${settings.max ?? 5} workers${remark}`,
    load: (seed) => burst(jobs, memoryless(seconds, randomOf(seed))),
    settings,
    untilMinimum: true,
  };
}

/** What the Terraform does not say; docs/operations/scaling.md names each with its source. */
function assumptionsOf(bootSeconds: number): Assumptions {
  return { metricDelay: 60, launch: 45, boot: bootSeconds, protection: 30, drain: 15 };
}

async function main(): Promise<void> {
  const { seeds, boot, write } = new Command("bench:scaling")
    .description("Simulates the emitted scaling policies of the workers under bursts, steady load and a day.")
    .option("-n, --seeds <number>", "runs of each, with jobs and a moment of their own", wholeNumber(1), 5)
    .option(
      "--boot <seconds>",
      "until a worker takes its first job (default: the emitted instance warm-up)",
      wholeNumber(1),
    )
    .option("--write", `write the table to ${PAGE} and the charts to ${IMAGES}`, false)
    .parse()
    .opts<Flags>();
  const groups = new Groups();
  const rows: string[] = [];
  for (const scenario of SCENARIOS) {
    process.stderr.write(`${scenario.name}\n`);
    for (const [index, scaler] of groups.scalersOf(scenario).entries()) {
      const outcomes = Array.from({ length: seeds }, (_, seed) => run(scenario, scaler, seed + 1, groups.boot(boot)));
      rows.push(rowOf(index === 0 ? scenario.name : "", scenario, scaler, outcomes));
    }
  }
  const table = tableOf(rows, seeds, groups.boot(boot));
  process.stdout.write(`${table}\n`);
  if (write) {
    writeSection(PAGE, "scaling", table);
    await writeCharts(groups, groups.boot(boot));
  }
}

/** The emitted groups, synthesized once for each settings. */
class Groups {
  private readonly known = new Map<string, GroupScaling>();

  scalersOf({ settings }: Scenario): Scaler[] {
    const depth = this.scaling({ ...settings, scaling: "depth" });
    const backlog = this.scaling({ ...settings, scaling: "backlog" });
    return [
      { name: "depth", scaling: depth, max: depth.max },
      { name: "backlog", scaling: backlog, max: backlog.max },
      { name: "bound", max: depth.max },
    ];
  }

  /** The boot time that was asked for, else what the emitted instance refresh allows. */
  boot(wanted: number | undefined): number {
    return wanted ?? this.scaling({ scaling: "depth" }).bootSeconds;
  }

  private scaling(settings: WorkerSettings): GroupScaling {
    const key = JSON.stringify(settings);
    const scaling =
      this.known.get(key) ?? scalingOf(emitted({ nanogrid: { workers: settings } }).get("nanogrid-workers"));
    this.known.set(key, scaling);
    return scaling;
  }
}

function run(
  { load, untilMinimum }: Scenario,
  { scaling, max }: Scaler,
  seed: number,
  bootSeconds: number,
  traced?: Pick<Simulated, "trace" | "traceEvery">,
): Outcome {
  return simulate({
    ...(scaling ? { scaling } : { workers: max }),
    concurrency: 1,
    assumptions: assumptionsOf(bootSeconds),
    load: load(seed),
    phase: Math.floor(randomOf(seed + 2_000)() * 60),
    horizon: HORIZON,
    untilMinimum,
    ...traced,
  });
}

function rowOf(title: string, scenario: Scenario, { name, scaling }: Scaler, outcomes: readonly Outcome[]): string {
  const cell = (pick: (outcome: Outcome) => number, format: (value: number) => string) =>
    spreadOf(outcomes.map(pick), format);
  const count = (value: number) => Math.round(value).toLocaleString("en");
  // The bound pays for a worker only while it runs a job.
  const hours = (outcome: Outcome) => (scaling ? outcome.instanceHours : outcome.jobHours);
  const cells = [
    title,
    name,
    scenario.untilMinimum ? cell(({ drainedAt }) => drainedAt, span) : "",
    cell(({ waitP50 }) => waitP50, span),
    cell(({ waitP99 }) => waitP99, span),
    cell(({ mostInstances }) => mostInstances, count),
    cell(hours, (value) => (value < 10 ? value.toFixed(2) : count(value))),
  ];
  return `| ${cells.join(" | ")} |`;
}

function tableOf(rows: readonly string[], seeds: number, bootSeconds: number): string {
  return [
    `Median (minimum – maximum) of ${seeds} seeds. A worker takes its first job ${bootSeconds} s after its launch and runs one at a time.`,
    "",
    "| load | scaling | last job done after | wait p50 | wait p99 | most workers | instance-hours |",
    "|---|---|---|---|---|---|---|",
    ...rows,
    "",
    "![Jobs that wait and workers after a burst of 10,000 jobs](images/scaling-burst.svg)",
    "",
    "![Workers and waiting jobs over a day](images/scaling-day.svg)",
  ].join("\n");
}

async function writeCharts(groups: Groups, bootSeconds: number): Promise<void> {
  mkdirSync(IMAGES, { recursive: true });
  const seriesOf = (scenario: Scenario, traceEvery: number): Series[] =>
    groups.scalersOf(scenario).map((scaler) => {
      const points: TracePoint[] = [];
      const trace = (point: TracePoint) => points.push(scaler.scaling ? point : withoutIdle(point));
      run(scenario, scaler, 1, bootSeconds, { trace, traceEvery });
      return { name: scaler.name, points };
    });
  const { burst: afterBurst, day } = CHARTED;
  if (afterBurst && day) {
    const svg = await burstChart(afterBurst.name, seriesOf(afterBurst, 30), 120);
    writeFileSync(join(IMAGES, "scaling-burst.svg"), svg);
    writeFileSync(join(IMAGES, "scaling-day.svg"), await dayChart(day.name, seriesOf(day, 300)));
  }
}

/** The bound's instances are those that run a job. */
function withoutIdle(point: TracePoint): TracePoint {
  return { ...point, instances: point.running };
}

/** Seconds as a person reads them. */
function span(seconds: number): string {
  if (seconds < 120) {
    return `${Math.round(seconds)} s`;
  }
  if (seconds < 2 * HOUR) {
    return `${(seconds / 60).toFixed(1)} min`;
  }
  return seconds < 48 * HOUR ? `${(seconds / HOUR).toFixed(1)} h` : `${(seconds / 24 / HOUR).toFixed(1)} days`;
}

void main();
