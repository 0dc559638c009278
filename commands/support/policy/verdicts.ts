/** What the policy found of an environment: synthesized into a folder that is gone afterwards, so that `cdktf.out` stays as it is. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { POLICY_FILE } from "../../../modules/platform/policy/policy";
import { Problem, Problems } from "../problem";
import { runApp, type TerraformJson } from "../synthesis";

const exception = z.object({
  stack: z.string(),
  address: z.string(),
  rule: z.string(),
  reason: z.string(),
  part: z.string().optional(),
});

const finding = z.object({
  stack: z.string(),
  address: z.string(),
  rule: z.string(),
  found: z.string(),
  reason: z.string(),
  remedy: z.string(),
});

const verdicts = z.object({ findings: z.array(finding), exceptions: z.array(exception) });

/** An exception and the resource that it was written for. */
export type WrittenException = z.output<typeof exception>;

/** One environment that keeps the policy. */
export interface JudgedEnvironment {
  readonly environment: string;
  /** Terraform of each stack, by its id. */
  readonly stacks: ReadonlyMap<string, TerraformJson>;
  readonly exceptions: readonly WrittenException[];
}

/** What is synthesized. */
export interface JudgeOptions {
  /** The checkout. */
  readonly project: string;
  /** Name of the environment. */
  readonly environment: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Synthesizes an environment and reads what its policy says.
 *
 * @throws Problem with every finding, when there is one
 */
export async function judgeEnvironment({ project, environment, env }: JudgeOptions): Promise<JudgedEnvironment> {
  const folder = mkdtempSync(join(tmpdir(), "policy-"));
  const said: string[] = [];
  try {
    await runApp({ project, environment, env, output: folder, onLine: (line) => said.push(line) }).catch(() => {
      throw explained(folder, environment, said);
    });
    return readVerdicts(folder, environment);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a synthesis in `folder` left. */
export function readVerdicts(folder: string, environment: string): JudgedEnvironment {
  const { exceptions } = verdicts.parse(JSON.parse(readFileSync(join(folder, POLICY_FILE), "utf8")));
  const stacks = readdirSync(join(folder, "stacks")).map((stack): [string, TerraformJson] => [
    stack,
    JSON.parse(readFileSync(join(folder, "stacks", stack, "cdk.tf.json"), "utf8")) as TerraformJson,
  ]);
  return { environment, stacks: new Map(stacks), exceptions };
}

/** Every finding of the policy, or what else the app said before it ended. */
function explained(folder: string, environment: string, said: readonly string[]): Error {
  const file = join(folder, POLICY_FILE);
  if (!existsSync(file)) {
    return new Problem(
      `The environment "${environment}" cannot be synthesized.\n${said.join("\n")}\n`,
      "Mend what it names, then run it again.",
    );
  }
  const { findings } = verdicts.parse(JSON.parse(readFileSync(file, "utf8")));
  return new Problems(
    findings.map(
      ({ stack, address, rule, found, reason, remedy }) =>
        new Problem(`${environment}, ${stack}: ${address}: ${rule}: ${found}. ${reason}`, remedy),
    ),
  );
}
