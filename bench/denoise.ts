/**
 * `npm run bench:denoise`: the models behind a real Triton, over concurrency, tile size and with and without dynamic batching, beside ONNX
 * Runtime itself; then a whole frame through the service, step by step. `-- --gpu` measures what a GPU reaches instead. `-- --write` writes
 * the tables to docs/benchmarks.md.
 */
import { existsSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { resolve } from "node:path";
import { Command } from "commander";
import { wholeNumber } from "../commands/support/arguments";
import { runFrames } from "./support/denoise-service";
import {
  type GpuMeasurement,
  gpuMeasurement,
  gpuTable,
  loadTable,
  type Measurement,
  measurement,
  serviceTable,
} from "./support/denoise-tables";
import { eachLine } from "./support/each-line";
import { writeSection } from "./support/report";

const PAGE = "docs/benchmarks.md";
const PYTHON = resolve(process.env.NANOGRID_TRITON_CPU_DEV_PYTHON ?? ".local/venv/triton-cpu-dev/bin/python");
const NO_GPU =
  "No GPU was at hand, so that nothing here was measured: neither CUDA nor TensorRT, and no share of a GPU's roofline.";

interface Flags {
  readonly rounds: number;
  readonly seconds: number;
  readonly threads: number;
  readonly side: number;
  readonly images: number;
  readonly only?: "load" | "service";
  readonly gpu: boolean;
  readonly python: string;
  readonly write: boolean;
}

async function main(): Promise<void> {
  const flags = new Command("bench:denoise")
    .description("Loads a real Triton with the Denoise service's models, beside ONNX Runtime itself.")
    .option("-n, --rounds <number>", "rounds, in each of which everything is measured once", wholeNumber(1), 5)
    .option("--seconds <number>", "of each measurement", wholeNumber(1), 3)
    .option("--threads <number>", "threads of each model", wholeNumber(1), cpus().length)
    .option("--side <pixels>", "side of the frame that goes through the service", wholeNumber(64), 3_072)
    .option("--images <number>", "frames of each model that go through the service", wholeNumber(1), 3)
    .option("--only <part>", "load or service")
    .option("--gpu", "measure what the GPU of this machine reaches, instead", false)
    .option("--python <path>", "with --gpu: a Python that has numpy, onnx and onnxruntime-gpu", PYTHON)
    .option("--write", `write the tables to ${PAGE}`, false)
    .parse()
    .opts<Flags>();
  if (flags.gpu) {
    report("denoise-gpu", await gpuText(flags.python), flags.write);
    return;
  }
  if (!existsSync(PYTHON)) {
    throw new Error(`The benchmark cannot run here: ${PYTHON} is not there. Run npm test once, which makes it.`);
  }
  if (flags.only !== "service") {
    const { rounds, seconds, threads } = flags;
    const measurements = await loads(["--rounds", rounds, "--seconds", seconds, "--threads", threads].map(String));
    const how =
      `Medians (minimum – maximum) of ${rounds} rounds of ${seconds} s each on ${machine()}; ${threads} threads for each model. ` +
      "Every round measures every row once; a ratio is of one round.";
    report("denoise-load", `${how}\n\n${loadTable(measurements)}`, flags.write);
  }
  if (flags.only !== "load") {
    const frames = await runFrames({ python: PYTHON, side: flags.side, images: flags.images, threads: flags.threads });
    report("denoise-service", serviceTable(frames, flags.side, machine()), flags.write);
  }
}

function machine(): string {
  return `${cpus().length} cores (${cpus()[0]?.model}), ${Math.round(totalmem() / 2 ** 30)} GiB`;
}

function report(section: string, text: string, write: boolean): void {
  console.log(text);
  if (write) {
    writeSection(PAGE, section, text);
  }
}

/** Runs the load generator; what it measures is told as it comes. */
async function loads(args: readonly string[]): Promise<Measurement[]> {
  const found: Measurement[] = [];
  await eachLine(PYTHON, ["bench/denoise/load.py", ...args], (line) => {
    const one = measurement.parse(JSON.parse(line));
    const { concurrency, kind, model, tile, tilesPerSecond } = one;
    process.stderr.write(`${model} ${tile} ${kind} ${concurrency}: ${tilesPerSecond.toFixed(1)} tiles/s\n`);
    found.push(one);
  });
  return found;
}

async function gpuText(python: string): Promise<string> {
  const found: GpuMeasurement[] = [];
  await eachLine(python, ["bench/denoise/gpu.py"], (line) => found.push(gpuMeasurement.parse(JSON.parse(line))));
  return found.length === 0 ? NO_GPU : gpuTable(found);
}

void main();
