/** A DynamoDB table billed by request, with point-in-time recovery. */
import { DynamodbTable } from "@cdktf/provider-aws/lib/dynamodb-table";
import { Construct } from "constructs";

/** A key of strings: a partition key and, where there is one, a sort key. */
export interface TableKey {
  readonly partition: string;
  /** @default - none */
  readonly sort?: string;
}

export interface TableProps {
  /** Physical name. */
  readonly name: string;
  /** Primary key. */
  readonly key: TableKey;
  /** Global secondary indexes by name, each projecting all attributes. @default - none */
  readonly indexes?: Readonly<Record<string, TableKey>>;
  /** Attribute with the epoch second after which an item is deleted. @default - items stay */
  readonly ttlAttribute?: string;
  /** Protects the table from deletion, by Terraform and by AWS. @default true */
  readonly protect?: boolean;
}

/** A table whose key attributes are strings. */
export class Table extends Construct {
  /** Name of the table. */
  readonly name: string;
  /** ARN of the table. */
  readonly arn: string;

  constructor(scope: Construct, id: string, props: TableProps) {
    super(scope, id);
    const protect = props.protect ?? true;
    const keys = [props.key, ...Object.values(props.indexes ?? {})];
    const attributes = new Set(keys.flatMap(({ partition, sort }) => (sort ? [partition, sort] : [partition])));
    const table = new DynamodbTable(this, "Resource", {
      name: props.name,
      billingMode: "PAY_PER_REQUEST",
      hashKey: props.key.partition,
      rangeKey: props.key.sort,
      attribute: [...attributes].sort().map((name) => ({ name, type: "S" })),
      pointInTimeRecovery: { enabled: true },
      ttl: props.ttlAttribute ? { attributeName: props.ttlAttribute, enabled: true } : undefined,
      deletionProtectionEnabled: protect,
      lifecycle: { preventDestroy: protect },
    });
    if (props.indexes) {
      // The bindings are older than `key_schema`, whose predecessors warn in every plan.
      table.addOverride("global_secondary_index", Object.entries(props.indexes).map(indexBlock));
    }
    this.name = table.name;
    this.arn = table.arn;
  }
}

function indexBlock([name, { partition, sort }]: [string, TableKey]) {
  return {
    name,
    projection_type: "ALL",
    key_schema: [
      { attribute_name: partition, key_type: "HASH" },
      ...(sort ? [{ attribute_name: sort, key_type: "RANGE" }] : []),
    ],
  };
}
