/** Holds a stack against the rules, and its exceptions against what they except. */
import type { TerraformStack } from "cdktf";
import { type Exception, exceptionsOf } from "../../../constructs/exception";
import { renderedResources } from "./rendered";
import { looksAt, type PolicyContext, type Rule, type Violation } from "./rule";

/** Something that is not as the policy wants it. */
export interface Finding {
  readonly stack: string;
  /** Address of the resource in the state. */
  readonly address: string;
  /** Id of the rule. */
  readonly rule: string;
  /** What was found. */
  readonly found: string;
  /** Why that matters. */
  readonly reason: string;
  /** What to do. */
  readonly remedy: string;
}

/** An exception and where it was written. */
export interface PlacedException extends Exception {
  readonly stack: string;
  readonly address: string;
}

/** What holds of one stack. */
export interface Verdict {
  /** Its id. */
  readonly stack: string;
  readonly findings: readonly Finding[];
  readonly exceptions: readonly PlacedException[];
}

/** Ids of checkov's checks. Whether such an exception is used is told where checkov runs. */
export const CHECKOV_ID = /^CKV2?_[A-Z0-9]+_\d+$/;

/**
 * @param stack a stack with all its aspects applied
 * @param rules the rules
 * @param context what rules know of the environment
 */
export function judge(stack: TerraformStack, rules: readonly Rule[], context: PolicyContext): Verdict {
  const findings: Finding[] = [];
  const exceptions: PlacedException[] = [];
  for (const resource of renderedResources(stack, context)) {
    const where = { stack: stack.node.id, address: resource.address };
    const written = exceptionsOf(resource.element);
    const used = new Set<Exception>();
    for (const rule of rules.filter((each) => looksAt(each, resource.type) && (each.holdsIn?.(context) ?? true))) {
      const { id, reason, remedy } = rule;
      for (const violation of violationsOf(rule.check(resource))) {
        const excepting = written.filter((each) => each.rule === id && covers(each, violation));
        for (const each of excepting) {
          used.add(each);
        }
        if (excepting.length === 0) {
          findings.push({ ...where, rule: id, found: violation.found, reason, remedy });
        }
      }
    }
    for (const each of written) {
      const wrong = used.has(each) ? undefined : whyWrong(each, rules, context);
      if (wrong !== undefined) {
        findings.push({ ...where, rule: each.rule, ...wrong });
      }
    }
    exceptions.push(...written.map((each) => ({ ...each, ...where })));
  }
  return { stack: stack.node.id, findings, exceptions };
}

function violationsOf(result: ReturnType<Rule["check"]>): readonly Violation[] {
  return typeof result === "string" ? [{ found: result }] : (result ?? []);
}

function covers({ part }: Exception, violation: Violation): boolean {
  return part === undefined || part === violation.part;
}

function whyWrong(
  { rule: id, part }: Exception,
  rules: readonly Rule[],
  context: PolicyContext,
): Pick<Finding, "found" | "reason" | "remedy"> | undefined {
  const rule = rules.find((each) => each.id === id);
  if (rule === undefined && !CHECKOV_ID.test(id)) {
    return {
      found: "an exception is written from it, and there is no such rule",
      reason: "An exception from nothing hides a mistake in its name.",
      remedy: "Take an id from docs/policy.md, or one of checkov's such as CKV_AWS_158.",
    };
  }
  if (rule !== undefined && (rule.holdsIn?.(context) ?? true)) {
    return {
      found: `an exception is written from it${part === undefined ? "" : ` for ${part}`}, and nothing here breaks it`,
      reason: "An exception that nobody needs lets the next mistake through.",
      remedy: "Remove the exception.",
    };
  }
  return undefined;
}
