/** checkov over Terraform, offline: on what is synthesized, or on plans. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { CHECKOV_ID } from "../../../modules/platform/policy/judge";
import { Problem } from "../problem";
import { shell } from "../shell";
import type { TerraformJson } from "../synthesis";
import type { WrittenException } from "./verdicts";

const CHECKOV_MS = 300_000;
/** Blocks that checkov reads; it cannot parse a `terraform` block in JSON. */
const BLOCKS = ["provider", "data", "resource"] as const;

/** A check that a resource fails. */
export interface CheckovFinding {
  readonly stack: string;
  /** Address in the state. */
  readonly address: string;
  /** Id of the check. */
  readonly check: string;
  /** What it wants. */
  readonly title: string;
}

/** What checkov is run on. */
export interface CheckovOptions {
  /** Interpreter of the environment that checkov is installed in. */
  readonly python: string;
  readonly env: NodeJS.ProcessEnv;
}

const failed = z.object({
  check_id: z.string(),
  check_name: z.string(),
  file_path: z.string(),
  file_line_range: z.tuple([z.number(), z.number()]),
  resource: z.string(),
});

const report = z.object({
  results: z.object({ failed_checks: z.array(failed) }),
  summary: z.object({ parsing_errors: z.number(), resource_count: z.number() }),
});

type Failed = z.output<typeof failed>;

/**
 * What checkov finds in synthesized stacks: fast, and blind to what only a plan knows.
 *
 * @param stacks Terraform of each stack, by its id
 */
export async function checkSynthesis(
  stacks: ReadonlyMap<string, TerraformJson>,
  options: CheckovOptions,
): Promise<CheckovFinding[]> {
  const texts = new Map([...stacks].map(([stack, json]) => [stack, documentOf(json)]));
  const found = await runCheckov("terraform_json", texts, "cdk.tf.json", options);
  return found.map((each) => {
    const stack = basename(dirname(each.file_path));
    return findingOf(each, stack, addressAt(texts.get(stack) ?? "", each.file_line_range[0]) ?? each.resource);
  });
}

/**
 * What checkov finds in plans.
 *
 * @param plans `terraform show -json` of each stack's plan, by the stack's id
 */
export async function checkPlans(
  plans: ReadonlyMap<string, string>,
  options: CheckovOptions,
): Promise<CheckovFinding[]> {
  const found = await runCheckov("terraform_plan", plans, "plan.json", options);
  return found.map((each) => findingOf(each, basename(dirname(each.file_path)), each.resource));
}

/** The findings that no exception is written for. */
export function withoutExceptions(
  findings: readonly CheckovFinding[],
  exceptions: readonly WrittenException[],
): CheckovFinding[] {
  const written = new Set(exceptions.map(keyOf));
  return findings.filter((finding) => !written.has(keyOf({ ...finding, rule: finding.check })));
}

/** The exceptions from checks of checkov that nothing needs. */
export function unusedExceptions(
  findings: readonly CheckovFinding[],
  exceptions: readonly WrittenException[],
): WrittenException[] {
  const found = new Set(findings.map((finding) => keyOf({ ...finding, rule: finding.check })));
  return exceptions.filter((each) => CHECKOV_ID.test(each.rule) && !found.has(keyOf(each)));
}

function keyOf({ stack, address, rule }: Pick<WrittenException, "stack" | "address" | "rule">): string {
  return `${stack} ${address} ${rule}`;
}

function findingOf({ check_id: check, check_name: title }: Failed, stack: string, address: string): CheckovFinding {
  return { stack, address, check, title };
}

async function runCheckov(
  framework: string,
  texts: ReadonlyMap<string, string>,
  file: string,
  { python, env }: CheckovOptions,
): Promise<Failed[]> {
  const folder = mkdtempSync(join(tmpdir(), "checkov-"));
  try {
    for (const [stack, text] of texts) {
      mkdirSync(join(folder, "in", stack), { recursive: true });
      writeFileSync(join(folder, "in", stack, file), text);
    }
    const checkov = join(dirname(python), "checkov");
    // It reports to no platform and asks none: no key is set, and downloads are off.
    const offline = ["--skip-download", "--download-external-modules", "false"];
    const how = ["--framework", framework, "--output", "json", "--compact", "--quiet", "--soft-fail", ...offline];
    const stdout = await shell(python, [checkov, "--directory", join(folder, "in"), ...how], {
      cwd: folder,
      env: { ...env, HOME: folder, LOG_LEVEL: "ERROR", BC_API_KEY: undefined, PRISMA_API_URL: undefined },
      timeoutMs: CHECKOV_MS,
      quiet: true,
      remedy: "Run npm run policy again; the lock of its Python packages is commands/support/policy/requirements.lock.",
    });
    const { results, summary } = report.parse(JSON.parse(stdout));
    if (summary.parsing_errors > 0) {
      throw new Problem(
        `checkov could not read ${summary.parsing_errors} of ${texts.size} stacks.`,
        "Look at what it is given: commands/support/policy/checkov.ts.",
      );
    }
    return results.failed_checks;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A stack as checkov reads it, one line an attribute, so that a line says which resource it is of. */
function documentOf(json: TerraformJson): string {
  const blocks = json as Readonly<Record<string, unknown>>;
  const present = BLOCKS.filter((block) => blocks[block] !== undefined);
  return `${JSON.stringify(Object.fromEntries(present.map((block) => [block, blocks[block]])), null, 1)}\n`;
}

/** The address of the resource that a line of {@link documentOf} belongs to. checkov leaves the type out of some of its own. */
function addressAt(text: string, line: number): string | undefined {
  const lines = text.split("\n").slice(0, line);
  const keyAt = (indent: number) => {
    const pattern = new RegExp(`^ {${indent}}"([^"]+)": [{[]$`);
    const index = lines.findLastIndex((each) => pattern.test(each));
    return pattern.exec(lines[index] ?? "")?.[1];
  };
  const [block, type, name] = [keyAt(1), keyAt(2), keyAt(3)];
  return block === undefined || type === undefined || name === undefined
    ? undefined
    : `${block === "data" ? "data." : ""}${type}.${name}`;
}
