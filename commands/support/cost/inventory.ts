/** The resources whose cost is estimated, from what was synthesized or from a plan, and who refers to whom. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Attributes of a resource. In what was synthesized a value may be an expression, `${…}`. */
export type Body = Readonly<Record<string, unknown>>;

/** One resource. */
export interface CostedResource {
  readonly stack: string;
  readonly type: string;
  readonly name: string;
  readonly body: Body;
  /** What each attribute refers to: `<type>.<name>`, or `<stack>#<output>` for another stack's output. */
  readonly references: Readonly<Record<string, readonly string[]>>;
}

/** The part of a stack's Terraform JSON that costs are read from. */
export interface StackJson {
  readonly resource?: Readonly<Record<string, Readonly<Record<string, Body>>>>;
  readonly output?: Readonly<Record<string, { readonly value?: unknown }>>;
}

/** From the first expression on: expressions hold braces of their own. */
const EXPRESSIONS = /\$\{.*/s;
const OUTPUT = /data\.terraform_remote_state\.([\w-]+)\.outputs\.([\w-]+)/g;
const RESOURCE = /(?<![\w.-])([a-z][a-z0-9]*_[a-z0-9_]+)\.([A-Za-z][\w-]*)/g;

/** Every resource of an environment. */
export class Inventory {
  private readonly byAddress: ReadonlyMap<string, CostedResource>;

  /**
   * @param resources all of them, by stack
   * @param outputs what each stack's outputs refer to, by `<stack>#<output>`
   */
  constructor(
    readonly resources: readonly CostedResource[],
    private readonly outputs: Readonly<Record<string, readonly string[]>>,
  ) {
    this.byAddress = new Map(resources.map((one) => [`${one.stack}#${one.type}.${one.name}`, one]));
  }

  /** What `main.ts` emitted: stack id to its Terraform. */
  static ofSynthesis(stacks: Readonly<Record<string, StackJson>>): Inventory {
    const resources = Object.entries(stacks).flatMap(([stack, { resource = {} }]) =>
      Object.entries(resource).flatMap(([type, byName]) =>
        Object.entries(byName).map(([name, body]) => ({ stack, type, name, body, references: referencesOf(body) })),
      ),
    );
    return new Inventory(resources, outputsOf(stacks));
  }

  /** The same environment with one stack as a plan has it. */
  withStack(stack: string, resources: readonly CostedResource[]): Inventory {
    return new Inventory([...this.resources.filter((one) => one.stack !== stack), ...resources], this.outputs);
  }

  /** The resources of one type that an attribute refers to, also through other stacks' outputs. */
  linked({ stack, references }: CostedResource, attribute: string, type: string): CostedResource[] {
    return this.follow(stack, references[attribute] ?? []).filter((one) => one.type === type);
  }

  /** How many things an attribute lists: its values, or what it refers to. */
  count(resource: CostedResource, attribute: string): number {
    const value = resource.body[attribute];
    const literal = Array.isArray(value) ? value.length : 0;
    return literal || this.follow(resource.stack, resource.references[attribute] ?? []).length;
  }

  private follow(stack: string, references: readonly string[]): CostedResource[] {
    return references.flatMap((reference) => {
      if (reference.includes("#")) {
        const [producer = ""] = reference.split("#");
        return this.follow(producer, this.outputs[reference] ?? []);
      }
      return this.byAddress.get(`${stack}#${reference}`) ?? [];
    });
  }
}

/** The synthesized Terraform of stacks, as {@link Inventory.ofSynthesis} takes it. */
export function readStacks(project: string, stacks: readonly string[]): Record<string, StackJson> {
  return Object.fromEntries(
    stacks.map((stack) => [
      stack,
      JSON.parse(readFileSync(join(project, "cdktf.out", "stacks", stack, "cdk.tf.json"), "utf8")) as StackJson,
    ]),
  );
}

/** What an expression, or anything that holds some, refers to. */
export function referencesIn(value: unknown): string[] {
  const [text = ""] = EXPRESSIONS.exec(JSON.stringify(value) ?? "") ?? [];
  const outputs = [...text.matchAll(OUTPUT)].map(([, stack, output]) => `${stack}#${output}`);
  const resources = [...text.replaceAll(OUTPUT, "").matchAll(RESOURCE)].map(([, type, name]) => `${type}.${name}`);
  return [...new Set([...outputs, ...resources])];
}

function referencesOf(body: Body): Record<string, string[]> {
  return Object.fromEntries(Object.entries(body).map(([attribute, value]) => [attribute, referencesIn(value)]));
}

function outputsOf(stacks: Readonly<Record<string, StackJson>>): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(stacks).flatMap(([stack, { output = {} }]) =>
      Object.entries(output).map(([name, { value }]) => [`${stack}#${name}`, referencesIn(value)]),
    ),
  );
}
