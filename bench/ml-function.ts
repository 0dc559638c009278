/**
 * `npm run bench:ml`: what a cold start of ML-XGBoost is made of, and what other ways would take: XGBoost's own Python package, NumPy
 * alone, pydantic. Each figure is of fresh processes, in turns. `-- --write` writes the tables to docs/benchmarks.md.
 */
import { execFileSync } from "node:child_process";
import { cpus, totalmem } from "node:os";
import { resolve } from "node:path";
import { Command } from "commander";
import { createMlFunction, eventOf } from "../__tests__/lambdas/ml-xgboost/function";
import { wholeNumber } from "../commands/support/arguments";
import { median, spread, writeSection } from "./support/report";

const PAGE = "docs/benchmarks.md";
const FOLDER = "lambdas/ml-xgboost";
const PROBE = resolve("bench/ml/probe.py");
const PYTHON = resolve(process.env.NANOGRID_ML_XGBOOST_DEV_PYTHON ?? ".local/venv/ml-xgboost-dev/bin/python");
/** Has pydantic, which the function has not. */
const PYDANTIC = resolve(
  process.env.NANOGRID_DENOISE_SERVICE_DEV_PYTHON ?? ".local/venv/denoise-service-dev/bin/python",
);
const PROCESS_MS = 60_000;
const GIB = 1024 ** 3;
/** Memory with which Lambda gives a whole processor, in MiB. */
const WHOLE_PROCESSOR_MIB = 1_769;
const MEMORY_MIB = 256;
/** A start may take so much of what a bare import of NumPy takes, and of what a start with XGBoost's package takes. */
const LIMITS = { numpy: 1, package: 0.33 };

type Figures = Readonly<Record<string, number>>;

interface Flags {
  readonly rounds: number;
  readonly write: boolean;
}

async function main(): Promise<void> {
  const { rounds, write } = new Command("bench:ml")
    .description("Times cold starts of the ML function by their parts, beside other ways to predict.")
    .option("--rounds <number>", "fresh processes of each kind", wholeNumber(10), 15)
    .option("--write", `write the tables to ${PAGE}`, false)
    .parse()
    .opts<Flags>();
  const found: Record<string, number[]> = {};
  const note = (name: string, value: number) => {
    found[name] = [...(found[name] ?? []), value];
  };
  // The first round compiles, and fills the caches of files.
  for (let round = 0; round <= rounds; round++) {
    const figures = { ...(await startsOf()), ...probes() };
    for (const [name, value] of round > 0 ? Object.entries(figures) : []) {
      note(name, value);
    }
    process.stderr.write(`round ${round} of ${rounds}\n`);
  }
  const { text, broken } = tablesOf(found, rounds);
  console.log(text);
  if (write) {
    writeSection(PAGE, "ml-function", text);
  }
  if (broken) {
    process.exitCode = 1;
  }
}

/** A whole start under AWS's runtime interface client, until it asks for work, and its first request. */
async function startsOf(): Promise<Figures> {
  process.env.NANOGRID_ML_XGBOOST_DEV_PYTHON = PYTHON;
  const fn = createMlFunction();
  try {
    // The files that it is made of are new: the first environment compiles them, as the image's build does.
    await fn.invoke(eventOf({ method: "GET" }));
    const [, second] = await Promise.all([
      fn.invoke(eventOf({ method: "GET" })),
      fn.invoke(eventOf({ method: "GET" })),
    ]);
    return { start: second?.initMs ?? Number.NaN };
  } finally {
    await fn.close();
  }
}

/** What each kind of process says of itself, and how long it was there. */
function probes(): Figures {
  const own = probe("function");
  const peer = probe("package");
  return {
    bare: timed(PYTHON, ["-c", "pass"]),
    numpy: timed(PYTHON, ["-c", "import numpy"]),
    pydantic: timed(PYDANTIC, ["-c", "import pydantic; pydantic.BaseModel"]),
    ...named("own", own),
    ...named("peer", peer),
  };
}

function probe(kind: "function" | "package"): Figures {
  return JSON.parse(execFileSync(PYTHON, [PROBE, kind], { ...options(), encoding: "utf8" })) as Figures;
}

function timed(program: string, args: readonly string[]): number {
  const begun = performance.now();
  execFileSync(program, args, options());
  return performance.now() - begun;
}

function options() {
  return { cwd: FOLDER, env: { PATH: process.env.PATH, PYTHONPATH: "." }, timeout: PROCESS_MS };
}

function named(prefix: string, figures: Figures): Figures {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [`${prefix}.${name}`, value]));
}

function tablesOf(found: Readonly<Record<string, number[]>>, rounds: number): { text: string; broken: boolean } {
  const values = (name: string) => found[name] ?? [];
  const middle = (name: string) => median(values(name));
  const bare = middle("bare");
  const line = (title: string, name: string, decimals = 1) =>
    `| ${title} | ${spread(values(name), decimals)} | ${(middle(name) / bare).toFixed(2)} |  |`;
  // All of a start but the interpreter: what XGBoost's package, its model and its first prediction take in its place.
  const withPackage =
    bare +
    middle("own.client") +
    ["numpy", "package", "load", "first"].reduce((sum, part) => sum + middle(`peer.${part}`), 0);
  const start = middle("start");
  const shares = [
    { title: "a bare import of NumPy", peer: middle("numpy"), limit: LIMITS.numpy },
    { title: "a start with XGBoost's own package", peer: withPackage, limit: LIMITS.package },
  ];
  const share = MEMORY_MIB / WHOLE_PROCESSOR_MIB;
  const text = [
    `Medians (minimum – maximum) of ${rounds} fresh processes of each kind, in turns, on ${cpus().length} cores ` +
      `(${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / GIB)} GiB, ${pythonVersion()}.`,
    "",
    "| A cold start, by part | ms | of a bare interpreter | limit |",
    "|---|---:|---:|---:|",
    line("`python -c pass`: the interpreter alone, start and end", "bare"),
    line("importing AWS's runtime interface client, which Lambda's image brings", "own.client"),
    line("importing ctypes, importlib and json", "own.library", 2),
    line("importing the function's own modules", "own.own", 2),
    line("loading XGBoost's shared library", "own.shared", 2),
    line("loading the model, with one prediction", "own.load", 2),
    line("**a whole start under the client**, until it asks for work", "start"),
    ...shares.map(
      ({ limit, peer, title }) =>
        `| … as a share of ${title}, ${peer.toFixed(0)} ms | ${(start / peer).toFixed(2)} |  | ≤ ${limit} |`,
    ),
    "",
    "| What is left out | ms | of a bare interpreter | limit |",
    "|---|---:|---:|---:|",
    line("`python -c 'import numpy'`, start and end", "numpy"),
    line("`python -c 'import pydantic'`, with its BaseModel, start and end", "pydantic"),
    line("importing XGBoost's own package, after NumPy", "peer.package"),
    line("loading the model with it", "peer.load"),
    line("its first prediction", "peer.first", 2),
    "",
    "| A request, from event to answer | ms |",
    "|---|---:|",
    `| the first, one row | ${spread(values("own.first"), 2)} |`,
    `| the next, one row | ${spread(values("own.warm"), 2)} |`,
    `| a thousand rows | ${spread(values("own.thousand"), 1)} |`,
    `| a thousand rows on the ${share.toFixed(2)} of a processor that Lambda gives with ${MEMORY_MIB} MiB, computed | ${(middle("own.thousand") / share).toFixed(0)} |`,
    "",
    "| Memory, the most that the process had | MiB |",
    "|---|---:|",
    `| the function, after a thousand rows, with AWS's client | ${spread(values("own.mebibytes"), 0)} |`,
    `| XGBoost's own package, after one row, without it | ${spread(values("peer.mebibytes"), 0)} |`,
  ].join("\n");
  return { text, broken: shares.some(({ limit, peer }) => !(start / peer <= limit)) };
}

function pythonVersion(): string {
  return execFileSync(PYTHON, ["--version"], { encoding: "utf8", timeout: PROCESS_MS }).trim();
}

void main();
