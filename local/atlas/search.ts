/** Search indexes and `$vectorSearch`, as Atlas has them: an exact scan in place of the index. README.md says what that does not show. */
import { randomBytes } from "node:crypto";
import type { Db, Document } from "mongodb";

/** Time that an index takes to be built, in milliseconds. */
const BUILD_MS = 300;
const MOST_CANDIDATES = 10_000;

/** An error as a server tells it. */
export class CommandError extends Error {
  constructor(
    readonly code: number,
    readonly codeName: string,
    message: string,
  ) {
    super(message);
  }
}

interface Field {
  readonly type: string;
  readonly path: string;
  readonly numDimensions?: number;
  readonly similarity?: string;
}

interface Index {
  readonly id: string;
  readonly name: string;
  definition: { readonly fields: readonly Field[] };
  /** When searches find something, as Date.now() has it. */
  readyAt: number;
}

/** A stage of a pipeline that begins here. */
interface VectorSearch {
  readonly index: string;
  readonly path: string;
  readonly queryVector: readonly number[];
  readonly numCandidates: number;
  readonly limit: number;
  readonly filter?: Document;
}

/** The indexes of every collection, in memory. */
export class SearchIndexes {
  private readonly byCollection = new Map<string, Map<string, Index>>();

  /** `createSearchIndexes`. */
  async create(db: Db, collection: string, wanted: readonly Document[]): Promise<Document> {
    const [found] = await db.listCollections({ name: collection }).toArray();
    if (!found) {
      throw new CommandError(26, "NamespaceNotFound", `Collection '${db.databaseName}.${collection}' does not exist.`);
    }
    const there = this.of(db, collection);
    const made = wanted.map(({ name = "default", type, definition }) => {
      if (there.has(name)) {
        throw new CommandError(68, "IndexAlreadyExists", `Index ${name} already exists.`);
      }
      if (type !== "vectorSearch") {
        throw new CommandError(115, "CommandNotSupported", `the stand-in has no indexes of type ${type}`);
      }
      const index: Index = {
        id: randomBytes(12).toString("hex"),
        name,
        definition: checkedDefinition(definition),
        readyAt: Date.now() + BUILD_MS,
      };
      there.set(name, index);
      return { id: index.id, name };
    });
    return { ok: 1, indexesCreated: made };
  }

  /** `updateSearchIndex`. */
  update(db: Db, collection: string, name: string, definition: Document): Document {
    const index = this.find(db, collection, name);
    index.definition = checkedDefinition(definition);
    index.readyAt = Date.now() + BUILD_MS;
    return { ok: 1 };
  }

  /** `dropSearchIndex`. */
  drop(db: Db, collection: string, name: string): Document {
    this.find(db, collection, name);
    this.of(db, collection).delete(name);
    return { ok: 1 };
  }

  /** `$listSearchIndexes`. */
  list(db: Db, collection: string, name: string | undefined): Document[] {
    return [...this.of(db, collection).values()]
      .filter((index) => name === undefined || index.name === name)
      .map(({ id, name: own, definition, readyAt }) => {
        const isReady = Date.now() >= readyAt;
        const status = isReady ? "READY" : "PENDING";
        return { id, name: own, type: "vectorSearch", status, queryable: isReady, latestDefinition: definition };
      });
  }

  /** `$vectorSearch`, with the stages after it. */
  async search(db: Db, collection: string, pipeline: readonly Document[]): Promise<Document[]> {
    const [{ $vectorSearch: stage } = {}, ...rest] = pipeline;
    const { index: name, path, queryVector, numCandidates, limit, filter = {} } = stage as VectorSearch;
    const index = this.of(db, collection).get(name);
    if (index === undefined || Date.now() < index.readyAt) {
      // Atlas has no error for it: there is nothing to find.
      return [];
    }
    checkStage(index.definition.fields, stage as VectorSearch);
    const documents = await db.collection(collection).find(filter).toArray();
    const ranked = documents
      .filter((document) => Array.isArray(document[path]) && document[path].length === queryVector.length)
      .map((document) => ({ document, score: (1 + cosine(queryVector, document[path])) / 2 }))
      .sort((a, b) => b.score - a.score)
      .slice(0, Math.min(limit, numCandidates));
    return rest.reduce<readonly Ranked[]>(applyStage, ranked).map(({ document }) => document);
  }

  private find(db: Db, collection: string, name: string): Index {
    const index = this.of(db, collection).get(name);
    if (!index) {
      throw new CommandError(27, "IndexNotFound", `Index ${name} not found.`);
    }
    return index;
  }

  private of(db: Db, collection: string): Map<string, Index> {
    const key = `${db.databaseName}.${collection}`;
    const there = this.byCollection.get(key) ?? new Map<string, Index>();
    this.byCollection.set(key, there);
    return there;
  }
}

function checkedDefinition(definition: Document): Index["definition"] {
  const fields = (definition.fields ?? []) as Field[];
  const [vector, another] = fields.filter(({ type }) => type === "vector");
  if (!vector || another || vector.similarity !== "cosine" || !(Number(vector.numDimensions) <= 8_192)) {
    const expected = "the stand-in expects one vector field, of cosine similarity and at most 8192 dimensions";
    throw new CommandError(9, "FailedToParse", expected);
  }
  return { fields };
}

/** What Atlas refuses. */
function checkStage(fields: readonly Field[], { path, queryVector, numCandidates, limit, filter = {} }: VectorSearch) {
  const vector = fields.find((field) => field.type === "vector" && field.path === path);
  const refused = (message: string) => new CommandError(8, "UnknownError", `PlanExecutor error :: ${message}`);
  if (!vector) {
    throw refused(`Path '${path}' needs to be indexed as vector`);
  }
  if (queryVector.length !== vector.numDimensions) {
    const lengths = `indexed with ${vector.numDimensions} dimensions but queried with ${queryVector.length}`;
    throw refused(`vector field is ${lengths}`);
  }
  if (!(limit >= 1 && limit <= numCandidates && numCandidates <= MOST_CANDIDATES)) {
    throw refused(`"limit" has to be 1 to numCandidates, and that at most ${MOST_CANDIDATES}`);
  }
  for (const used of pathsOf(filter)) {
    if (!fields.some((field) => field.type === "filter" && field.path === used)) {
      throw refused(`Path '${used}' needs to be indexed as filter`);
    }
  }
}

/** The fields that a filter looks at. */
function pathsOf(filter: Document): string[] {
  return Object.entries(filter).flatMap(([key, value]) => {
    if (["$and", "$or", "$nor"].includes(key)) {
      return (value as Document[]).flatMap(pathsOf);
    }
    if (key.startsWith("$")) {
      throw new CommandError(9, "FailedToParse", `the stand-in has no operator ${key}`);
    }
    return [key];
  });
}

interface Ranked {
  readonly document: Document;
  readonly score: number;
}

function applyStage(ranked: readonly Ranked[], stage: Document): readonly Ranked[] {
  const [[operator = "", argument] = []] = Object.entries(stage);
  if (operator === "$limit") {
    return ranked.slice(0, Number(argument));
  }
  if (operator === "$project") {
    return ranked.map((each) => ({ ...each, document: project(each, argument as Document) }));
  }
  throw new CommandError(
    40_324,
    "Location40324",
    `the stand-in has $project and $limit after $vectorSearch, not ${operator}`,
  );
}

/** Fields that are kept, and the score. */
function project({ document, score }: Ranked, wanted: Document): Document {
  const whole: Document = { _id: 1, ...wanted };
  const kept = Object.keys(whole).flatMap((path): [string, unknown][] => {
    const how = whole[path];
    if (how?.$meta === "vectorSearchScore") {
      return [[path, score]];
    }
    if (how === 0 && path === "_id") {
      return [];
    }
    if (how !== 1) {
      const expected = 'the stand-in projects fields with 1, and { $meta: "vectorSearchScore" }';
      throw new CommandError(9, "FailedToParse", expected);
    }
    return path in document ? [[path, document[path]]] : [];
  });
  return Object.fromEntries(kept);
}

function cosine(a: readonly number[], b: readonly number[]): number {
  let [dot, lengthA, lengthB] = [0, 0, 0];
  for (let index = 0; index < a.length; index++) {
    const [x = 0, y = 0] = [a[index], b[index]];
    dot += x * y;
    lengthA += x * x;
    lengthB += y * y;
  }
  return lengthA > 0 && lengthB > 0 ? dot / Math.sqrt(lengthA * lengthB) : 0;
}
