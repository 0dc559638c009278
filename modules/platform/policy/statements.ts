/** IAM policies, as rules read them. */
import { jsonOf } from "./expression";
import { type Block, blocks, isBlock, type Json, listOf, strings } from "./json";
import type { JudgedResource } from "./rule";

/** A statement of a policy, with lists where IAM takes one value or a list. */
export interface PolicyStatement {
  /** Its Sid, or its position in the policy, from 1. */
  readonly sid: string;
  readonly allows: boolean;
  readonly actions: readonly string[];
  /** Whether it names the actions that it is not about. */
  readonly notActions: boolean;
  readonly resources: readonly string[];
  readonly notResources: boolean;
  /** Who it is for, `*` among them, as `AWS:arn:…` or `Service:ec2.amazonaws.com`; undefined in a policy of a role or user. */
  readonly principals?: readonly string[];
  /** Conditions: test, to variable, to values. */
  readonly conditions: readonly {
    readonly test: string;
    readonly variable: string;
    readonly values: readonly string[];
  }[];
}

/** Attributes that hold a policy of IAM, by type; of every other type, those that are named like one. */
const POLICY_ATTRIBUTES: readonly string[] = ["policy", "assume_role_policy", "inline_policy", "access_policy"];
/** What is called a policy and is none of IAM's. */
const NOT_OF_IAM =
  /^aws_(ecr_lifecycle_policy|appautoscaling_policy|autoscaling_policy|dlm_lifecycle_policy|s3_bucket_lifecycle_configuration|wafv2_.*|organizations_policy|fms_policy)$/;

/** A resource's policies, or the attribute of one that cannot be read. */
export interface Policies {
  readonly statements: readonly PolicyStatement[];
  /** Attributes whose policy is an expression that nothing here can read. */
  readonly unreadable: readonly string[];
}

/** The statements of every policy that a resource carries. */
export function policiesOf(resource: JudgedResource): Policies {
  const statements: PolicyStatement[] = [];
  const unreadable: string[] = [];
  if (NOT_OF_IAM.test(resource.type)) {
    return { statements, unreadable };
  }
  for (const attribute of POLICY_ATTRIBUTES) {
    for (const text of textsOf(resource.body[attribute])) {
      const found = statementsIn(text, resource);
      if (found === undefined) {
        unreadable.push(attribute);
      } else {
        statements.push(...found);
      }
    }
  }
  return { statements, unreadable };
}

/** Types that carry a policy of IAM. */
export const POLICY_TYPES =
  /^aws_(.*_policy|iam_role|iam_policy|iam_.*_policy|s3_bucket|sqs_queue|sns_topic|kms_key|vpc_endpoint|secretsmanager_secret)$/;

function textsOf(value: Json | undefined): readonly string[] {
  return [...strings(value), ...blocks(value).flatMap(({ policy }) => strings(policy))];
}

function statementsIn(text: string, resource: JudgedResource): readonly PolicyStatement[] | undefined {
  const [, name] = /^\$\{data\.aws_iam_policy_document\.([\w-]+)\.(?:json|minified_json)\}$/.exec(text) ?? [];
  if (name !== undefined) {
    const document = resource.others("data.aws_iam_policy_document").find((other) => other.name === name);
    return document && blocks(document.body.statement).map(fromDocument);
  }
  const value = jsonOf(text);
  return isBlock(value) && value.Statement !== undefined ? blocks(value.Statement).map(fromJson) : undefined;
}

function fromJson(statement: Block, index: number): PolicyStatement {
  const { Sid, Effect, Action, NotAction, Resource, NotResource, Principal, NotPrincipal, Condition } = statement;
  const principals = NotPrincipal === undefined ? principalsIn(Principal) : ["*"];
  return {
    sid: typeof Sid === "string" ? Sid : String(index + 1),
    allows: Effect === "Allow",
    actions: strings(Action ?? NotAction),
    notActions: NotAction !== undefined,
    resources: strings(Resource ?? NotResource),
    notResources: NotResource !== undefined,
    ...(principals === undefined ? {} : { principals }),
    conditions: isBlock(Condition)
      ? Object.entries(Condition).flatMap(([test, block]) => conditionsIn(test, block))
      : [],
  };
}

function principalsIn(principal: Json | undefined): readonly string[] | undefined {
  if (isBlock(principal)) {
    return Object.entries(principal).flatMap(([kind, who]) =>
      strings(who).map((each) => (each === "*" ? "*" : `${kind}:${each}`)),
    );
  }
  return principal === undefined ? undefined : strings(principal);
}

function conditionsIn(test: string, block: Json | undefined): PolicyStatement["conditions"] {
  return isBlock(block)
    ? Object.entries(block).map(([variable, values]) => ({ test, variable, values: listOf(values).map(String) }))
    : [];
}

/** A `statement` block of the data source `aws_iam_policy_document`. */
function fromDocument(statement: Block, index: number): PolicyStatement {
  const { sid, effect, actions, not_actions, resources, not_resources, principals, not_principals, condition } =
    statement;
  const who = [...blocks(principals), ...blocks(not_principals)];
  return {
    sid: typeof sid === "string" ? sid : String(index + 1),
    allows: (effect ?? "Allow") === "Allow",
    actions: strings(actions ?? not_actions),
    notActions: not_actions !== undefined,
    resources: strings(resources ?? not_resources),
    notResources: not_resources !== undefined,
    ...(who.length === 0
      ? {}
      : {
          principals: who.flatMap(({ type, identifiers }) =>
            strings(identifiers).map((each) =>
              each === "*" || not_principals !== undefined ? "*" : `${type}:${each}`,
            ),
          ),
        }),
    conditions: blocks(condition).map(({ test, variable, values }) => ({
      test: String(test),
      variable: String(variable),
      values: listOf(values).map(String),
    })),
  };
}
