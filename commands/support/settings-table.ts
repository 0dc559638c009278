/** The settings as a page for people, from the schema that checks them. */
import { z } from "zod";

/** JSON Schema as zod writes it, with what {@link formOf} adds. */
interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly { readonly const?: unknown }[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly format?: string;
  /** What a string has to look like, in the words of the error message. */
  readonly form?: string;
}

/** One setting. */
interface Setting {
  readonly key: string;
  readonly node: Node;
  readonly required: boolean;
}

/** A table: the settings of one section. */
interface Section {
  readonly title: string;
  readonly description: string;
  readonly settings: readonly Setting[];
}

/** Sections whose own sections get a table each; in every other section, what is nested has dotted keys. */
const SPLIT = new Set(["", "nanogrid"]);
/** Formats of strings that have no words of their own in the schema. */
const FORMATS = new Map([
  ["ipv4", "an IPv4 address"],
  ["email", "an e-mail address"],
]);
/** More values of a choice than these are not listed. */
const LISTED = 8;

/**
 * A table per section: key, type, default, meaning.
 *
 * @param schema the schema of one environment
 */
export function settingsTables(schema: z.ZodType): string {
  const root = z.toJSONSchema(schema, { io: "input", unrepresentable: "any", override: addForm }) as Node;
  return sectionsOf(root, []).map(tableOf).join("\n\n");
}

function sectionsOf(node: Node, path: readonly string[]): Section[] {
  const entries = Object.entries(node.properties ?? {});
  const isSplit = SPLIT.has(path.join("."));
  const settings = entries
    .filter(([, child]) => !(isSplit && child.properties))
    .flatMap(([name, child]) => settingsOf(child, name, isRequired(node, name)));
  const inner = entries.filter(([, child]) => isSplit && child.properties);
  const title = path.length === 0 ? "Every stack" : `\`${path.join(".")}\``;
  const own = settings.length === 0 ? [] : [{ title, description: node.description ?? "", settings }];
  return [...own, ...inner.flatMap(([name, child]) => sectionsOf(child, [...path, name]))];
}

function settingsOf(node: Node, key: string, required: boolean): Setting[] {
  const nested = Object.entries(node.properties ?? {}).flatMap(([name, child]) =>
    settingsOf(child, `${key}.${name}`, isRequired(node, name)),
  );
  return [{ key, node, required }, ...nested];
}

function isRequired(node: Node, name: string): boolean {
  return node.required?.includes(name) ?? false;
}

function tableOf({ title, description, settings }: Section): string {
  const rows = settings.map(({ key, node, required }) =>
    [`\`${key}\``, typeOf(node), defaultOf(node, required), node.description ?? ""].map(cell).join(" | "),
  );
  return [
    `## ${title}`,
    "",
    ...(description ? [description, ""] : []),
    "| key | type | default | meaning |",
    "| --- | --- | --- | --- |",
    ...rows.map((row) => `| ${row} |`),
  ].join("\n");
}

function typeOf(node: Node): string {
  if (node.enum) {
    return node.enum.map((value) => `\`${JSON.stringify(value)}\``).join(" or ");
  }
  if (node.anyOf) {
    const values = node.anyOf.map((option) => option.const);
    const [first, second, third] = values;
    return values.length > LISTED
      ? `one of ${values.length} values: ${first}, ${second}, ${third}, … ${values.at(-1)}`
      : `one of ${values.join(", ")}`;
  }
  if (node.type === "array") {
    const count = node.minItems ? `, at least ${node.minItems}` : "";
    return `list${count}; each: ${node.items ? typeOf(node.items) : "any value"}`;
  }
  const form = node.form ?? FORMATS.get(node.format ?? "");
  return [node.type ?? "any value", ...limitsOf(node), ...(form ? [form] : [])].join(", ");
}

function limitsOf({ minimum, exclusiveMinimum, maximum }: Node): string[] {
  // Every integer of JSON has this bound; it says nothing about the setting.
  const most = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (exclusiveMinimum !== undefined) {
    return [`above ${exclusiveMinimum}`];
  }
  if (minimum !== undefined && most !== undefined) {
    return [`${minimum} to ${most}`];
  }
  return minimum === undefined ? [] : [`at least ${minimum}`];
}

function defaultOf(node: Node, required: boolean): string {
  if (node.properties) {
    return "";
  }
  if (required) {
    return "**required**";
  }
  return node.default === undefined ? "none" : `\`${JSON.stringify(node.default)}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

/** Says what a string looks like with the words that the schema has for its error: a pattern is no text for people. */
function addForm(context: { zodSchema: z.core.$ZodTypes; jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  const { error, checks = [] } = context.zodSchema._zod.def;
  const explain = [error, ...checks.map((check) => check._zod.def.error)].find((each) => each !== undefined);
  // The schema's errors are constant sentences, whatever the issue is.
  const text = (explain as z.core.$ZodErrorMap | undefined)?.({
    code: "custom",
    input: undefined,
    path: [],
    message: "",
  });
  if (typeof text === "string") {
    context.jsonSchema.form = text;
  }
}
