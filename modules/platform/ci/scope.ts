/** What an IAM action may be allowed on, as the rows of the action tables say it. */
import type { StatementCondition } from "../../../constructs/role";

/** Stands in an ARN pattern for each prefix of the project's physical names but those of paths. */
export const NAME = "{name}";

/** Stands for each prefix that is a path, `/…`: only log groups have such names. */
export const PATH = "{path}";

/** Stands for the name of each secret whose value a stack writes. */
export const WRITTEN_SECRET = "{written-secret}";

/** A set of ARNs that actions of several Terraform types share. */
export interface Scope {
  /** What it holds, in letters: the end of its statement's name. Scopes of one label become one statement. */
  readonly label: string;
  /**
   * ARNs without `arn:aws:`, or `*` alone. Filled in are `{region}`, `{account}`, `{project}`, `{environment}`, {@link NAME},
   * {@link PATH} and {@link WRITTEN_SECRET}; an ARN with a placeholder that stands for several values is repeated for each.
   */
  readonly arns: readonly string[];
  /** Values may have the same placeholders, and `{boundary}` and `{services}`. @default - unconditional */
  readonly conditions?: readonly StatementCondition[];
  /** Why nothing narrower works, where it is not the project's own names or tags. */
  readonly reason?: string;
}

/** Actions of one Terraform type in one scope. */
export interface Row {
  /** Whether a refresh calls them, or only what changes something. */
  readonly access: "read" | "write";
  readonly scope: Scope;
  /** Exact actions with their service. */
  readonly actions: readonly string[];
}

/** What Terraform calls for one type. */
export interface TypeActions {
  /** Attribute with the physical name, where a scope is bounded by it. */
  readonly name?: string;
  readonly rows: readonly Row[];
}

/** Terraform type to what Terraform calls for it. */
export type ActionTable = Readonly<Record<string, TypeActions>>;

/** Resources whose ARN holds a name of the project. */
export function named(label: string, ...arns: string[]): Scope {
  return { label, arns };
}

/** Resources that IAM cannot tell apart by name, each with why that is all right. */
export function fixed(label: string, reason: string, ...arns: string[]): Scope {
  return { label, arns, reason };
}

/** Actions for which AWS knows no resource. */
export const EVERYTHING: Scope = {
  label: "Everything",
  arns: ["*"],
  reason: "AWS defines no resource for these actions, so that only * works",
};

/** The role that a service makes for itself when it is first used in an account. */
export function serviceLinkedRole(service: string): Row {
  const scope: Scope = {
    label: "LinkedRoles",
    arns: [`iam::{account}:role/aws-service-role/${service}/*`],
    conditions: [{ test: "StringEquals", variable: "iam:AWSServiceName", values: [service] }],
    reason: "the service names its role",
  };
  return write(scope, "iam:CreateServiceLinkedRole");
}

/** Actions that a refresh calls. */
export function read(scope: Scope, ...actions: string[]): Row {
  return { access: "read", scope, actions };
}

/** Actions that create, change and destroy. */
export function write(scope: Scope, ...actions: string[]): Row {
  return { access: "write", scope, actions };
}
