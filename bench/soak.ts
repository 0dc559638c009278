/**
 * A soak: two controllers and two workers under steady load for minutes. Every job that was accepted must end once and well, and memory, open
 * files and containers must not grow. Exit status 1 when any of that fails.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { startBalancer } from "../__tests__/support/balancer";
import { Grid, gridMissing, type Program } from "../__tests__/support/grid";
import { wholeNumber } from "../commands/support/arguments";
import { median, writeSection } from "./support/report";

const FUNCTIONS = 4;
const CODE = [
  "import hashlib, pathlib",
  "",
  "",
  "def handler(event):",
  "    pathlib.Path('/output/echo.txt').write_text(event['text'])",
  "    print('n', event['n'])",
  "    return {'n': event['n'], 'sha256': hashlib.sha256(event['text'].encode()).hexdigest()}",
  "",
].join("\n");
const SAMPLE_MS = 5_000;
/** What may be between the first third's median and the last's, as caches fill. */
const GROWTH = { memory: 1.25, files: 1.25, containers: 1.25 };

interface Options {
  readonly minutes: number;
  readonly rate: number;
  readonly write: boolean;
}

/** One look at the programs. */
interface Sample {
  readonly memoryMib: Record<string, number>;
  readonly files: Record<string, number>;
  readonly containers: number;
}

async function main(): Promise<void> {
  const options = new Command("soak")
    .description(
      "Runs two controllers and two workers under steady load, and looks for what is lost, doubled or growing.",
    )
    .option("--minutes <number>", "how long", wholeNumber(1), 10)
    .option("--rate <number>", "calls a second", wholeNumber(1), 8)
    .option("--write", "write the table to docs/benchmarks.md", false)
    .parse()
    .opts<Options>();
  const missing = gridMissing();
  if (missing) {
    throw new Error(`The soak cannot run here: ${missing}.`);
  }
  const grid = await Grid.start();
  try {
    const controllers = await Promise.all([grid.startController(), grid.startController()]);
    const workers = await Promise.all([grid.startWorker({ CONCURRENCY: "2" }), grid.startWorker({ CONCURRENCY: "2" })]);
    const balancer = await startBalancer(
      controllers.map(({ url }) => url),
      { path: "/health", intervalMs: 5_000 },
    );
    const soak = new Soak(grid, balancer.url, [...controllers, ...workers], options);
    await soak.run();
    const findings = await soak.findings();
    const table = soak.table(findings);
    console.log(table);
    if (options.write) {
      writeSection("docs/benchmarks.md", "soak", table);
    }
    await balancer.close();
    process.exitCode = findings.length > 0 ? 1 : 0;
  } finally {
    await grid.close();
  }
}

class Soak {
  private readonly jobs = new Map<string, number>();
  private readonly samples: Sample[] = [];
  private readonly refused: string[] = [];
  private readonly milliseconds: number[] = [];

  constructor(
    private readonly grid: Grid,
    private readonly url: string,
    private readonly programs: readonly Program[],
    private readonly options: Options,
  ) {}

  /** Calls at the rate that was asked for, every other call synchronously, and looks at the programs from time to time. */
  async run(): Promise<void> {
    const functions = await Promise.all(
      Array.from({ length: FUNCTIONS }, () => this.grid.createFunction(this.url, CODE)),
    );
    const end = Date.now() + this.options.minutes * 60_000;
    const calls = new Set<Promise<void>>();
    let nextSample = 0;
    for (let n = 0; Date.now() < end; n++) {
      const call = this.call(functions[n % FUNCTIONS] ?? "", n).finally(() => calls.delete(call));
      calls.add(call);
      if (Date.now() >= nextSample) {
        this.samples.push(this.look());
        nextSample = Date.now() + SAMPLE_MS;
        process.stderr.write(`\r${Math.round((end - Date.now()) / 1000)} s left, ${n} calls, ${calls.size} open   `);
      }
      await sleep(1_000 / this.options.rate);
    }
    process.stderr.write("\n");
    await Promise.all(calls);
  }

  /** What went wrong, a sentence each. */
  async findings(): Promise<string[]> {
    const findings = this.refused.map((why) => `a call was refused: ${why}`);
    for (const [jobId, n] of this.jobs) {
      const result = await this.grid.result(this.url, jobId, 120_000).catch((error: Error) => error);
      if (result instanceof Error) {
        findings.push(`${jobId} was lost: ${result.message}`);
      } else if (result.status !== "SUCCESS" || (result.output as { n?: number } | null)?.n !== n) {
        findings.push(`${jobId} ended as ${JSON.stringify(result.exit_reason)} with ${JSON.stringify(result.output)}`);
      } else if (result.attempt !== 1) {
        findings.push(`${jobId} was started ${result.attempt} times`);
      }
    }
    for (const [what, limit] of Object.entries(GROWTH)) {
      for (const [name, [first, last]] of Object.entries(this.ends(what as keyof typeof GROWTH))) {
        if (last > first * limit) {
          findings.push(`${name}: ${what} grew from ${first.toFixed(1)} to ${last.toFixed(1)}`);
        }
      }
    }
    return findings;
  }

  /** The findings and the growth as a table. */
  table(findings: readonly string[]): string {
    const rows = Object.keys(GROWTH).flatMap((what) =>
      Object.entries(this.ends(what as keyof typeof GROWTH)).map(
        ([name, [first, last]]) => `| ${what}, ${name} | ${first.toFixed(1)} | ${last.toFixed(1)} |`,
      ),
    );
    return [
      `${this.jobs.size} jobs in ${this.options.minutes} minutes, ${this.options.rate} calls a second; synchronous calls took ${median(this.milliseconds).toFixed(0)} ms (median).`,
      findings.length === 0
        ? "None was lost, none ran twice, nothing grew."
        : findings.map((finding) => `- ${finding}`).join("\n"),
      "",
      "| what | median of the first third | of the last |",
      "|---|---:|---:|",
      ...rows,
    ].join("\n");
  }

  private async call(functionId: string, n: number): Promise<void> {
    const input = { n, text: "x".repeat(1 + (n % 1_000)) };
    try {
      if (n % 2 === 0) {
        this.jobs.set(await this.grid.invokeAsync(this.url, functionId, input), n);
        return;
      }
      const began = performance.now();
      const path = `/v1/functions/${functionId}/invocations`;
      const { job_id } = await this.grid.ask<{ job_id: string }>(this.url, "POST", path, { json: input });
      this.milliseconds.push(performance.now() - began);
      this.jobs.set(job_id, n);
    } catch (error) {
      this.refused.push(String(error));
    }
  }

  private look(): Sample {
    const each = (read: (pid: number) => number) =>
      Object.fromEntries(this.programs.map(({ name, process: { pid } }) => [name, read(pid ?? 0)]));
    return {
      memoryMib: each((pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024),
      files: each((pid) => readdirSync(`/proc/${pid}/fd`).length),
      containers: execFileSync("docker", ["ps", "--all", "--quiet"], { encoding: "utf8" }).split("\n").filter(Boolean)
        .length,
    };
  }

  /** Medians of the first and the last third, the first minute left out, by program. */
  private ends(what: keyof typeof GROWTH): Record<string, [number, number]> {
    const settled = this.samples.slice(Math.min(60_000 / SAMPLE_MS, Math.floor(this.samples.length / 4)));
    const third = Math.max(1, Math.floor(settled.length / 3));
    const pick = ({ memoryMib, files, containers }: Sample) =>
      what === "memory" ? memoryMib : what === "files" ? files : { engine: containers };
    const names = Object.keys(pick(settled[0] as Sample));
    const middle = (samples: readonly Sample[], name: string) =>
      median(samples.map((sample) => pick(sample)[name] ?? 0));
    return Object.fromEntries(
      names.map((name) => [name, [middle(settled.slice(0, third), name), middle(settled.slice(-third), name)]]),
    );
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
