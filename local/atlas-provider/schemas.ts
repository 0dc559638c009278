/**
 * The schemas of the Atlas resources that the stacks use, read from the TypeScript bindings, which were made from the provider's own.
 * `npx tsx local/atlas-provider/schemas.ts` writes them to schemas.json; a test holds the file to the bindings.
 *
 * The bindings do not tell a block from a nested attribute. Terraform's JSON syntax writes both alike, so that what can be written is a
 * block here, and what only answers hold is a nested attribute.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A type in Terraform's notation: `"string"`, `["list", "string"]`. */
type Type = string | readonly [string, string];

interface Attribute {
  readonly type?: Type;
  readonly nesting?: Nesting;
  readonly required?: true;
  readonly optional?: true;
  readonly computed?: true;
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

type Nesting = "single" | "list" | "set";

interface Block {
  readonly nesting?: Nesting;
  readonly maxItems?: number;
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly blocks: Readonly<Record<string, Block>>;
}

/** What schemas.json holds. */
export interface Schemas {
  /** Version of the provider that the bindings were made from. */
  readonly provider: string;
  readonly resources: Readonly<Record<string, Block>>;
}

/** Folders of the resources in the bindings. */
export const RESOURCES = [
  "advanced-cluster",
  "custom-db-role",
  "database-user",
  "network-container",
  "network-peering",
  "project",
  "project-ip-access-list",
] as const;

/** Where the schemas are kept for the provider. */
export const SCHEMAS_FILE = join(__dirname, "schemas.json");

const GETTERS: Readonly<Record<string, Type>> = {
  getStringAttribute: "string",
  getNumberAttribute: "number",
  getBooleanAttribute: "bool",
  getStringMapAttribute: ["map", "string"],
  getListAttribute: ["list", "string"],
};

interface Member {
  readonly name: string;
  readonly flags: Pick<Attribute, "required" | "optional" | "computed">;
  /** The type, or the class of the nested objects. */
  readonly type: Type | { readonly class: string };
}

/** Reads the bindings. */
export function schemasOfBindings(): Schemas {
  const lib = dirname(require.resolve("@cdktf/provider-mongodbatlas/lib/project/index.js"));
  const resources = RESOURCES.map((folder): [string, Block] => {
    const source = sourceOf(join(lib, "..", folder, "index.js"));
    const [, type = ""] = /tfResourceType = "(\w+)"/.exec(source) ?? [];
    const [, main = ""] = /class (\w+) extends cdktf\.TerraformResource/.exec(source) ?? [];
    if (type === "" || main === "") {
      throw new Error(`${folder}: the bindings' index.js has no resource class with a tfResourceType.`);
    }
    return [type, blockOf(main, classesOf(source))];
  });
  const text = readFileSync(join(lib, "..", "provider", "index.js"), "utf8");
  const [, provider = ""] = /providerVersion: '([\d.]+)'/.exec(text) ?? [];
  return { provider, resources: Object.fromEntries(resources) };
}

/** The TypeScript that a file was compiled from: only its comments say which attributes are computed. */
function sourceOf(file: string): string {
  const [, map = ""] = /sourceMappingURL=data:application\/json;base64,(\S+)/.exec(readFileSync(file, "utf8")) ?? [];
  const { sourcesContent = [] } = JSON.parse(Buffer.from(map, "base64").toString() || "{}") as {
    sourcesContent?: string[];
  };
  const [source] = sourcesContent;
  if (source === undefined) {
    throw new Error(`${file}: no source is in its source map, so that the schema cannot be read.`);
  }
  return source;
}

/** Each class's own text. */
function classesOf(source: string): ReadonlyMap<string, string> {
  const parts = source.split(/^(?=export class \w+ extends )/m).slice(1);
  return new Map(parts.map((part) => [/^export class (\w+)/.exec(part)?.[1] ?? "", part]));
}

function blockOf(name: string, classes: ReadonlyMap<string, string>, how: Partial<Block> = {}): Block {
  const members = membersOf(textOf(name, classes));
  const nested = members.flatMap((member) =>
    typeof member.type === "object" && "class" in member.type ? [{ ...member, class: member.type.class }] : [],
  );
  const written = nested.filter(({ flags }) => flags.optional || flags.required);
  return {
    ...how,
    attributes: attributesOf(name, classes, (member) => !written.some((each) => each.name === member.name)),
    blocks: Object.fromEntries(
      written.map((member) => [
        member.name,
        blockOf(objectsOf(member.class), classes, nestingOf(member.class, classes, name)),
      ]),
    ),
  };
}

function attributesOf(
  name: string,
  classes: ReadonlyMap<string, string>,
  keep: (member: Member) => boolean = () => true,
): Record<string, Attribute> {
  return Object.fromEntries(
    membersOf(textOf(name, classes))
      .filter(keep)
      .map(({ name: attribute, flags, type }): [string, Attribute] => {
        if (typeof type === "object" && "class" in type) {
          const { nesting = "single" } = nestingOf(type.class, classes, name);
          return [attribute, { ...flags, nesting, attributes: attributesOf(objectsOf(type.class), classes) }];
        }
        return [attribute, { ...flags, type }];
      }),
  );
}

/** How objects of a class are held: a class of a list says so, a single object with an index was a list of at most one. */
function nestingOf(list: string, classes: ReadonlyMap<string, string>, owner: string): Partial<Block> {
  if (list.endsWith("List")) {
    const [, wraps] = new RegExp(`new ${list}\\(this, "\\w+", (true|false)\\)`).exec(textOf(owner, classes)) ?? [];
    return { nesting: wraps === "true" ? "set" : "list" };
  }
  return /super\(terraformResource, terraformAttribute, false, 0\)/.test(textOf(list, classes))
    ? { nesting: "list", maxItems: 1 }
    : { nesting: "single" };
}

function objectsOf(list: string): string {
  return list.replace(/List$/, "OutputReference");
}

function textOf(name: string, classes: ReadonlyMap<string, string>): string {
  const text = classes.get(name);
  if (text === undefined) {
    throw new Error(`The bindings have no class ${name}.`);
  }
  return text;
}

function membersOf(text: string): Member[] {
  return [...text.matchAll(/\/\/ (\w+) - computed: (\w+), optional: (\w+), required: (\w+)/g)].map(
    ([, name = "", computed, optional, required]) => ({
      name,
      flags: {
        ...(required === "true" ? { required: true as const } : {}),
        ...(optional === "true" ? { optional: true as const } : {}),
        ...(computed === "true" ? { computed: true as const } : {}),
      },
      type: typeOf(name, text),
    }),
  );
}

function typeOf(name: string, text: string): Member["type"] {
  const [, nested] = new RegExp(`new (\\w+(?:List|OutputReference))\\(this, "${name}"`).exec(text) ?? [];
  if (nested !== undefined) {
    return { class: nested };
  }
  if (text.includes(`new cdktf.StringMap(this, "${name}")`)) {
    return ["map", "string"];
  }
  const [, fn, getter = ""] =
    new RegExp(`(cdktf\\.Fn\\.tolist\\()?this\\.(get\\w+Attribute)\\('${name}'\\)`).exec(text) ?? [];
  const type = GETTERS[getter];
  if (type === undefined) {
    throw new Error(`The bindings read ${name} by "${getter}", which has no type here. Add it to GETTERS.`);
  }
  return fn === undefined ? type : ["set", "string"];
}

/** The schemas as the file has them. */
export function schemasText(): string {
  return `${JSON.stringify(schemasOfBindings(), undefined, 2)}\n`;
}

if (require.main === module) {
  writeFileSync(SCHEMAS_FILE, schemasText());
}
