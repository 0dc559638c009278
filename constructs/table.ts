/** A DynamoDB table billed by request, with point-in-time recovery. */
import { DynamodbTable } from "@cdktf/provider-aws/lib/dynamodb-table";
import { Construct } from "constructs";
import { exception } from "./exception";

/** A key: a partition key, which is a string, and, where there is one, a sort key. */
export interface TableKey {
  readonly partition: string;
  /** @default - none */
  readonly sort?: string;
  /** Type of the sort key: `S` for strings, `N` for numbers. @default "S" */
  readonly sortType?: "S" | "N";
}

/** Another key of the same items. */
export interface TableIndex extends TableKey {
  /** Whether the index holds nothing of an item but its keys, which makes it cheap to write. @default false */
  readonly keysOnly?: boolean;
}

export interface TableProps {
  /** Physical name. */
  readonly name: string;
  /** Primary key. */
  readonly key: TableKey;
  /** Global secondary indexes by name, each projecting all attributes unless it says otherwise. @default - none */
  readonly indexes?: Readonly<Record<string, TableIndex>>;
  /** Attribute with the epoch second after which an item is deleted. @default - items stay */
  readonly ttlAttribute?: string;
  /** Protects the table from deletion, by Terraform and by AWS. @default true */
  readonly protect?: boolean;
}

/** A table with its indexes. */
export class Table extends Construct {
  /** Name of the table. */
  readonly name: string;
  /** ARN of the table. */
  readonly arn: string;

  constructor(scope: Construct, id: string, props: TableProps) {
    super(scope, id);
    const protect = props.protect ?? true;
    const table = new DynamodbTable(this, "Resource", {
      name: props.name,
      billingMode: "PAY_PER_REQUEST",
      hashKey: props.key.partition,
      rangeKey: props.key.sort,
      attribute: attributesOf([props.key, ...Object.values(props.indexes ?? {})]),
      pointInTimeRecovery: { enabled: true },
      ttl: props.ttlAttribute ? { attributeName: props.ttlAttribute, enabled: true } : undefined,
      deletionProtectionEnabled: protect,
      lifecycle: { preventDestroy: protect },
    });
    exception(table, "CKV_AWS_119", "DynamoDB encrypts every table; a key of our own would be one more thing to lose.");
    if (props.indexes) {
      // The bindings are older than `key_schema`, whose predecessors warn in every plan.
      table.addOverride("global_secondary_index", Object.entries(props.indexes).map(indexBlock));
    }
    this.name = table.name;
    this.arn = table.arn;
  }
}

/**
 * The attributes of keys, each once.
 *
 * @throws Error when two keys give one attribute different types
 */
function attributesOf(keys: readonly TableKey[]): { name: string; type: string }[] {
  const types = new Map<string, string>();
  const declared = keys.flatMap(({ partition, sort, sortType = "S" }) => [
    [partition, "S"] as const,
    ...(sort ? [[sort, sortType] as const] : []),
  ]);
  for (const [name, type] of declared) {
    if ((types.get(name) ?? type) !== type) {
      throw new Error(`attribute "${name}" is both ${types.get(name)} and ${type}. Give it one type in every key.`);
    }
    types.set(name, type);
  }
  return [...types].sort().map(([name, type]) => ({ name, type }));
}

function indexBlock([name, { partition, sort, keysOnly = false }]: [string, TableIndex]) {
  return {
    name,
    projection_type: keysOnly ? "KEYS_ONLY" : "ALL",
    key_schema: [
      { attribute_name: partition, key_type: "HASH" },
      ...(sort ? [{ attribute_name: sort, key_type: "RANGE" }] : []),
    ],
  };
}
