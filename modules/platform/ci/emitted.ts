/** What the stacks of an environment emit, as far as CI's permissions follow from it. */
import { TerraformStack } from "cdktf";
import type { IConstruct } from "constructs";
import { Role } from "../../../constructs/role";

/** A block of Terraform's JSON syntax. */
type Block = Readonly<Record<string, unknown>>;

interface TerraformJson {
  readonly resource?: Readonly<Record<string, Readonly<Record<string, Block>>>>;
  readonly data?: Readonly<Record<string, Readonly<Record<string, Block>>>>;
  readonly output?: Readonly<Record<string, { readonly value: unknown }>>;
}

/** One resource with its stack. */
export interface EmittedResource {
  readonly stack: string;
  readonly type: string;
  /** `<stack>: <type>.<name>` */
  readonly address: string;
  readonly body: Block;
}

/** What is read from all stacks. */
export interface Emitted {
  /** Terraform types in alphabetical order, data sources with `data.` before them. */
  readonly types: readonly string[];
  readonly resources: readonly EmittedResource[];
  /** Actions that the stacks' roles allow. */
  readonly roleActions: readonly string[];
  /** Services that those roles trust. */
  readonly roleServices: readonly string[];
  /** Names of the secrets whose values are emitted. */
  readonly writtenSecrets: readonly string[];
}

/** @param app the app, after its stacks were constructed */
export function emittedBy(app: IConstruct): Emitted {
  const stacks = new Map(
    app.node.children
      .filter((child) => TerraformStack.isStack(child))
      .map((stack) => [stack.node.id, stack.toTerraform() as TerraformJson]),
  );
  const resources = [...stacks].flatMap(([stack, { resource = {} }]) =>
    Object.entries(resource).flatMap(([type, named]) =>
      Object.entries(named).map(([name, body]) => ({ stack, type, address: `${stack}: ${type}.${name}`, body })),
    ),
  );
  const data = [...stacks.values()].flatMap((json) => Object.keys(json.data ?? {}).map((type) => `data.${type}`));
  const roles = app.node.findAll().filter((node) => node instanceof Role);
  return {
    types: sorted([...resources.map(({ type }) => type), ...data]),
    resources,
    roleActions: sorted(roles.flatMap(({ statements }) => statements.flatMap(({ actions }) => actions))),
    roleServices: sorted(roles.map(({ service }) => service)),
    writtenSecrets: sorted(
      resources
        .filter(({ type }) => type === "aws_secretsmanager_secret_version")
        .map((version) => secretNameOf(version, stacks)),
    ),
  };
}

/** Follows a secret version's reference to its secret, through another stack's output where it leads there. */
function secretNameOf({ stack, address, body }: EmittedResource, stacks: ReadonlyMap<string, TerraformJson>): string {
  const remote = /^\$\{data\.terraform_remote_state\.([\w-]+)\.outputs\.(\w+)\}$/.exec(String(body.secret_id));
  const [, producer = stack, output = ""] = remote ?? [];
  const json = stacks.get(producer);
  const reference = remote ? json?.output?.[output]?.value : body.secret_id;
  const [, secret = ""] = /^\$\{aws_secretsmanager_secret\.([\w-]+)\.\w+\}$/.exec(String(reference)) ?? [];
  const name = json?.resource?.aws_secretsmanager_secret?.[secret]?.name;
  if (typeof name !== "string") {
    throw new Error(
      `${address}: secret_id ${String(body.secret_id)} leads to no aws_secretsmanager_secret with a name of this app, so that CI's ` +
        "permission cannot name it. Write values only to secrets that a stack makes.",
    );
  }
  return name;
}

function sorted(values: readonly string[]): string[] {
  return [...new Set(values)].sort();
}
