/**
 * The policy: an aspect on every stack, whose findings end synth all at once.
 *
 * An aspect on the App is never run by CDKTF 0.21, so that each stack carries its own. It judges in the stack's validation, after every
 * aspect has had its say; the App's validation, which comes last, tells what all stacks' found.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { App, type IAspect, TerraformStack } from "cdktf";
import type { IConstruct } from "constructs";
import { judge, type Verdict } from "./judge";
import { explainFindings } from "./report";
import type { PolicyContext } from "./rule";
import { RULES } from "./rules";

/** Beside `manifest.json`: what the stacks' verdicts are, for `npm run policy` and for tests. */
export const POLICY_FILE = "policy.json";

const verdicts = new WeakMap<App, Verdict[]>();

/** Holds a stack to every rule. */
export class Policy implements IAspect {
  /** @param context what rules know of the environment */
  constructor(private readonly context: PolicyContext) {}

  visit(node: IConstruct): void {
    if (TerraformStack.isStack(node)) {
      node.node.addValidation({ validate: () => this.judge(node) });
    }
  }

  private judge(stack: TerraformStack): string[] {
    verdictsOf(App.of(stack)).push(judge(stack, RULES, this.context));
    // What is found here would be told without what the next stacks break.
    return [];
  }
}

function verdictsOf(app: App): Verdict[] {
  const known = verdicts.get(app);
  if (known !== undefined) {
    return known;
  }
  const collected: Verdict[] = [];
  verdicts.set(app, collected);
  app.node.addValidation({ validate: () => conclude(app, collected) });
  return collected;
}

/** Writes the verdicts down. With findings the process ends with their text and exit code 1: CDKTF would show a stack trace in its place. */
function conclude(app: App, collected: readonly Verdict[]): string[] {
  const stacks = collected.map((verdict) => verdict.stack);
  const findings = collected.flatMap((verdict) => verdict.findings);
  const exceptions = collected.flatMap((verdict) => verdict.exceptions);
  writeFileSync(join(app.outdir, POLICY_FILE), `${JSON.stringify({ stacks, findings, exceptions }, null, 2)}\n`);
  if (findings.length > 0) {
    process.stderr.write(`${explainFindings(findings)}\n`);
    process.exit(1);
  }
  return [];
}
