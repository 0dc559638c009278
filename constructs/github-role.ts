/** An IAM role that GitHub's workflows assume with a short-lived token: no key exists. */
import { IamPolicy } from "@cdktf/provider-aws/lib/iam-policy";
import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicyAttachment } from "@cdktf/provider-aws/lib/iam-role-policy-attachment";
import { Construct } from "constructs";
import { exception } from "./exception";
import { namesEverything, policyDocument } from "./role";

/** What AWS takes in one policy, without white space. */
const POLICY_CHARACTERS = 6_144;
/** Room for what surrounds the statements of a policy. */
const FRAME_CHARACTERS = 64;
/** Actions of one statement, so that any statement fits into a policy with its resources. */
const STATEMENT_ACTIONS = 60;

/** A statement as IAM's JSON has it. */
export interface PolicyStatement {
  readonly Sid: string;
  readonly Effect: "Allow" | "Deny";
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
}

export interface GithubRoleProps {
  /** Physical name. */
  readonly name: string;
  /** What the role is for. */
  readonly description: string;
  /** ARN of the account's OIDC provider for GitHub. */
  readonly providerArn: string;
  /** Host of the issuer, which begins the names of the token's claims. */
  readonly issuer: string;
  /** Subjects that are let in, exactly: never with a wildcard. */
  readonly subjects: readonly string[];
  /** What the role may do: constant values, since they are split by their length. */
  readonly statements: readonly PolicyStatement[];
  /** Why a statement cannot name its resources, by its Sid. @default - none */
  readonly reasons?: Readonly<Record<string, string>>;
  /** Longest session in seconds. @default 3600 */
  readonly maxSessionSeconds?: number;
}

/** A role for GitHub, with as many policies as its statements need. */
export class GithubRole extends Construct {
  readonly arn: string;

  constructor(scope: Construct, id: string, props: GithubRoleProps) {
    super(scope, id);
    const loose = props.subjects.find((subject) => /[*?]/.test(subject));
    if (loose !== undefined) {
      throw new Error(`${props.name}: subject "${loose}" has a wildcard. Name each subject.`);
    }
    const role = new IamRole(this, "Resource", {
      name: props.name,
      description: props.description,
      maxSessionDuration: props.maxSessionSeconds ?? 3_600,
      assumeRolePolicy: policyDocument([
        {
          Sid: "Workflows",
          Effect: "Allow",
          Action: "sts:AssumeRoleWithWebIdentity",
          Principal: { Federated: props.providerArn },
          Condition: {
            StringEquals: {
              [`${props.issuer}:aud`]: "sts.amazonaws.com",
              [`${props.issuer}:sub`]: props.subjects,
            },
          },
        },
      ]),
    });
    inPolicies(props.statements).forEach((statements, index) => {
      const policy = new IamPolicy(this, `permissions-${index + 1}`, {
        name: `${props.name}-${index + 1}`,
        description: `${props.description} (part ${index + 1})`,
        policy: policyDocument(statements),
      });
      for (const { Sid, Resource } of statements) {
        const reason = props.reasons?.[Sid] ?? props.reasons?.[Sid.replace(/\d+$/, "")];
        if (reason && Resource.some(namesEverything)) {
          exception(policy, "iam-no-wildcard-resource", reason, Sid);
        }
      }
      new IamRolePolicyAttachment(this, `attachment-${index + 1}`, { role: role.name, policyArn: policy.arn });
    });
    this.arn = role.arn;
  }
}

/** As few policies as may be: a role can have ten. Each statement, the largest first, goes into the first policy that has room for it. */
function inPolicies(statements: readonly PolicyStatement[]): PolicyStatement[][] {
  const sized = statements
    .flatMap(inParts)
    .map((statement) => ({ statement, size: JSON.stringify(statement).length + 1 }));
  const policies: { left: number; readonly statements: PolicyStatement[] }[] = [];
  for (const { statement, size } of sized.sort((one, other) => other.size - one.size)) {
    let policy = policies.find(({ left }) => size <= left);
    if (!policy) {
      policy = { left: POLICY_CHARACTERS - FRAME_CHARACTERS, statements: [] };
      policies.push(policy);
    }
    policy.statements.push(statement);
    policy.left -= size;
  }
  return policies.map((policy) => policy.statements);
}

function inParts(statement: PolicyStatement): PolicyStatement[] {
  const count = Math.ceil(statement.Action.length / STATEMENT_ACTIONS);
  return Array.from({ length: count }, (_, part) => ({
    ...statement,
    Sid: count === 1 ? statement.Sid : `${statement.Sid}${part + 1}`,
    Action: statement.Action.slice(part * STATEMENT_ACTIONS, (part + 1) * STATEMENT_ACTIONS),
  }));
}
