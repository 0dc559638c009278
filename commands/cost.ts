/**
 * `ENVIRONMENT=dev npm run cost [-- <stack>...]`: what the synthesized stacks cost a month, by the offline price table. It asks no cloud.
 * `--help` says more.
 */
import { Command, InvalidArgumentError } from "commander";
import { loadSettings, type Settings } from "../modules/platform/settings";
import { sum, Usage } from "./support/cost/assumptions";
import { checkBudget } from "./support/cost/budget";
import { type EstimateOptions, estimate, type StackCost } from "./support/cost/estimate";
import { Inventory, readStacks } from "./support/cost/inventory";
import { costsOfPlans } from "./support/cost/plan-cost";
import { PriceTable } from "./support/cost/prices";
import {
  assumptionTable,
  confidenceOf,
  costTable,
  dollars,
  drivers,
  driverTable,
  gpuText,
  lineTable,
  signed,
} from "./support/cost/report";
import { addCosts } from "./support/plans/folder";
import type { CostChange } from "./support/plans/summary";
import { Problem, Problems, runCommand } from "./support/problem";
import { synthesize } from "./support/synthesis";
import { table } from "./support/table";

interface Flags {
  readonly usage: Readonly<Record<string, number>>;
  readonly check?: boolean;
  readonly lines?: boolean;
  readonly assumptions?: boolean;
  readonly plans?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

const program = new Command("npm run cost --")
  .description("Says what the stacks of the environment that ENVIRONMENT names (dev without it) cost a month.")
  .argument("[stacks...]", "stacks (default: all)")
  .option("--usage <name=value>", "what is known of use, for low, typical and high; again for more", addUsage, {})
  .option("--check", "exit code 1 over budget.monthlyUsd, or when a resource's cost is not known")
  .option("--lines", "print every charge")
  .option("--assumptions", "print what is assumed of use, and end")
  .option(
    "--plans <folder>",
    "the change by the plans of npm run diff -- --out; written into its summary.json and comment.md",
  )
  .option("--json", "print JSON, for programs")
  .option("--verbose", "print stack traces")
  .addHelpText(
    "after",
    `
Examples:
  npm run cost
  npm run cost -- nanogrid-workers --lines
  npm run cost -- --usage logGb=10 --usage nanogrid-network.natGb=300
  ENVIRONMENT=prod npm run cost -- --check
  npm run cost -- --plans plans

Prices are of commands/support/cost/prices, without tax, discounts and free tiers. docs/costs.md says where they are from.`,
  )
  .action((stacks: string[], flags: Flags) => runCommand(() => cost(stacks, flags), flags.verbose));

async function cost(wanted: readonly string[], flags: Flags): Promise<void> {
  if (flags.assumptions) {
    process.stdout.write(`${assumptionTable()}\n`);
    return;
  }
  const settings = loadSettings();
  const { options, stacks } = await prepare(settings, flags.usage);
  if (flags.plans !== undefined) {
    const costs = costsOfPlans(options, flags.plans);
    addCosts(flags.plans, costs);
    showPlans(costs, flags.json);
    return;
  }
  const unknown = wanted.filter((name) => !stacks.includes(name));
  if (unknown.length > 0) {
    throw new Problem(`There is no stack ${unknown.join(", ")}.`, `The stacks are ${stacks.join(", ")}.`);
  }
  const all = estimate(options, stacks);
  show(settings, wanted.length > 0 ? all.filter(({ stack }) => wanted.includes(stack)) : all, flags);
  const problems = flags.check ? checkBudget(settings.environment, settings.budget.monthlyUsd, all) : [];
  if (problems.length > 0) {
    throw new Problems(problems);
  }
}

async function prepare(
  settings: Settings,
  usage: Readonly<Record<string, number>>,
): Promise<{ options: EstimateOptions; stacks: string[] }> {
  const project = process.cwd();
  const prices = PriceTable.of(settings.region);
  const assumed = new Usage({ ...settings.budget.usage, ...usage });
  const stacks = (await synthesize({ project, environment: settings.environment, env: process.env })).map(
    ({ name }) => name,
  );
  return { options: { inventory: Inventory.ofSynthesis(readStacks(project, stacks)), prices, usage: assumed }, stacks };
}

function show(settings: Settings, costs: readonly StackCost[], flags: Flags): void {
  const { environment, region, budget } = settings;
  const total = sum(costs.map((one) => one.total));
  const confidence = confidenceOf(costs);
  if (flags.json) {
    const document = { environment, region, monthlyUsd: budget.monthlyUsd, total, confidence, drivers: drivers(costs) };
    process.stdout.write(`${JSON.stringify({ ...document, stacks: costs }, null, 2)}\n`);
    return;
  }
  const unknown = costs.flatMap((one) => one.unknown);
  const parts = [
    `Environment "${environment}" in ${region}:`,
    costTable(costs),
    flags.lines ? lineTable(costs) : driverTable(costs),
    gpuText(costs),
    unknown.map(({ stack, address, reason }) => `Not known: ${stack}: ${address}: ${reason}.`).join("\n"),
    [
      `Budget: $${dollars(budget.monthlyUsd)} a month (budget.monthlyUsd). Idle: deployed, and nobody calls it.`,
      `Of the typical cost ${confidence.high} % are by prices of the providers' lists, ${confidence.medium} % by quoted ones, ${confidence.low} % by unchecked ones.`,
      "Without tax, discounts and free tiers. What is assumed of use: npm run cost -- --assumptions",
    ].join("\n"),
  ];
  process.stdout.write(`${parts.filter((part) => part !== "").join("\n\n")}\n`);
}

function showPlans(costs: Readonly<Record<string, CostChange>>, json = false): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(costs, null, 2)}\n`);
    return;
  }
  const rows = Object.entries(costs).map(([stack, { before, after, note = "" }]) => [
    stack,
    dollars(before),
    dollars(after),
    signed(after - before),
    note,
  ]);
  process.stdout.write(`${table(["fixed USD a month", "before", "after", "change", "by"], rows)}\n`);
}

function addUsage(text: string, known: Readonly<Record<string, number>>): Record<string, number> {
  const [, name = "", value = ""] = /^([\w.-]+)=(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  if (name === "") {
    throw new InvalidArgumentError("Expected <name>=<number>, such as natGb=300 or nanogrid-network.natGb=300.");
  }
  return { ...known, [name]: Number(value) };
}

void program.parseAsync();
