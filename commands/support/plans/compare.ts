/** Two syntheses compared block by block, without a cloud, a state or a provider. */
import { dataOf } from "../../../modules/platform/data-types";
import { readStack } from "../synthesis";
import { type Replacements, replacedBy } from "./replacements";
import type { AttributeChange } from "./summary";
import { attributeText, differences, isObject } from "./values";

/** A resource, data source, output or other block that differs. */
export interface BlockDifference {
  /** `aws_sqs_queue.queue`, `data.aws_ami.image`, `output.queue_url`, `provider.aws`. */
  readonly address: string;
  readonly kind: "added" | "removed" | "changed";
  readonly attributes: readonly AttributeChange[];
  /** Attributes that the provider cannot change in place, by its source: the resource may be replaced. */
  readonly mayReplace: readonly string[];
  /** What would be lost with it, where it is removed or may be replaced and holds data. */
  readonly loses?: string;
}

/** A stack that differs. */
export interface StackDifference {
  readonly stack: string;
  readonly kind: "added" | "removed" | "changed";
  readonly blocks: readonly BlockDifference[];
}

/** One of the two: a checkout with a synthesis in `cdktf.out`, and the names of its stacks. */
export interface Side {
  readonly project: string;
  readonly stacks: readonly string[];
}

/**
 * What differs, stack by stack.
 *
 * @param tables what providers cannot change in place
 */
export function compareSyntheses(before: Side, after: Side, tables: readonly Replacements[]): StackDifference[] {
  const blocks = ({ project, stacks }: Side, stack: string) =>
    stacks.includes(stack) ? blocksOf(readStack(project, stack)) : new Map<string, unknown>();
  return [...new Set([...after.stacks, ...before.stacks])].flatMap((stack) => {
    const found = compareBlocks(blocks(before, stack), blocks(after, stack), tables);
    const kind = !before.stacks.includes(stack) ? "added" : !after.stacks.includes(stack) ? "removed" : "changed";
    return found.length > 0 ? [{ stack, kind, blocks: found }] : [];
  });
}

function compareBlocks(
  before: ReadonlyMap<string, unknown>,
  after: ReadonlyMap<string, unknown>,
  tables: readonly Replacements[],
): BlockDifference[] {
  const addresses = [...new Set([...before.keys(), ...after.keys()])];
  return addresses
    .flatMap((address): BlockDifference[] => {
      const type = address.split(".")[0] ?? "";
      const [old, fresh] = [before.get(address), after.get(address)];
      if (old === undefined) {
        return [{ address, kind: "added", attributes: [], mayReplace: [] }];
      }
      if (fresh === undefined) {
        return [{ address, kind: "removed", attributes: [], mayReplace: [], ...lossOf(type) }];
      }
      const attributes = differences(old, fresh);
      const mayReplace = replacedBy(
        tables,
        type,
        attributes.map(({ path }) => path),
      );
      return attributes.length === 0
        ? []
        : [{ address, kind: "changed", attributes, mayReplace, ...(mayReplace.length > 0 ? lossOf(type) : {}) }];
    })
    .sort((a, b) => rank(a) - rank(b) || (a.address < b.address ? -1 : 1));
}

function lossOf(type: string): { loses?: string } {
  const loses = dataOf(type);
  return loses === undefined ? {} : { loses };
}

function rank({ kind, mayReplace }: BlockDifference): number {
  return kind === "removed" ? 0 : mayReplace.length > 0 ? 1 : kind === "changed" ? 2 : 3;
}

/** Blocks by address. The comments of CDKTF are no part of it. */
function blocksOf(stack: object): Map<string, unknown> {
  const blocks = new Map<string, unknown>();
  for (const [kind, content] of Object.entries(stack).filter(([key]) => key !== "//")) {
    for (const [first, inner] of Object.entries(isObject(content) ? content : {})) {
      if (kind !== "resource" && kind !== "data") {
        blocks.set(`${kind}.${first}`, isObject(inner) ? inner : { value: inner });
      } else {
        for (const [name, body] of Object.entries(isObject(inner) ? inner : {})) {
          const { "//": _, ...attributes } = body as Record<string, unknown>;
          blocks.set(`${kind === "data" ? "data." : ""}${first}.${name}`, attributes);
        }
      }
    }
  }
  return blocks;
}

/** The comparison for a person. */
export function comparisonText(found: readonly StackDifference[], tables: readonly Replacements[]): string {
  if (found.length === 0) {
    return "Both give Terraform the same.";
  }
  const sections = found.map(({ blocks, kind, stack }) => {
    const lines = blocks.flatMap((block) =>
      kind === "added" && block.kind === "added" ? [plain(block)] : full(block),
    );
    return [`${stack}: ${kind === "changed" ? countWords(blocks) : `the stack is ${kind}`}`, ...lines].join("\n");
  });
  const hinted = found.some(({ blocks }) => blocks.some(({ mayReplace }) => mayReplace.length > 0));
  const versions = tables.map(({ provider, version }) => `${provider} ${version}`).join(", ");
  return [
    ...sections,
    ...(hinted ? [`"May be replaced" is a hint from the providers' source (${versions}); a plan knows.`] : []),
  ].join("\n\n");
}

const SIGNS = { added: "+", removed: "-", changed: "~" } as const;

function plain({ address, kind }: BlockDifference): string {
  return `  ${SIGNS[kind]} ${address}`;
}

function full(block: BlockDifference): string[] {
  const { attributes, kind, loses, mayReplace } = block;
  const lost = loses === undefined ? "" : `, and with it ${loses}`;
  const hint = mayReplace.length > 0 ? `  MAY BE REPLACED${lost}: ${mayReplace.join(", ")}` : "";
  const removed = kind === "removed" ? `  REMOVED${lost}` : "";
  return [`${plain(block)}${hint}${removed}`, ...attributes.map((attribute) => `      ${attributeText(attribute)}`)];
}

function countWords(blocks: readonly BlockDifference[]): string {
  return (["removed", "changed", "added"] as const)
    .map((kind) => [blocks.filter((block) => block.kind === kind).length, kind] as const)
    .filter(([count]) => count > 0)
    .map(([count, kind]) => `${count} ${kind}`)
    .join(", ");
}
