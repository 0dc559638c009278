/** `ENVIRONMENT=dev npm run diff [-- <stack>...]`: what a deployment would change. `--help` says more. */
import { S3Client } from "@aws-sdk/client-s3";
import { Command } from "commander";
import { color } from "listr2";
import { loadSettings } from "../modules/platform/settings";
import { wholeNumber } from "./support/arguments";
import { asOperator, type CommonFlags, type Operator, withCommonFlags } from "./support/operator";
import { compareSyntheses, comparisonText } from "./support/plans/compare";
import { emptyFolder, writeSummary } from "./support/plans/folder";
import { lossesOf, refusalOf } from "./support/plans/guard";
import { affectedBy, empty, planStacks } from "./support/plans/planner";
import { showProgress } from "./support/plans/progress";
import { differingStacks, withRef } from "./support/plans/refs";
import { replacementTables } from "./support/plans/replacements";
import { revisionOf } from "./support/plans/repository";
import { type StackSummary, type Summary, sumOf } from "./support/plans/summary";
import { Terraforms } from "./support/plans/terraforms";
import { bearable, chosenStacks, wavesOf } from "./support/plans/waves";
import { LOUD, stackWords, summaryText } from "./support/plans/words";
import { Problem, runCommand } from "./support/problem";
import { StateStore } from "./support/states/bucket";
import { type SynthesizedStack, synthesize } from "./support/synthesis";

/** Exit code of `--detailed-exitcode` when there is something to do, as Terraform's. */
const CHANGES = 2;

interface Flags extends CommonFlags {
  readonly against?: string;
  readonly changedSince?: string;
  readonly waves?: boolean;
  readonly out?: string;
  readonly planUrl?: string;
  readonly lock?: boolean;
  readonly allowDestroy: string[];
  readonly parallel?: number;
  readonly detailedExitcode?: boolean;
}

const program = new Command("npm run diff --")
  .description(
    "What a deployment would change: terraform plan of each stack, after those that it reads. What is destroyed or replaced comes first.",
  )
  .argument("[stacks...]", "stacks to plan (default: all)")
  .option("--against <ref>", "compare with what a git ref synthesizes, without any cloud")
  .option("--changed-since <ref>", "only stacks for which Terraform is given something else than by a git ref")
  .option("--waves", "print the stacks as JSON, wave by wave, and plan nothing")
  .option("--out <folder>", "keep the plans, for npm run apply, with their JSON, their text, a summary and a comment")
  .option("--plan-url <url>", "where the full plans can be read, for the comment")
  .option("--lock", "lock each state while it is planned")
  .option("--allow-destroy <address...>", "resources with data that may go: <address> or <stack>:<address>", [])
  .option("--parallel <number>", "stacks at a time (default: what memory and processors bear)", wholeNumber(1))
  .option("--detailed-exitcode", "exit code 2 when there are changes")
  .addHelpText(
    "after",
    `
Without --detailed-exitcode the exit code is 0 with changes too. It is 1 where a stack cannot be planned, and where data would be
destroyed that --allow-destroy does not name.

Examples:
  npm run diff
  npm run diff -- nanogrid-data nanogrid-workers
  npm run diff -- --against main
  npm run diff -- --changed-since origin/main --out plans
  npm run diff -- nanogrid-data --lock --out plans && npm run apply -- --plans plans
  npm run diff -- --waves`,
  );

withCommonFlags(program).action(async (wanted: string[], flags: Flags) => {
  if (flags.against !== undefined || flags.waves) {
    await runCommand(() => withoutCloud(wanted, flags), flags.verbose);
  } else {
    await asOperator(flags, (operator) => diff(operator, wanted, flags));
  }
});

const project = process.cwd();

async function withoutCloud(wanted: readonly string[], { against, changedSince, json }: Flags): Promise<void> {
  const { environment } = loadSettings();
  const stacks = await synthesize({ project, environment, env: process.env });
  const chosen = chosenStacks(stacks, wanted);
  if (against === undefined) {
    const differing = await since(changedSince, stacks, chosen);
    process.stdout.write(`${JSON.stringify(wavesOf(stacks, differing))}\n`);
    return;
  }
  const tables = replacementTables();
  const found = await withRef(project, against, environment, async (reference) => {
    const names = reference.stacks
      .map(({ name }) => name)
      .filter((name) => wanted.length === 0 || wanted.includes(name));
    return compareSyntheses({ project: reference.project, stacks: names }, { project, stacks: chosen }, tables);
  });
  process.stdout.write(`${json ? JSON.stringify(found, null, 2) : colored(comparisonText(found, tables))}\n`);
}

/** Of these stacks those that differ from a ref; all of them without one. */
async function since(
  ref: string | undefined,
  stacks: readonly SynthesizedStack[],
  chosen: readonly string[],
): Promise<string[]> {
  if (ref === undefined) {
    return [...chosen];
  }
  const { environment } = loadSettings();
  const differing = await withRef(project, ref, environment, async (other) => differingStacks(project, stacks, other));
  return chosen.filter((name) => differing.includes(name));
}

async function diff({ config, say, settings, show }: Operator, wanted: readonly string[], flags: Flags): Promise<void> {
  const { allowDestroy, changedSince, lock = false, out, parallel = bearable(), planUrl } = flags;
  const states = new StateStore(new S3Client({ ...config, forcePathStyle: settings.standIns }), settings);
  await states.requireBucket();
  if (out !== undefined) {
    emptyFolder(out);
  }
  say("synthesizing");
  const stacks = await synthesize({ project, environment: settings.environment, env: process.env });
  const asked = chosenStacks(stacks, wanted);
  const chosen = await since(changedSince, stacks, asked);
  const terraforms = new Terraforms({ project, env: process.env, purpose: "diff" });
  const planner = { project, settings, stacks, chosen, terraforms, states, parallel, lock, ...(out ? { out } : {}) };

  const plans = planStacks(planner);
  await showProgress(plans, (plan) => ({ text: stackWords(plan), failed: plan.outcome === "failed" }));
  const planned = await Promise.all(plans.values());
  const found = new Map([...planned, ...affectedBy(planned, planner)].map((each) => [each.stack, each]));
  const reported = stacks.flatMap(({ name }): StackSummary[] => {
    const leftOut = asked.includes(name) && !chosen.includes(name) ? empty(name, "left-out") : undefined;
    const each = found.get(name) ?? leftOut;
    return each === undefined ? [] : [each];
  });
  const summary: Summary = {
    version: 1,
    environment: settings.environment,
    accountId: settings.accountId,
    ...(await revisionOf(project)),
    plannedAt: new Date().toISOString(),
    terraform: await terraforms.version(),
    ...(planUrl === undefined ? {} : { planUrl }),
    stacks: reported,
    totals: sumOf(reported.map(({ counts }) => counts)),
    refused: lossesOf(reported, allowDestroy),
  };
  if (out !== undefined) {
    writeSummary(out, summary);
  }
  show(summary, () => colored(summaryText(summary)));
  finish(summary, flags);
}

/** The exit code, and the reason where it is 1. */
function finish({ refused, stacks }: Summary, { detailedExitcode = false }: Flags): void {
  const failed = stacks.filter(({ outcome }) => outcome === "failed").map(({ stack }) => stack);
  if (failed.length > 0) {
    throw new Problem(`${failed.join(", ")} could not be planned.`, "What Terraform said is above.");
  }
  const refusal = refusalOf(refused);
  if (refusal !== undefined) {
    throw refusal;
  }
  if (detailedExitcode && stacks.some(({ outcome }) => outcome === "changes")) {
    process.exitCode = CHANGES;
  }
}

/** On a terminal, what is destroyed is red. */
function colored(text: string): string {
  return process.stdout.isTTY
    ? text
        .split("\n")
        .map((line) => (LOUD.test(line) ? color.red(line) : line))
        .join("\n")
    : text;
}

void program.parseAsync();
