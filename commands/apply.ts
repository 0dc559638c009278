/** `ENVIRONMENT=dev npm run apply -- --plans <folder> [<stack>...]`: applies exactly the plans that were looked at. `--help` says more. */
import { Command } from "commander";
import { wholeNumber } from "./support/arguments";
import { asOperator, type CommonFlags, type Operator, withCommonFlags } from "./support/operator";
import { type ApplicationOptions, applicable, applyPlans, checkOrigin, checkPlans } from "./support/plans/application";
import { readSummary } from "./support/plans/folder";
import { showProgress } from "./support/plans/progress";
import { revisionOf } from "./support/plans/repository";
import { Terraforms } from "./support/plans/terraforms";
import { bearable, chosenStacks } from "./support/plans/waves";
import { doneWords } from "./support/plans/words";
import { Problem, Problems } from "./support/problem";
import { synthesize } from "./support/synthesis";

interface Flags extends CommonFlags {
  readonly plans: string;
  readonly allowDestroy: string[];
  readonly parallel?: number;
}

const program = new Command("npm run apply --")
  .description(
    "Applies the plans that npm run diff -- --out <folder> made, in deployment order. It refuses plans of another commit, other settings " +
      "or a state that has changed since, and any that would destroy data.",
  )
  .argument("[stacks...]", "stacks whose plans are applied (default: all that have changes)")
  .requiredOption("--plans <folder>", "folder of the plans")
  .option("--allow-destroy <address...>", "resources with data that may go: <address> or <stack>:<address>", [])
  .option("--parallel <number>", "stacks at a time (default: what memory and processors bear)", wholeNumber(1))
  .addHelpText(
    "after",
    `
Examples:
  npm run diff -- nanogrid-data --lock --out plans
  npm run apply -- --plans plans
  npm run apply -- --plans plans nanogrid-data --allow-destroy aws_sqs_queue.queue`,
  );

withCommonFlags(program).action((wanted: string[], flags: Flags) =>
  asOperator(flags, (operator) => apply(operator, wanted, flags)),
);

async function apply({ say, settings, show }: Operator, wanted: readonly string[], flags: Flags): Promise<void> {
  const project = process.cwd();
  const { allowDestroy: allowed, parallel = bearable(), plans: folder } = flags;
  const summary = readSummary(folder);
  say("synthesizing");
  const stacks = await synthesize({ project, environment: settings.environment, env: process.env });
  const planned = summary.stacks.filter(({ outcome }) => outcome === "changes").map(({ stack }) => stack);
  const later = summary.stacks.filter(({ outcome }) => outcome === "later").map(({ stack }) => stack);
  const chosen = wanted.length > 0 ? applicable(summary, chosenStacks(stacks, wanted)) : planned;
  const options: ApplicationOptions = {
    ...{ project, folder, summary, settings, stacks, chosen, allowed, parallel },
    revision: await revisionOf(project),
    terraforms: new Terraforms({ project, env: process.env, purpose: "apply" }),
  };
  checkOrigin(options);
  say(`reading ${chosen.length} plans`);
  const applying = applyPlans(options, await checkPlans(options));
  await showProgress(applying, ({ counts }) => ({ text: doneWords(counts) || "outputs changed" }));

  const ended = await Promise.allSettled(applying.values());
  const applied = ended.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const failures = ended.flatMap((each) => (each.status === "rejected" ? [each.reason as unknown] : []));
  show({ applied, later }, () =>
    [
      applied.length > 0 ? `Applied: ${applied.map(({ stack }) => stack).join(", ")}` : "Nothing was applied.",
      ...(later.length > 0 ? [`Plan next: npm run diff -- ${later.join(" ")} --out <folder>`] : []),
    ].join("\n"),
  );
  if (failures.length > 0) {
    throw new Problems(
      [...new Set(failures)].map((error) =>
        error instanceof Problem ? error : new Problem(String(error), "Look at its log in cdktf.out/logs."),
      ),
    );
  }
}

void program.parseAsync();
