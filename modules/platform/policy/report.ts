/** Findings as sentences. */
import type { Finding } from "./judge";

/**
 * One text for all findings: rule by rule, each with where it is broken, why that matters and what to do.
 *
 * @param findings at least one
 */
export function explainFindings(findings: readonly Finding[]): string {
  const count = findings.length === 1 ? "1 finding" : `${findings.length} findings`;
  const lines = findings.map(({ stack, address, rule, found, reason, remedy }) =>
    [`✖ ${stack}: ${address}`, `  ${rule}: ${found}.`, `  Why: ${reason}`, `  Do:  ${remedy}`].join("\n"),
  );
  const exceptions =
    "Where the resource is right as it is, write exception(resource, rule, reason) beside it. docs/policy.md lists every rule.";
  return [`The policy stops synth: ${count}.`, ...lines, exceptions].join("\n\n");
}
