/**
 * `npm run bench:inference`: the product inference service on the processor, over sizes of requests, beside the same model called directly.
 * `-- --write` writes the table to docs/benchmarks.md.
 */
import { existsSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { resolve } from "node:path";
import { Command } from "commander";
import { wholeNumber } from "../commands/support/arguments";
import { prepareMinilm, productInferencePython } from "../local/product-inference";
import { eachLine } from "./support/each-line";
import { type InferenceMeasurement, inferenceMeasurement, inferenceTable } from "./support/inference-tables";
import { writeSection } from "./support/report";

const PAGE = "docs/benchmarks.md";

interface Flags {
  readonly rounds: number;
  readonly seconds: number;
  readonly items: readonly number[];
  readonly write: boolean;
}

async function main(): Promise<void> {
  const flags = new Command("bench:inference")
    .description("Loads the product inference service with texts, beside the model called directly.")
    .option("-n, --rounds <number>", "rounds, in each of which everything is measured once", wholeNumber(1), 5)
    .option("--seconds <number>", "of each measurement", wholeNumber(1), 3)
    .option("--items <numbers...>", "texts of a call", (value, before: number[] = []) => [
      ...before,
      wholeNumber(1)(value),
    ])
    .option("--write", `write the table to ${PAGE}`, false)
    .parse()
    .opts<Flags>();
  const { rounds, seconds, items = [1, 8, 32, 64] } = flags;
  const python = productInferencePython();
  if (!existsSync(python)) {
    throw new Error(`The benchmark cannot run here: ${python} is not there. Run npm test once, which makes it.`);
  }
  const model = resolve(await prepareMinilm());
  const found: InferenceMeasurement[] = [];
  const args = ["--model", model, "--rounds", rounds, "--seconds", seconds, "--items", ...items].map(String);
  await eachLine(python, ["bench/inference/load.py", ...args], (line) => {
    const one = inferenceMeasurement.parse(JSON.parse(line));
    process.stderr.write(`${one.items} ${one.kind} ${one.callers}: ${one.itemsPerSecond.toFixed(0)} texts/s\n`);
    found.push(one);
  });
  const machine = `${cpus().length} cores (${cpus()[0]?.model}), ${Math.round(totalmem() / 2 ** 30)} GiB`;
  const text =
    `Medians (minimum – maximum) of ${rounds} rounds of ${seconds} s each on ${machine}, with all-MiniLM-L6-v2. Every round measures every ` +
    `row once; a ratio is of one round.\n\n${inferenceTable(found)}`;
  console.log(text);
  if (flags.write) {
    writeSection(PAGE, "inference", text);
  }
}

void main();
