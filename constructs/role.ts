/** An IAM role whose permissions are statements of exact actions on exact ARNs. */
import { IamInstanceProfile } from "@cdktf/provider-aws/lib/iam-instance-profile";
import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy";
import { Fn } from "cdktf";
import { Construct } from "constructs";

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
  /** ARNs. `*` alone only where the action has no resource-level permission, with `wildcardReason`. */
  readonly resources: readonly string[];
  /** @default - unconditional */
  readonly conditions?: readonly StatementCondition[];
  /** Why `*` is the only resource that works. Required with it. */
  readonly wildcardReason?: string;
}

export interface RoleProps {
  /** Physical name of the role. */
  readonly name: string;
  /** What the role is for. */
  readonly description: string;
  /** Service principal that assumes it, such as `ec2.amazonaws.com`. */
  readonly service: string;
  /** Conditions of the trust policy. @default - none */
  readonly trustConditions?: readonly StatementCondition[];
  /** What the role may do. */
  readonly statements: readonly Statement[];
}

/** A role with one inline policy. */
export class Role extends Construct {
  /** ARN of the role. */
  readonly arn: string;
  /** Name of the role. */
  readonly name: string;

  constructor(scope: Construct, id: string, props: RoleProps) {
    super(scope, id);
    props.statements.forEach(assertExact);
    const role = new IamRole(this, "Resource", {
      name: props.name,
      description: props.description,
      assumeRolePolicy: policyDocument([
        {
          Sid: "Trust",
          Effect: "Allow",
          Action: "sts:AssumeRole",
          Principal: { Service: props.service },
          ...conditionBlock(props.trustConditions),
        },
      ]),
    });
    new IamRolePolicy(this, "permissions", {
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
    this.arn = role.arn;
    this.name = role.name;
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

function assertExact({ sid, actions, resources, wildcardReason }: Statement): void {
  const loose = actions.find((action) => action.includes("*"));
  if (loose) {
    throw new Error(`statement ${sid}: action "${loose}" has a wildcard. Name each action.`);
  }
  if (resources.includes("*") && !wildcardReason) {
    throw new Error(`statement ${sid}: resource "*" without a reason. Name the ARN, or set wildcardReason.`);
  }
}
