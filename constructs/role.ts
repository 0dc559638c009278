/** An IAM role whose permissions are statements of exact actions on exact ARNs. */
import { IamInstanceProfile } from "@cdktf/provider-aws/lib/iam-instance-profile";
import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy";
import { Fn, type ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { exception } from "./exception";

/** A condition of a statement, as in `{ test: "StringEquals", variable: "aws:SourceAccount", values: ["…"] }`. */
export interface StatementCondition {
  readonly test: string;
  readonly variable: string;
  readonly values: readonly string[];
}

/** One thing that a role may do. */
export interface Statement {
  /** Name of the statement: letters and digits only. */
  readonly sid: string;
  /** Exact actions, never a wildcard. */
  readonly actions: readonly string[];
  /** ARNs. `*`, or every resource of a type, only where nothing narrower works, with `wildcardReason`. */
  readonly resources: readonly string[];
  /** @default - unconditional */
  readonly conditions?: readonly StatementCondition[];
  /** Why nothing narrower works. Required with such a resource. */
  readonly wildcardReason?: string;
}

export interface RoleProps {
  /** Physical name of the role. */
  readonly name: string;
  /** What the role is for. */
  readonly description: string;
  /** Who assumes it: a service principal such as `ec2.amazonaws.com`, or, as 12 digits, an account, whose policies say which of its roles. */
  readonly service: string;
  /** Conditions of the trust policy. @default - none */
  readonly trustConditions?: readonly StatementCondition[];
  /** Whether the service tags the session, as EKS Pod Identity does with the pod's names. @default false */
  readonly sessionTags?: boolean;
  /** What the role may do. */
  readonly statements: readonly Statement[];
}

/** A role with one inline policy. */
export class Role extends Construct {
  /** ARN of the role. */
  readonly arn: string;
  /** Name of the role. */
  readonly name: string;
  /** Service principal or account that assumes it. */
  readonly service: string;
  /** What the role may do. */
  readonly statements: readonly Statement[];
  /** The policy: whoever acts at creation depends on it. */
  readonly permissions: ITerraformDependable;

  constructor(scope: Construct, id: string, props: RoleProps) {
    super(scope, id);
    this.service = props.service;
    this.statements = props.statements;
    props.statements.forEach(assertExact);
    const role = new IamRole(this, "Resource", {
      name: props.name,
      description: props.description,
      assumeRolePolicy: policyDocument([
        {
          Sid: "Trust",
          Effect: "Allow",
          Action: props.sessionTags ? ["sts:AssumeRole", "sts:TagSession"] : "sts:AssumeRole",
          Principal: principalOf(props.service),
          ...conditionBlock(props.trustConditions),
        },
      ]),
    });
    const permissions = new IamRolePolicy(this, "permissions", {
      name: "permissions",
      role: role.name,
      policy: policyDocument(
        props.statements.map(({ sid, actions, resources, conditions }) => ({
          Sid: sid,
          Effect: "Allow",
          Action: actions,
          Resource: resources,
          ...conditionBlock(conditions),
        })),
      ),
    });
    for (const { sid, resources, wildcardReason } of props.statements) {
      if (wildcardReason && resources.some(namesEverything)) {
        exception(permissions, "iam-no-wildcard-resource", wildcardReason, sid);
      }
    }
    this.arn = role.arn;
    this.name = role.name;
    this.permissions = permissions;
  }

  /** An instance profile of the same name, for EC2. */
  instanceProfile(): IamInstanceProfile {
    return new IamInstanceProfile(this, "profile", { name: this.name, role: this.name });
  }
}

/** An IAM policy document as JSON. Values may be tokens. */
export function policyDocument(statements: readonly object[]): string {
  return Fn.jsonencode({ Version: "2012-10-17", Statement: statements });
}

/** @param name a service principal, or the id of an account */
export function principalOf(name: string): object {
  return /^\d{12}$/.test(name) ? { AWS: `arn:aws:iam::${name}:root` } : { Service: name };
}

function conditionBlock(conditions: readonly StatementCondition[] = []): object {
  if (conditions.length === 0) {
    return {};
  }
  const block: Record<string, Record<string, readonly string[]>> = {};
  for (const { test, variable, values } of conditions) {
    block[test] = { ...block[test], [variable]: values };
  }
  return { Condition: block };
}

/**
 * Whether an ARN stands for everything, or for everything of a service or of a type: `*`, `arn:aws:s3:::*`,
 * `arn:aws:ec2:ap-northeast-2:123456789012:instance/*`.
 */
export function namesEverything(arn: string): boolean {
  return /^[*?]+$|^arn:[^:$]*:[^:$]*:[^:$]*:[^:$]*:\*$|^arn:[^:$]*:[^:$]*:[^:$]*:[^:$]+:[\w-]+[/:]\*$/.test(arn);
}

function assertExact({ sid, actions, resources, wildcardReason }: Statement): void {
  const loose = actions.find((action) => action.includes("*"));
  if (loose) {
    throw new Error(`statement ${sid}: action "${loose}" has a wildcard. Name each action.`);
  }
  const wide = resources.find(namesEverything);
  if (wide && !wildcardReason) {
    throw new Error(`statement ${sid}: resource "${wide}" without a reason. Name the ARN, or set wildcardReason.`);
  }
}
