/** The table of functions: see docs/protocol.md. */
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import {
  DeleteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";
import { type Page, type PageRequest, queryPage } from "./paging";
import type { FunctionFields } from "./schemas";

/** An item of the table. */
export interface FunctionItem extends FunctionFields {
  readonly functionId: string;
  readonly tenant: string;
  readonly version: number;
  /** Key of the zip in the code bucket. */
  readonly codeKey: string;
  readonly codeSha256: string;
  readonly codeBytes: number;
  /** Whether the zip has a requirements.txt or a package.json that names any. */
  readonly hasDependencies: boolean;
  /** The job that resolves them, once it is queued. */
  readonly buildJobId?: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** Key of a version's zip in the code bucket. */
export function codeKey(tenant: string, functionId: string, version: number): string {
  return `functions/${tenant}/${functionId}/${version}.zip`;
}

/** Key of a version's resolved dependencies in the code bucket. */
export function dependenciesKey(tenant: string, functionId: string, version: number): string {
  return `dependencies/${tenant}/${functionId}/${version}.zip`;
}

export class FunctionsTable {
  constructor(
    private readonly dynamo: DynamoDBDocumentClient,
    private readonly table: string,
  ) {}

  /** Adds a function. */
  async create(item: FunctionItem): Promise<void> {
    await this.dynamo.send(new PutCommand({ TableName: this.table, Item: item }));
  }

  /** The tenant's function of that id; undefined where there is none, or it is another tenant's. */
  async find(tenant: string, functionId: string): Promise<FunctionItem | undefined> {
    const reply = await this.dynamo.send(
      new GetCommand({ TableName: this.table, Key: { functionId }, ConsistentRead: true }),
    );
    const item = reply.Item as FunctionItem | undefined;
    return item?.tenant === tenant ? item : undefined;
  }

  /** A page of the tenant's functions, newest first: all, or those of one name. */
  list(tenant: string, page: PageRequest, name?: string): Promise<Page<FunctionItem>> {
    return queryPage<FunctionItem>(this.dynamo, {
      table: this.table,
      keyName: "functionId",
      tenant,
      page,
      equal: { name },
    });
  }

  /** Notes the job that resolves a version's dependencies; does nothing when there is a newer version, or none any more. */
  async noteBuild({ functionId, version }: FunctionItem, buildJobId: string): Promise<void> {
    await holds(
      this.dynamo.send(
        new UpdateCommand({
          TableName: this.table,
          Key: { functionId },
          UpdateExpression: "SET buildJobId = :job",
          ConditionExpression: "version = :version",
          ExpressionAttributeValues: { ":job": buildJobId, ":version": version },
        }),
      ),
    );
  }

  /** Replaces a function by its newer version; false when there is a version as new already, or no function any more. */
  replace(item: FunctionItem): Promise<boolean> {
    return holds(
      this.dynamo.send(
        new PutCommand({
          TableName: this.table,
          Item: item,
          // The second half lets a write through that the client repeats after a lost answer.
          ConditionExpression:
            "tenant = :tenant AND (version < :version OR (version = :version AND updatedAt = :updated))",
          ExpressionAttributeValues: { ":tenant": item.tenant, ":version": item.version, ":updated": item.updatedAt },
        }),
      ),
    );
  }

  /** Removes a function; false when it has changed since it was read. */
  remove({ functionId, tenant, version }: FunctionItem): Promise<boolean> {
    return holds(
      this.dynamo.send(
        new DeleteCommand({
          TableName: this.table,
          Key: { functionId },
          ConditionExpression: "tenant = :tenant AND version = :version",
          ExpressionAttributeValues: { ":tenant": tenant, ":version": version },
        }),
      ),
    );
  }
}

async function holds(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) {
      return false;
    }
    throw error;
  }
}
