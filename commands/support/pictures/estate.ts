/** Every synthesized resource of an environment, with its references followed through the outputs that other states publish. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Attributes of a resource, as Terraform's JSON has them. */
export type Body = Readonly<Record<string, unknown>>;

/** One resource. */
export interface Resource {
  /** `<stack>/<type>.<name>`: unique in the estate. */
  readonly id: string;
  readonly stack: string;
  readonly type: string;
  readonly name: string;
  readonly body: Body;
}

/** One stack as its manifest and its Terraform JSON describe it. */
export interface Stack {
  readonly name: string;
  /** Stacks that it reads. */
  readonly dependencies: readonly string[];
  /** Region of its AWS provider. @default - it has none */
  readonly region: string | undefined;
  /** The account that it stays in. @default - it has none */
  readonly account: string | undefined;
  readonly resources: readonly Resource[];
  readonly outputs: Readonly<Record<string, unknown>>;
  /** Outputs of other stacks that occur in its Terraform, by stack. */
  readonly reads: Readonly<Record<string, readonly string[]>>;
}

interface TerraformDocument {
  readonly resource?: Readonly<Record<string, Readonly<Record<string, Body>>>>;
  readonly output?: Readonly<Record<string, { readonly value: unknown }>>;
  readonly provider?: {
    readonly aws?: readonly { readonly region?: string; readonly allowed_account_ids?: readonly string[] }[];
  };
}

const OUTPUT = /data\.terraform_remote_state\.([\w-]+)\.outputs\.(\w+)/g;
const ADDRESS = /(?<![\w.-])([a-z][a-z0-9]*_[a-z0-9_]+)\.([\w-]+)/g;

/** What `main.ts` emitted for one environment. */
export class Estate {
  /** In the order of the manifest. */
  readonly stacks: readonly Stack[];
  private readonly resources: ReadonlyMap<string, Resource>;
  private readonly targets = new Map<string, readonly Resource[]>();
  private referrersById: ReadonlyMap<string, readonly Resource[]> | undefined;

  /** @param folder a `cdktf.out` */
  constructor(folder: string) {
    const { stacks } = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as {
      stacks: Record<string, { name: string; dependencies: string[]; synthesizedStackPath: string }>;
    };
    this.stacks = Object.values(stacks).map(({ name, dependencies, synthesizedStackPath }) =>
      stackOf(name, dependencies, readFileSync(join(folder, synthesizedStackPath), "utf8")),
    );
    this.resources = new Map(this.stacks.flatMap((stack) => stack.resources).map((each) => [each.id, each]));
  }

  /** All resources, in the order of the stacks. */
  all(): Resource[] {
    return [...this.resources.values()];
  }

  /** The resources that a value of a stack's Terraform refers to, in order, each once. */
  referred(stack: string, value: unknown): Resource[] {
    const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
    const found = new Map<string, Resource>();
    for (const [, producer = "", output = ""] of text.matchAll(OUTPUT)) {
      const published = this.stacks.find(({ name }) => name === producer)?.outputs[output];
      for (const each of published === undefined ? [] : this.referred(producer, published)) {
        found.set(each.id, each);
      }
    }
    for (const [, type, name] of text.matchAll(ADDRESS)) {
      const each = this.resources.get(`${stack}/${type}.${name}`);
      if (each !== undefined) {
        found.set(each.id, each);
      }
    }
    return [...found.values()];
  }

  /** The resources that a resource refers to. */
  targetsOf(resource: Resource): readonly Resource[] {
    const known = this.targets.get(resource.id);
    if (known !== undefined) {
      return known;
    }
    const targets = this.referred(resource.stack, resource.body).filter(({ id }) => id !== resource.id);
    this.targets.set(resource.id, targets);
    return targets;
  }

  /** The resources that refer to a resource. */
  referrersOf(resource: Resource): readonly Resource[] {
    this.referrersById ??= this.turned();
    return this.referrersById.get(resource.id) ?? [];
  }

  private turned(): ReadonlyMap<string, readonly Resource[]> {
    const referrers = new Map<string, Resource[]>();
    for (const resource of this.all()) {
      for (const { id } of this.targetsOf(resource)) {
        referrers.set(id, [...(referrers.get(id) ?? []), resource]);
      }
    }
    return referrers;
  }
}

function stackOf(name: string, dependencies: readonly string[], text: string): Stack {
  const document = JSON.parse(text) as TerraformDocument;
  const resources = Object.entries(document.resource ?? {}).flatMap(([type, byName]) =>
    Object.entries(byName).map(([id, { "//": _, ...body }]) => ({
      id: `${name}/${type}.${id}`,
      stack: name,
      type,
      name: id,
      body,
    })),
  );
  const reads = grouped(
    [...new Set([...text.matchAll(OUTPUT)].map(([, producer = "", output = ""]) => `${producer} ${output}`))],
    (pair) => pair.split(" ")[0] ?? "",
  );
  return {
    name,
    dependencies,
    region: document.provider?.aws?.[0]?.region,
    account: document.provider?.aws?.[0]?.allowed_account_ids?.[0],
    resources,
    outputs: Object.fromEntries(Object.entries(document.output ?? {}).map(([key, { value }]) => [key, value])),
    reads: Object.fromEntries(
      [...reads].map(([producer, pairs]) => [producer, pairs.map((pair) => pair.split(" ")[1] ?? "")]),
    ),
  };
}

/** Things by what a function says of each, in the order of first occurrence. */
export function grouped<T, K>(things: readonly T[], key: (thing: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const thing of things) {
    groups.set(key(thing), [...(groups.get(key(thing)) ?? []), thing]);
  }
  return groups;
}
