/** Makes the collections and the vector index, in that order, and says whether searches can begin. Safe to call at any time. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "aws-lambda";
import { type Db, MongoError } from "mongodb";
import {
  COLLECTIONS,
  type Collections,
  Database,
  databaseProps,
  databaseVariables,
} from "../../inference-shared/src/database";
import { startProgram } from "../../inference-shared/src/programs";
import { Deadline } from "../../inference-shared/src/retry";
import { INDEX, indexDefinition } from "../../inference-shared/src/search-index";
import { awsVariables, wholeNumber } from "../../shared/environment";

const LOOK_MS = 1_000;
const NAMESPACE_EXISTS = 48;
/** What Atlas says of an index that is there: a name that is taken. */
const INDEX_EXISTS = 68;

/** The state of things afterwards. */
export interface Bootstrapped {
  /** Collections that were made now. */
  readonly created: readonly string[];
  readonly index: {
    readonly name: string;
    /** What was done to it. */
    readonly change: "created" | "updated" | "none";
    /** As Atlas says it: PENDING, BUILDING, READY, FAILED. */
    readonly status: string;
    /** Whether searches find something. An index that is not is being built: call again. */
    readonly queryable: boolean;
  };
}

/** What Atlas tells of a search index. */
interface SearchIndex {
  readonly name: string;
  readonly status?: string;
  readonly queryable?: boolean;
  readonly latestDefinition?: { readonly fields?: readonly Record<string, unknown>[] };
}

const { log, variables } = startProgram("inference-bootstrap", {
  ...awsVariables,
  ...databaseVariables,
  INFERENCE_DIMENSIONS: wholeNumber(64, 4_096, "dimensions").describe("Set the length of the vectors, such as 1024."),
});
const database = new Database(databaseProps(variables, log));

/** Makes what is missing, and waits for the index as long as the function may run. */
export async function handler(_event: unknown, context: Context): Promise<Bootstrapped> {
  const deadline = Deadline.of(context);
  const created = await database.run("create collections", deadline, ({ db }) => createCollections(db));
  await database.run("create indexes", deadline, ({ titles }) =>
    titles.createIndex({ expiresAt: 1 }, { name: "expire", expireAfterSeconds: 0 }),
  );
  const change = await database.run("create the vector index", deadline, ({ products }) => ensureIndex(products));
  let index = await look(deadline);
  while (index?.queryable !== true && index?.status !== "FAILED" && deadline.leftMs > LOOK_MS) {
    await sleep(LOOK_MS);
    index = await look(deadline);
  }
  const { status = "PENDING", queryable = false } = index ?? {};
  const result = { created, index: { name: INDEX, change, status, queryable } };
  log("info", "bootstrapped", { invocationId: context.awsRequestId, ...result });
  return result;
}

function look(deadline: Deadline): Promise<SearchIndex | undefined> {
  return database.run("look at the vector index", deadline, ({ products }) => findIndex(products));
}

/** The collection has to be there before its search index. */
async function createCollections(db: Db): Promise<string[]> {
  const there = new Set((await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name));
  const created: string[] = [];
  for (const name of Object.values(COLLECTIONS).filter((each) => !there.has(each))) {
    const isNew = await db.createCollection(name).then(() => true, unless(NAMESPACE_EXISTS, false));
    created.push(...(isNew ? [name] : []));
  }
  return created;
}

async function ensureIndex(collection: Collections["products"]): Promise<Bootstrapped["index"]["change"]> {
  const definition = indexDefinition(variables.INFERENCE_DIMENSIONS);
  const found = await findIndex(collection);
  if (found === undefined) {
    const index = { name: INDEX, type: "vectorSearch", definition };
    return collection.createSearchIndex(index).then(() => "created" as const, unless(INDEX_EXISTS, "none" as const));
  }
  if (isDefinedSo(found, definition)) {
    return "none";
  }
  await collection.updateSearchIndex(INDEX, definition);
  return "updated";
}

async function findIndex(collection: Collections["products"]): Promise<SearchIndex | undefined> {
  const [found] = await collection.listSearchIndexes(INDEX).toArray();
  return found as SearchIndex | undefined;
}

/** Whether an index has each of our fields, and no other; Atlas may tell more of each than it was told. */
function isDefinedSo({ latestDefinition }: SearchIndex, { fields }: ReturnType<typeof indexDefinition>): boolean {
  const there = latestDefinition?.fields ?? [];
  const isThere = (wanted: Record<string, unknown>) =>
    there.some((field) => Object.entries(wanted).every(([key, value]) => field[key] === value));
  return there.length === fields.length && fields.every(isThere);
}

/** Takes one error for a result: another invocation was faster. */
function unless<T>(code: number, value: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof MongoError && error.code === code) {
      return value;
    }
    throw error;
  };
}
