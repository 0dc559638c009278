/** What a rule is, and what it is given to judge. */
import type { Block, Json } from "./json";

/** What rules know of the environment. */
export interface PolicyContext {
  /** Name of the environment. */
  readonly environment: string;
  /** Whether what holds data is protected in it. */
  readonly protectData: boolean;
}

/** A resource of a stack as it is rendered, overrides included. Tokens are `${…}`. */
export interface JudgedResource {
  /** Terraform's type, such as `aws_s3_bucket`; `terraform` for the stack's own block, `data.<type>` for a data source. */
  readonly type: string;
  /** Name in the state. */
  readonly name: string;
  /** `<type>.<name>` */
  readonly address: string;
  /** Its attributes and blocks. */
  readonly body: Block;
  /** The environment. */
  readonly context: PolicyContext;
  /** The others of the same stack that are of a type. */
  others(type: string): readonly JudgedResource[];
  /** The others of a type whose attribute refers to this one, by reference or by its name. */
  companions(type: string, attribute: string): readonly JudgedResource[];
  /** The value behind a reference to a resource of the same stack; any other value as it is. */
  resolved(value: Json | undefined): Json | undefined;
}

/** What a resource breaks a rule with. */
export interface Violation {
  /** What is wrong, in words that begin in lower case and end without a full stop. */
  readonly found: string;
  /** The part of the resource that is wrong, where an exception may be for that part only: the Sid of a statement. */
  readonly part?: string;
}

/** One requirement. */
export interface Rule {
  /** Its id: the name of its file. */
  readonly id: string;
  /** The requirement in one sentence. */
  readonly title: string;
  /** What could happen without it. */
  readonly reason: string;
  /** What to write instead. */
  readonly remedy: string;
  /** The types that it looks at: names, or a pattern of names. */
  readonly types: readonly string[] | RegExp;
  /** Whether it holds in an environment. @default - in all */
  readonly holdsIn?: (context: PolicyContext) => boolean;
  /**
   * Looks at one resource.
   *
   * @returns what is wrong: nothing, one thing, or several
   */
  readonly check: (resource: JudgedResource) => string | readonly Violation[] | undefined;
}

/** Whether a rule looks at a type. */
export function looksAt({ types }: Rule, type: string): boolean {
  return types instanceof RegExp ? types.test(type) : types.includes(type);
}
