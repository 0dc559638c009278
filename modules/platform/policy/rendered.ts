/** A stack's resources as rules see them: rendered Terraform, with the construct that each comes from. */
import {
  DefaultTokenResolver,
  StringConcat,
  TerraformBackend,
  TerraformDataSource,
  TerraformElement,
  TerraformResource,
  type TerraformStack,
  Tokenization,
} from "cdktf";
import type { Block, Json } from "./json";
import type { JudgedResource, PolicyContext } from "./rule";

/** A resource with the element that renders it. */
export interface RenderedResource extends JudgedResource {
  readonly element: TerraformElement;
}

/** The type under which a stack's `terraform` block is judged: its backend. */
export const STACK_BLOCK = "terraform";

/**
 * Renders a stack's resources, data sources and backend. Belongs after every aspect that changes them.
 *
 * @param stack the stack
 * @param context what rules know of the environment
 */
export function renderedResources(stack: TerraformStack, context: PolicyContext): readonly RenderedResource[] {
  const byType = new Map<string, RenderedResource[]>();
  const all: RenderedResource[] = [];
  for (const element of stack.node.findAll().filter(TerraformElement.isTerraformElement)) {
    const identity = identityOf(element);
    if (identity !== undefined) {
      const resource = new Rendered(element, identity, context, byType);
      const alike = byType.get(identity.type) ?? [];
      byType.set(identity.type, alike);
      alike.push(resource);
      all.push(resource);
    }
  }
  return all;
}

interface Identity {
  readonly type: string;
  readonly name: string;
  readonly body: Block;
}

class Rendered implements RenderedResource {
  readonly type: string;
  readonly name: string;
  readonly address: string;
  readonly body: Block;

  constructor(
    readonly element: TerraformElement,
    { type, name, body }: Identity,
    readonly context: PolicyContext,
    private readonly byType: ReadonlyMap<string, readonly JudgedResource[]>,
  ) {
    this.type = type;
    this.name = name;
    this.address = `${type}.${name}`;
    this.body = body;
  }

  others(type: string): readonly JudgedResource[] {
    return (this.byType.get(type) ?? []).filter((other) => other !== this);
  }

  companions(type: string, attribute: string): readonly JudgedResource[] {
    const reference = `\${${this.address}.`;
    const names = [this.body.name, this.body.bucket].filter((name) => name !== undefined);
    return this.others(type).filter(({ body }) => {
      const value = body[attribute];
      return (
        (typeof value === "string" && value.startsWith(reference)) || (value !== undefined && names.includes(value))
      );
    });
  }

  resolved(value: Json | undefined): Json | undefined {
    const [, type = "", name, attribute = ""] = /^\$\{((?:data\.)?\w+)\.([\w-]+)\.(\w+)\}$/.exec(String(value)) ?? [];
    const behind = this.byType.get(type)?.find((other) => other.name === name)?.body[attribute];
    return behind === undefined ? value : behind;
  }
}

function identityOf(element: TerraformElement): Identity | undefined {
  if (TerraformResource.isTerraformResource(element)) {
    return within(element, "resource", element.terraformResourceType);
  }
  if (TerraformDataSource.isTerraformDataSource(element)) {
    return within(element, "data", element.terraformResourceType);
  }
  if (TerraformBackend.isBackend(element)) {
    return { type: STACK_BLOCK, name: "backend", body: (rendered(element).terraform ?? {}) as Block };
  }
  return undefined;
}

function within(element: TerraformElement, kind: "resource" | "data", type: string): Identity | undefined {
  const name = element.friendlyUniqueId;
  const byType = rendered(element)[kind] as Record<string, Record<string, Block>> | undefined;
  const body = byType?.[type]?.[name];
  return body && { type: kind === "data" ? `data.${type}` : type, name, body };
}

function rendered(element: TerraformElement): Block {
  const resolver = new DefaultTokenResolver(new StringConcat());
  return Tokenization.resolve(element.toTerraform(), { scope: element, resolver, preparing: false }) as Block;
}
