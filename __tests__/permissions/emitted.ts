/** What each role of an environment may do, read from the synthesized Terraform with every reference followed to a real ARN. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type PolicyStatement, statementsOf } from "../support/expression";
import { type Json, Synthesis } from "../support/synth";
import { arnOf, type Place } from "./arns";

/** A role with what it may do. */
export interface EmittedRole {
  readonly stack: string;
  readonly name: string;
  readonly statements: readonly PolicyStatement[];
}

/** The policies of an environment. */
export interface Emitted {
  readonly place: Place;
  readonly roles: readonly EmittedRole[];
  /** Policies of resources, by the resource's ARN. */
  readonly resourcePolicies: Readonly<Record<string, readonly PolicyStatement[]>>;
}

/** What takes the place of a policy that AWS wrote: its name stands for the statement. */
const MANAGED = "managed-policy";
const OWN_POLICY = /^\$\{aws_iam_policy\.([\w-]+)\.arn\}$/;
const REFERENCE = /\$\{([^${}]+)\}/g;
const REMOTE = /^data\.terraform_remote_state\.([\w-]+)\.outputs\.(\w+)$/;
const ATTRIBUTE = /^(\w+)\.([\w-]+)\.(\w+)$/;

/**
 * Reads the policies of every stack in a `cdktf.out`.
 *
 * @throws Error that names an expression or a kind of policy that is not understood here: nothing is left out silently
 */
export async function readEmitted(folder: string): Promise<Emitted> {
  const { stacks } = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as {
    stacks: Record<string, { synthesizedStackPath: string }>;
  };
  const synthesized = new Map(
    Object.entries(stacks).map(([id, { synthesizedStackPath }]) => [
      id,
      new Synthesis(readFileSync(join(folder, synthesizedStackPath), "utf8")),
    ]),
  );
  const place = placeOf([...synthesized.values()]);
  const resolver = new Resolver(synthesized, place);
  const roles = [...synthesized].map(([id, stack]) => rolesOf(id, stack, resolver));
  const policies = [...synthesized].map(([id, stack]) => bucketPoliciesOf(id, stack, resolver));
  return {
    place,
    roles: (await Promise.all(roles)).flat(),
    resourcePolicies: Object.fromEntries((await Promise.all(policies)).flat()),
  };
}

async function rolesOf(id: string, stack: Synthesis, resolver: Resolver): Promise<EmittedRole[]> {
  const refused = ["aws_iam_user", "aws_iam_user_policy", "aws_iam_group_policy", "aws_iam_policy_attachment"];
  const found = refused.flatMap((type) => stack.resources(type).map(({ address }) => address));
  if (found.length > 0) {
    throw new Error(`${id}: ${found.join(", ")}: give permissions to roles, by aws_iam_role_policy.`);
  }
  return Promise.all(
    stack.resources("aws_iam_role").map(async ({ name, body }) => {
      const holds = ({ body: { role } }: { readonly body: { readonly role?: Json } }) =>
        [`aws_iam_role.${name}.name`, `aws_iam_role.${name}.id`].some((each) => role === `\${${each}}`);
      const documents = stack
        .resources("aws_iam_role_policy")
        .filter(holds)
        .map(({ body: { policy } }) => policy);
      const attached = stack.resources("aws_iam_role_policy_attachment").filter(holds);
      const [managed, own] = [false, true].map((wanted) =>
        attached.filter(({ body: { policy_arn: arn } }) => OWN_POLICY.test(String(arn)) === wanted),
      );
      for (const { body } of own ?? []) {
        const [, policy = ""] = OWN_POLICY.exec(String(body.policy_arn)) ?? [];
        documents.push(stack.resource("aws_iam_policy", policy).policy);
      }
      const statements = await Promise.all(documents.map(statementsOf));
      return {
        stack: id,
        name: resolver.text(id, body.name),
        statements: [
          ...statements.flat().map((statement) => resolver.statement(id, statement)),
          ...(managed ?? []).map(({ body: { policy_arn: arn } }) => managedPolicy(resolver.text(id, arn))),
        ],
      };
    }),
  );
}

function managedPolicy(arn: string): PolicyStatement {
  return { sid: arn.split("/").at(-1) ?? arn, effect: "Allow", actions: [MANAGED], resources: [arn] };
}

async function bucketPoliciesOf(
  id: string,
  stack: Synthesis,
  resolver: Resolver,
): Promise<[string, PolicyStatement[]][]> {
  return Promise.all(
    stack.resources("aws_s3_bucket_policy").map(async ({ body: { bucket, policy } }) => {
      const statements = (await statementsOf(policy)).map((statement) => resolver.statement(id, statement));
      return [`arn:aws:s3:::${resolver.text(id, bucket)}`, statements];
    }),
  );
}

function placeOf(stacks: readonly Synthesis[]): Place {
  const provider = stacks.map((stack) => stack.at("provider", "aws", 0)).find((each) => each !== undefined);
  const { region, allowed_account_ids: accounts } = provider as { region: string; allowed_account_ids: string[] };
  return { region, accountId: accounts[0] ?? "" };
}

/** Follows references from stack to stack. */
class Resolver {
  constructor(
    private readonly stacks: ReadonlyMap<string, Synthesis>,
    private readonly place: Place,
  ) {}

  /** A statement without references. */
  statement(stack: string, statement: PolicyStatement): PolicyStatement {
    const condition = statement.condition && JSON.parse(this.text(stack, JSON.stringify(statement.condition)));
    return {
      ...statement,
      resources: statement.resources.map((resource) => this.text(stack, resource)),
      ...(condition ? { condition } : {}),
    };
  }

  /** A string without references. */
  text(stack: string, value: Json | undefined): string {
    return String(value).replace(REFERENCE, (_, reference: string) => this.follow(stack, reference));
  }

  private follow(stack: string, reference: string): string {
    const [, producer = "", output = ""] = REMOTE.exec(reference) ?? [];
    if (producer) {
      return this.text(producer, this.stackOf(producer).outputs[output]);
    }
    const [, type = "", name = "", attribute = ""] = ATTRIBUTE.exec(reference) ?? [];
    const body =
      type &&
      this.stackOf(stack)
        .resources(type)
        .find((each) => each.name === name)?.body;
    if (!body) {
      throw new Error(
        `${stack}: expected a resource's attribute or another stack's output in a policy, got ${reference}.`,
      );
    }
    if (attribute === "arn") {
      return this.text(stack, arnOf(type, body, this.place));
    }
    // A bucket's id, a role's id: their names.
    return this.text(stack, body[attribute] ?? body.name ?? body.bucket);
  }

  private stackOf(id: string): Synthesis {
    const stack = this.stacks.get(id);
    if (!stack) {
      throw new Error(`A policy refers to the stack ${id}, which this environment lacks.`);
    }
    return stack;
  }
}
