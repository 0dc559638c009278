/** Exceptions from the policy, written beside the resource that they are about. */
import type { IConstruct } from "constructs";

/** An exception from one rule, for one resource. */
export interface Exception {
  /** Id of a rule in modules/platform/policy/rules, or of a check of checkov such as `CKV_AWS_158`. */
  readonly rule: string;
  /** Why it is right here, as a sentence for the reviewer. */
  readonly reason: string;
  /** The part of the resource that it is for, such as the Sid of an IAM statement. @default - the whole resource */
  readonly part?: string;
}

const METADATA = "policy-exception";
/** Fewer words than this are no reason. */
const WORDS = 4;

/**
 * Says that a resource may break a rule, and why. Synth fails when the rule does not exist, or when the resource does not break it.
 *
 * @param resource the resource, or a construct whose main resource it is: the child named "Resource"
 * @param rule id of the rule
 * @param reason why it is right here
 * @param part the part of the resource that it is for; default: all of it
 * @throws Error when the reason is none
 */
export function exception(resource: IConstruct, rule: string, reason: string, part?: string): void {
  if (reason.trim().split(/\s+/).length < WORDS) {
    throw new Error(
      `${resource.node.path}: the exception from ${rule} has no reason, only "${reason}". Write why it is right here.`,
    );
  }
  const value: Exception = { rule, reason, ...(part === undefined ? {} : { part }) };
  (resource.node.defaultChild ?? resource).node.addMetadata(METADATA, value);
}

/** The exceptions that were written for a resource. */
export function exceptionsOf(resource: IConstruct): readonly Exception[] {
  return resource.node.metadata.filter(({ type }) => type === METADATA).map(({ data }) => data as Exception);
}
