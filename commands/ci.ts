/** `npm run ci -- environments|waves|plan|apply|drift`: what the workflows call, and a person may. `--help` says more. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { wholeNumber } from "./support/arguments";
import { ciEnvironments, ciWaves, waveOf } from "./support/ci/environments";
import { addSummary, script, setOutput } from "./support/ci/run";
import { readSummary } from "./support/plans/folder";
import { Problem, runCommand } from "./support/problem";

/** Exit code of `npm run drift` where there is some. */
const DRIFT = 2;
const DRIFT_REPORT = "drift.md";

interface PlanFlags {
  readonly wave: number;
  readonly of: number;
  readonly out: string;
  readonly allowDestroy: string;
  readonly verbose?: boolean;
}

const program = new Command("npm run ci --")
  .description("The steps of the workflows that are more than one npm script.")
  .addHelpText(
    "after",
    `
In a workflow, values for later steps go to GITHUB_OUTPUT and texts to the page of the run.

Examples:
  npm run ci -- environments
  ENVIRONMENT=dev npm run ci -- waves
  ENVIRONMENT=dev npm run ci -- plan --wave 1 --out plans
  ENVIRONMENT=dev npm run ci -- apply --plans plans
  ENVIRONMENT=dev npm run ci -- drift --out drift`,
  );

program
  .command("environments")
  .description("Prints the environments that CI works on as JSON; output: environments.")
  .option("--only <name>", "this one alone; empty for all", "")
  .option("--verbose", "print stack traces")
  .action(({ only, verbose }: { only: string; verbose?: boolean }) =>
    runCommand(async () => environments(only), verbose),
  );

program
  .command("waves")
  .description("Prints the waves of the stacks that CI deploys as JSON; output: waves, their number.")
  .option("--of <number>", "waves that are deployed", wholeNumber(1), 8)
  .option("--verbose", "print stack traces")
  .action(({ of, verbose }: { of: number; verbose?: boolean }) => runCommand(() => waves(of), verbose));

program
  .command("plan")
  .description("Plans one wave of the stacks that CI deploys into a folder; output: changes.")
  .requiredOption("--wave <number>", "which wave, from 1", wholeNumber(1))
  .option("--of <number>", "waves that are deployed", wholeNumber(1), 8)
  .requiredOption("--out <folder>", "where the plans go")
  .option("--allow-destroy <addresses>", "resources with data that may go, separated by spaces", "")
  .option("--verbose", "print stack traces")
  .action((flags: PlanFlags) => runCommand(() => plan(flags), flags.verbose));

program
  .command("apply")
  .description("Applies exactly the plans of a folder.")
  .requiredOption("--plans <folder>", "what plan wrote")
  .option("--allow-destroy <addresses>", "resources with data that may go, separated by spaces", "")
  .option("--verbose", "print stack traces")
  .action(({ plans, allowDestroy, verbose }: { plans: string; allowDestroy: string; verbose?: boolean }) =>
    runCommand(async () => {
      await script("apply", ["--plans", plans, ...named(allowDestroy)], [0]);
    }, verbose),
  );

program
  .command("drift")
  .description(
    `Looks for drift in every stack; <folder>/${DRIFT_REPORT} is there afterwards when there is some, and only then.`,
  )
  .requiredOption("--out <folder>", "where npm run drift writes")
  .option("--verbose", "print stack traces")
  .action(({ out, verbose }: { out: string; verbose?: boolean }) => runCommand(() => drift(out), verbose));

function environments(only: string): void {
  const found = ciEnvironments().filter(({ environment }) => only === "" || environment === only);
  if (only !== "" && found.length === 0) {
    throw new Problem(
      `CI works on no environment "${only}".`,
      "Set ci.repository in its section of cdktf.json, and deploy its stack ci-access.",
    );
  }
  const json = JSON.stringify(found);
  setOutput("environments", json);
  process.stdout.write(`${json}\n`);
}

async function waves(of: number): Promise<void> {
  const found = await ciWaves(process.cwd());
  waveOf(found, 1, of);
  setOutput("waves", String(found.length));
  process.stdout.write(`${JSON.stringify(found)}\n`);
}

async function plan({ wave, of, out, allowDestroy }: PlanFlags): Promise<void> {
  const stacks = waveOf(await ciWaves(process.cwd()), wave, of);
  if (stacks.length === 0) {
    process.stdout.write(`There is no wave ${wave}.\n`);
    setOutput("changes", "false");
    return;
  }
  const { code } = await script("diff", [...stacks, "--out", out, ...named(allowDestroy)], [0, 1]);
  addSummary(readFileSync(join(out, "comment.md"), "utf8"));
  if (code !== 0) {
    throw new Problem(`Wave ${wave} cannot be applied as it is planned.`, "What npm run diff said is above.");
  }
  const changed = readSummary(out).stacks.filter(({ outcome }) => outcome !== "unchanged");
  setOutput("changes", String(changed.length > 0));
}

async function drift(out: string): Promise<void> {
  const report = join(out, DRIFT_REPORT);
  rmSync(report, { force: true });
  const { code } = await script("drift", ["--out", out], [0, DRIFT]);
  if (code === DRIFT) {
    addSummary(readFileSync(report, "utf8"));
  } else {
    // By its absence drift-issue knows that there is none.
    rmSync(report, { force: true });
  }
}

/** `--allow-destroy` with its addresses, or nothing. */
function named(addresses: string): string[] {
  const list = addresses.split(/\s+/).filter((address) => address !== "");
  return list.length > 0 ? ["--allow-destroy", ...list] : [];
}

void program.parseAsync();
