/** A table restored to a point in time into a table of its own, held against the original, and deleted again. */
import { isDeepStrictEqual } from "node:util";
import {
  DeleteTableCommand,
  DescribeContinuousBackupsCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  type KeySchemaElement,
  RestoreTableToPointInTimeCommand,
  type TableDescription,
  UpdateTableCommand,
} from "@aws-sdk/client-dynamodb";
import { BatchGetCommand, type DynamoDBDocumentClient, paginateScan } from "@aws-sdk/lib-dynamodb";
import { Problem } from "../problem";
import type { Drill } from "./drill";

const POLL_MS = 5_000;
/** A restore takes AWS twenty minutes even for an empty table, and hours for a large one. */
const RESTORE_MS = 6 * 3_600_000;
const DELETE_MS = 900_000;
/** What DynamoDB reads at once. */
const BATCH = 100;
/** Attempts at what DynamoDB leaves unprocessed when it is busy. */
const ATTEMPTS = 5;
/** Share of the sample that may be missing: what was written in the minutes that cannot be restored yet. */
const MAY_BE_MISSING = 0.05;

type Item = Record<string, unknown>;

/** How a table is drilled. */
export interface TableDrillOptions {
  readonly tables: DynamoDBClient;
  readonly items: DynamoDBDocumentClient;
  /** The original. It is read, and nothing else. */
  readonly table: string;
  /** How many of its items are compared. */
  readonly sample: number;
  /** The moment. @default - the latest that can be restored */
  readonly at?: Date;
  /** Pause between looks. @default 5000 */
  readonly pollMs?: number;
}

/** What came of it. */
export interface TableDrillResult {
  readonly table: string;
  /** The moment that was restored. */
  readonly restoredTo: string;
  /** Items of the original that were looked up in the restored table. */
  readonly compared: number;
  readonly same: number;
  /** Changed in the original since. */
  readonly changed: number;
  /** Not in the restored table: made since. */
  readonly missing: number;
}

/** @throws Problem when the table cannot be restored, or the restored one is not what it was */
export async function drillTable(drill: Drill, options: TableDrillOptions): Promise<TableDrillResult> {
  const { tables, items, table, sample } = options;
  const original = await drill.step(`${table}: described`, () => describe(tables, table));
  const at = await drill.step(`${table}: can be restored`, () => restorableTo(tables, table, options.at));
  const known = await drill.step(`${table}: up to ${sample} items read`, () => sampleOf(items, table, sample));
  const target = drill.own(`${table}-${drill.mark}`);
  let isMade = false;
  try {
    await drill.step(`restored to ${at.toISOString()} into ${target}`, async () => {
      await tables.send(
        new RestoreTableToPointInTimeCommand({
          SourceTableName: table,
          TargetTableName: target,
          ...(options.at ? { RestoreDateTime: at } : { UseLatestRestorableTime: true }),
        }),
      );
      isMade = true;
      const isActive = async () => (await describe(tables, target)).TableStatus === "ACTIVE";
      await drill.until(`${target} is ACTIVE`, isActive, options.pollMs ?? POLL_MS, RESTORE_MS);
    });
    return await drill.step("held against the original", async () => {
      checkShape(original, await describe(tables, target));
      const found = await lookUp(items, target, known, keysOf(original));
      const counts = countOf(known, found, keysOf(original));
      checkCounts(table, counts);
      return { table, restoredTo: at.toISOString(), ...counts };
    });
  } finally {
    if (isMade) {
      await drill.cleanUp(`${target} deleted`, () => remove(drill, tables, target, options.pollMs ?? POLL_MS));
    }
  }
}

async function describe(tables: DynamoDBClient, name: string): Promise<TableDescription> {
  try {
    const { Table = {} } = await tables.send(new DescribeTableCommand({ TableName: name }));
    return Table;
  } catch (error) {
    throw (error as Error).name === "ResourceNotFoundException"
      ? new Problem(`There is no table ${name} in this account and region.`, "Name another, or deploy its stack.")
      : error;
  }
}

async function restorableTo(tables: DynamoDBClient, name: string, at?: Date): Promise<Date> {
  const { ContinuousBackupsDescription: backups } = await tables.send(
    new DescribeContinuousBackupsCommand({ TableName: name }),
  );
  const recovery = backups?.PointInTimeRecoveryDescription;
  const { EarliestRestorableDateTime: earliest, LatestRestorableDateTime: latest } = recovery ?? {};
  if (recovery?.PointInTimeRecoveryStatus !== "ENABLED" || !earliest || !latest) {
    throw new Problem(
      `${name} has no point-in-time recovery: nothing of it can be restored.`,
      "constructs/table.ts switches it on for every table: apply the table's stack.",
    );
  }
  if (at && (at < earliest || at > latest)) {
    throw new Problem(
      `--at ${at.toISOString()}: ${name} can be restored from ${earliest.toISOString()} to ${latest.toISOString()}.`,
      "Choose a moment between them, or leave --at out.",
    );
  }
  return at ?? latest;
}

async function sampleOf(items: DynamoDBDocumentClient, name: string, size: number): Promise<Item[]> {
  const found: Item[] = [];
  for await (const { Items = [] } of paginateScan({ client: items, pageSize: BATCH }, { TableName: name })) {
    found.push(...Items);
    if (found.length >= size) {
      break;
    }
  }
  return found.slice(0, size);
}

/** Items of the restored table with the keys of the sample. */
async function lookUp(
  items: DynamoDBDocumentClient,
  name: string,
  known: readonly Item[],
  keys: readonly string[],
): Promise<Item[]> {
  const found: Item[] = [];
  for (let at = 0; at < known.length; at += BATCH) {
    let wanted: Item[] | undefined = known.slice(at, at + BATCH).map((item) => pick(item, keys));
    for (let attempt = 1; wanted && wanted.length > 0; attempt++) {
      if (attempt > ATTEMPTS) {
        throw new Problem(`${name} does not answer for ${wanted.length} items.`, "Run the drill again later.");
      }
      const {
        Responses,
        UnprocessedKeys,
      }: { Responses?: Record<string, Item[]>; UnprocessedKeys?: Record<string, { Keys?: Item[] | undefined }> } =
        await items.send(new BatchGetCommand({ RequestItems: { [name]: { Keys: wanted, ConsistentRead: true } } }));
      found.push(...(Responses?.[name] ?? []));
      wanted = UnprocessedKeys?.[name]?.Keys;
    }
  }
  return found;
}

function countOf(known: readonly Item[], found: readonly Item[], keys: readonly string[]) {
  const byKey = new Map(found.map((item) => [JSON.stringify(pick(item, keys)), item]));
  const restored = known.map((item) => byKey.get(JSON.stringify(pick(item, keys))));
  const same = restored.filter((item, index) => item && isDeepStrictEqual(item, known[index])).length;
  const missing = restored.filter((item) => item === undefined).length;
  return { compared: known.length, same, changed: known.length - same - missing, missing };
}

function checkCounts(table: string, { compared, missing }: { compared: number; missing: number }): void {
  if (missing > compared * MAY_BE_MISSING) {
    throw new Problem(
      `Of ${compared} items of ${table}, ${missing} are not in the restored table.`,
      "Were they all made in the last minutes? Run it again; if it stays so, the restore does not hold what it should.",
    );
  }
}

/** @throws Problem when keys or indexes differ */
function checkShape(original: TableDescription, restored: TableDescription): void {
  const [before, after] = [original, restored].map(shapeOf);
  if (!isDeepStrictEqual(before, after)) {
    throw new Problem(
      `The restored table has other keys or indexes: ${JSON.stringify(after)} instead of ${JSON.stringify(before)}.`,
      "Compare them in the console before you rely on restoring.",
    );
  }
}

function shapeOf({ KeySchema = [], GlobalSecondaryIndexes = [] }: TableDescription) {
  const keys = (schema: readonly KeySchemaElement[]) =>
    schema.map(({ AttributeName, KeyType }) => [AttributeName, KeyType]);
  return {
    keys: keys(KeySchema),
    indexes: GlobalSecondaryIndexes.map(({ IndexName, KeySchema: schema = [], Projection }) => ({
      name: IndexName,
      keys: keys(schema),
      projection: Projection?.ProjectionType,
    })).sort((a, b) => String(a.name).localeCompare(String(b.name))),
  };
}

function keysOf({ KeySchema = [] }: TableDescription): string[] {
  return KeySchema.map(({ AttributeName = "" }) => AttributeName);
}

function pick(item: Item, keys: readonly string[]): Item {
  return Object.fromEntries(keys.map((key) => [key, item[key]]));
}

/** Deletes the drill's table and waits until it is gone. One that is still being restored cannot be deleted. */
async function remove(drill: Drill, tables: DynamoDBClient, target: string, pollMs: number): Promise<void> {
  const TableName = drill.own(target);
  const { TableStatus, DeletionProtectionEnabled } = await describe(tables, target);
  if (TableStatus === "CREATING") {
    throw new Problem(
      `${target} is still being restored, and cannot be deleted before it is ACTIVE.`,
      `Delete it then: aws dynamodb delete-table --table-name ${target}`,
    );
  }
  if (DeletionProtectionEnabled) {
    await tables.send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled: false }));
  }
  await tables.send(new DeleteTableCommand({ TableName }));
  const end = Date.now() + DELETE_MS;
  while (await isThere(tables, target)) {
    if (Date.now() > end) {
      throw new Problem(`${target} is still being deleted.`, "Look again in a few minutes that it is gone.");
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

async function isThere(tables: DynamoDBClient, name: string): Promise<boolean> {
  try {
    await tables.send(new DescribeTableCommand({ TableName: name }));
    return true;
  } catch (error) {
    if ((error as Error).name === "ResourceNotFoundException") {
      return false;
    }
    throw error;
  }
}
