/** `ENVIRONMENT=dev npm run drift [-- <stack>...]`: what was changed behind Terraform's back. `--help` says more. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { S3Client } from "@aws-sdk/client-s3";
import { Command } from "commander";
import { wholeNumber } from "./support/arguments";
import { asOperator, type CommonFlags, type Operator, withCommonFlags } from "./support/operator";
import { driftMarkdown, driftText, driftWords, findDrift } from "./support/plans/drift";
import { showProgress } from "./support/plans/progress";
import { Terraforms } from "./support/plans/terraforms";
import { bearable, chosenStacks } from "./support/plans/waves";
import { Problem } from "./support/problem";
import { StateStore } from "./support/states/bucket";
import { synthesize } from "./support/synthesis";

/** Exit code when something has drifted, as Terraform's. */
const DRIFT = 2;

interface Flags extends CommonFlags {
  readonly out?: string;
  readonly all?: boolean;
  readonly parallel?: number;
}

const program = new Command("npm run drift --")
  .description(
    "What was changed behind Terraform's back, by stack and attribute. It reads, takes no lock and changes nothing. Exit code 2 with drift.",
  )
  .argument("[stacks...]", "stacks to look at (default: all)")
  .option("--all", "list differences in what no code sets, or is left to others, as well")
  .option("--out <folder>", "write drift.json, and drift.md for an issue")
  .option("--parallel <number>", "stacks at a time (default: what memory and processors bear)", wholeNumber(1))
  .addHelpText(
    "after",
    `
Examples:
  npm run drift
  npm run drift -- nanogrid-data --all
  npm run drift -- --out drift`,
  );

withCommonFlags(program).action((wanted: string[], flags: Flags) =>
  asOperator(flags, (operator) => drift(operator, wanted, flags)),
);

async function drift(
  { config, say, settings, show }: Operator,
  wanted: readonly string[],
  flags: Flags,
): Promise<void> {
  const project = process.cwd();
  const { environment } = settings;
  const states = new StateStore(new S3Client({ ...config, forcePathStyle: settings.standIns }), settings);
  await states.requireBucket();
  say("synthesizing");
  const stacks = await synthesize({ project, environment, env: process.env });
  const chosen = chosenStacks(stacks, wanted);
  const looking = findDrift({
    project,
    stacks: stacks.filter(({ name }) => chosen.includes(name)),
    isDeployed: async (stack) => (await states.changedAt(stack)) !== undefined,
    terraforms: new Terraforms({ project, env: process.env, purpose: "drift" }),
    parallel: flags.parallel ?? bearable(),
  });
  await showProgress(looking, (stack) => ({ text: driftWords(stack), failed: stack.outcome === "failed" }));
  const found = await Promise.all(looking.values());
  const document = { environment, lookedAt: new Date().toISOString(), stacks: found };
  if (flags.out !== undefined) {
    mkdirSync(flags.out, { recursive: true });
    writeFileSync(join(flags.out, "drift.json"), `${JSON.stringify(document, null, 2)}\n`);
    writeFileSync(join(flags.out, "drift.md"), driftMarkdown(environment, found));
  }
  show(document, () => driftText(found, flags.all ?? false));
  const failed = found.filter(({ outcome }) => outcome === "failed").map(({ stack }) => stack);
  if (failed.length > 0) {
    throw new Problem(`${failed.join(", ")} could not be looked at.`, "What Terraform said is above.");
  }
  if (found.some(({ outcome }) => outcome === "drift")) {
    process.exitCode = DRIFT;
  }
}

void program.parseAsync();
