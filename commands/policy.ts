/**
 * `ENVIRONMENT=dev npm run policy`: the rules that every stack is held to, the exceptions with their reasons, and what checkov finds. It asks
 * no cloud. `--help` says more.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { RULES } from "../modules/platform/policy/rules";
import { loadSettings } from "../modules/platform/settings";
import { type CheckovFinding, checkPlans, checkSynthesis, withoutExceptions } from "./support/policy/checkov";
import { COMMAND, PAGE, policyPage } from "./support/policy/page";
import { checkovPython } from "./support/policy/python";
import { type JudgedEnvironment, judgeEnvironment } from "./support/policy/verdicts";
import { Problem, Problems, runCommand } from "./support/problem";
import { columns } from "./support/table";

interface Flags {
  readonly checkov: boolean;
  readonly plans?: string;
  readonly write?: boolean;
  readonly check?: boolean;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

const program = new Command("npm run policy --")
  .description(
    "Holds the stacks of the environment that ENVIRONMENT names (dev without it) to the policy, and runs checkov on them.",
  )
  .option("--plans <folder>", "run checkov on the plans of npm run diff -- --out, instead of on what is synthesized")
  .option("--no-checkov", "leave checkov out")
  .option("--write", `write ${PAGE}, from every environment of cdktf.json, and end`)
  .option("--check", `exit code 1 when ${PAGE} is out of date, and end`)
  .option("--json", "print JSON, for programs")
  .option("--verbose", "print stack traces")
  .addHelpText(
    "after",
    `
Exit code 1: a rule is broken, or checkov finds something without a written reason.

Examples:
  npm run policy
  ENVIRONMENT=prod npm run policy -- --no-checkov
  npm run diff -- --out plans && npm run policy -- --plans plans
  npm run policy -- --write`,
  )
  .action(async (flags: Flags) => {
    await runCommand(async () => (flags.write || flags.check ? page(flags) : show(flags)), flags.verbose);
  });

async function show(flags: Flags): Promise<void> {
  const { environment } = loadSettings();
  const judged = await judgeEnvironment({ project: process.cwd(), environment, env: process.env });
  const found = flags.checkov ? await checkovFindings(judged, flags.plans) : [];
  const left = withoutExceptions(found, judged.exceptions);
  if (flags.json) {
    const rules = RULES.map(({ id, title, reason, remedy }) => ({ id, title, reason, remedy }));
    const document = {
      environment,
      rules,
      exceptions: judged.exceptions,
      checkov: flags.checkov ? found : undefined,
      left,
    };
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  } else {
    process.stdout.write(`${[...rulesText(), "", ...exceptionsText(judged), ""].join("\n")}\n`);
  }
  if (left.length > 0) {
    throw new Problems(left.map(explained));
  }
  if (!flags.json) {
    const what = flags.checkov ? `${RULES.length} rules and checkov` : `${RULES.length} rules`;
    process.stdout.write(
      `${what}: ${judged.stacks.size} stacks of "${environment}", ${judged.exceptions.length} exceptions, nothing left without a reason.\n`,
    );
  }
}

async function checkovFindings(judged: JudgedEnvironment, plans: string | undefined): Promise<CheckovFinding[]> {
  const saved = plans === undefined ? undefined : readPlans(plans, [...judged.stacks.keys()]);
  const python = await checkovPython(process.env, (text) => process.stderr.write(`${text}\n`));
  const options = { python, env: process.env };
  return saved === undefined ? checkSynthesis(judged.stacks, options) : checkPlans(saved, options);
}

/** The plans in a folder, of the stacks that have one. */
function readPlans(folder: string, stacks: readonly string[]): ReadonlyMap<string, string> {
  const files = stacks
    .map((stack) => [stack, join(folder, `${stack}.json`)] as const)
    .filter(([, file]) => existsSync(file));
  if (files.length === 0) {
    throw new Problem(`${folder} has no plan of a stack.`, `Make the plans first: npm run diff -- --out ${folder}`);
  }
  return new Map(files.map(([stack, file]) => [stack, readFileSync(file, "utf8")]));
}

function explained({ stack, address, check, title }: CheckovFinding): Problem {
  return new Problem(
    `${stack}: ${address}: ${check}: ${title}.`,
    `Mend it, or write beside the resource why it is right: exception(resource, "${check}", reason).`,
  );
}

function rulesText(): string[] {
  return [`${RULES.length} rules`, columns(RULES.map(({ id, title }) => [`  ${id}`, title]))];
}

/** A line for each rule and reason, with the number of places: docs/policy.md and --json name them. */
function exceptionsText({ exceptions }: JudgedEnvironment): string[] {
  const groups = new Map<string, { readonly cells: readonly string[]; places: number }>();
  for (const { rule, part, reason } of exceptions) {
    const cells = [`  ${rule}${part === undefined ? "" : ` (${part})`}`, reason];
    const key = cells.join(" ");
    groups.set(key, { cells, places: (groups.get(key)?.places ?? 0) + 1 });
  }
  const rows = [...groups.values()].map(({ cells: [rule = "", reason = ""], places }) => [rule, `${places} ×`, reason]);
  return [`${exceptions.length} exceptions`, ...(rows.length > 0 ? [columns(rows.sort())] : [])];
}

async function page({ write }: Flags): Promise<void> {
  const project = process.cwd();
  const { context } = JSON.parse(readFileSync("cdktf.json", "utf8")) as { context: { environments: object } };
  const judged: JudgedEnvironment[] = [];
  for (const environment of Object.keys(context.environments)) {
    judged.push(await judgeEnvironment({ project, environment, env: process.env }));
  }
  const text = policyPage(RULES, judged);
  if (write) {
    writeFileSync(PAGE, text);
    process.stdout.write(`${PAGE} is written.\n`);
  } else if (!existsSync(PAGE) || readFileSync(PAGE, "utf8") !== text) {
    throw new Problem(`${PAGE} is not what the rules and exceptions say.`, `Write it anew: ${COMMAND}`);
  } else {
    process.stdout.write(`${PAGE} is up to date.\n`);
  }
}

void program.parseAsync();
