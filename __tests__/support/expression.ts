/** Reads the values inside Terraform expressions with HashiCorp's own parser. */
import { parse } from "@cdktf/hcl2json";
import type { Block, Json } from "./synth";

const JSON_ENCODED = /^\$\{jsonencode\((.*)\)\}$/s;
const TEMPLATE = /templatefile\("([^"]+)", (\{.*\})\)/s;

/** A statement of an IAM policy, with lists where IAM takes one value or a list. */
export interface PolicyStatement {
  readonly sid: string;
  readonly effect: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly principal?: Json;
  readonly condition?: Json;
}

/**
 * The value of `${jsonencode(…)}`; references in it stay `${…}`.
 *
 * @throws Error when the expression is another one
 */
export async function jsonencoded(expression: Json | undefined): Promise<Block> {
  const [, inner] = JSON_ENCODED.exec(String(expression)) ?? [];
  if (inner === undefined) {
    throw new Error(`expected \${jsonencode(…)}, got ${expression}`);
  }
  return evaluated(inner);
}

/** The statements of a policy that was written with `jsonencode`. */
export async function statementsOf(policy: Json | undefined): Promise<PolicyStatement[]> {
  const { Statement } = await jsonencoded(policy);
  return (Statement as readonly Block[]).map(({ Sid, Effect, Action, Resource, Principal, Condition }) => ({
    sid: String(Sid),
    effect: String(Effect),
    actions: listOf(Action),
    resources: listOf(Resource),
    ...(Principal === undefined ? {} : { principal: Principal }),
    ...(Condition === undefined ? {} : { condition: Condition }),
  }));
}

/** The template's path and its variables in an expression that calls `templatefile`. */
export async function templateOf(expression: Json | undefined): Promise<{ path: string; variables: Block }> {
  const [, path, variables] = TEMPLATE.exec(String(expression)) ?? [];
  if (path === undefined || variables === undefined) {
    throw new Error(`expected templatefile("…", {…}) in ${expression}`);
  }
  return { path, variables: await evaluated(variables) };
}

async function evaluated(expression: string): Promise<Block> {
  const { value } = await parse("expression.tf", `value = ${expression}`);
  return value as Block;
}

function listOf(value: Json | undefined): string[] {
  return value === undefined ? [] : [value].flat().map(String);
}
