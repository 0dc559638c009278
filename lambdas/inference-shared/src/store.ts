/** Products into the database: what is new or has changed is embedded, described and written; what has not costs nothing. */
import { type Database, isDuplicate } from "./database";
import { type Embedder, eachOf } from "./embedder";
import type { GpuTier, Inferred } from "./gpu-tier";
import { type Accepted, contentHash, embeddedText, type Stored } from "./product";
import type { Deadline } from "./retry";

/** Writes at a time. */
const WRITES = 5;

/** What the store works with. */
export interface StoreProps {
  readonly database: Database;
  readonly embedder: Embedder;
  readonly gpu: GpuTier;
}

/** A product with its hash. */
interface Hashed extends Accepted {
  readonly hash: string;
}

/** A product that is ready to be written. */
interface Made extends Hashed, Inferred {
  readonly embedding: readonly number[];
}

/**
 * Stores products, each for itself.
 *
 * @returns what came of each, in their order; a failure is a Problem, or an error that nobody expected
 */
export async function storeProducts(
  accepted: readonly Accepted[],
  { database, embedder, gpu }: StoreProps,
  deadline: Deadline,
): Promise<PromiseSettledResult<Stored>[]> {
  const hashed = accepted.map((each) => ({ ...each, hash: contentHash(each.product, embedder.space) }));
  const known = await hashesOf(
    database,
    hashed.map(({ product }) => product.id),
    deadline,
  );
  const changed = hashed.filter(({ product, hash }) => known.get(product.id) !== hash);
  const made = await make(changed, embedder, gpu, deadline);
  const written = await eachOf(made, WRITES, async (each) => {
    if (each.status === "rejected") {
      throw each.reason;
    }
    return write(database, each.value, embedder.space, deadline);
  });
  const outcomes = new Map(changed.map((each, index) => [each, written[index]]));
  return hashed.map((each) => outcomes.get(each) ?? { status: "fulfilled", value: "unchanged" });
}

async function hashesOf(
  database: Database,
  ids: readonly string[],
  deadline: Deadline,
): Promise<ReadonlyMap<string, string>> {
  const found = await database.run("read hashes", deadline, ({ products }) =>
    products.find({ _id: { $in: [...ids] } }, { projection: { hash: 1 } }).toArray(),
  );
  return new Map(found.map(({ _id, hash }) => [_id, hash]));
}

/** Vectors and attributes side by side: neither needs the other. */
async function make(
  changed: readonly Hashed[],
  embedder: Embedder,
  gpu: GpuTier,
  deadline: Deadline,
): Promise<PromiseSettledResult<Made>[]> {
  if (changed.length === 0) {
    return [];
  }
  const described = changed.map(({ product: { id, title, description } }) => ({ id, title, description }));
  const [vectors, [inferred]] = await Promise.all([
    embedder.embed(
      changed.map(({ product }) => embeddedText(product)),
      "document",
      deadline,
    ),
    Promise.allSettled([gpu.infer(described, deadline)]),
  ]);
  return changed.map((each, index) => {
    const vector = vectors[index];
    if (vector?.status !== "fulfilled") {
      return vector ?? { status: "rejected", reason: new Error("no vector was made") };
    }
    if (inferred.status === "rejected") {
      return inferred;
    }
    const { attributes = {}, augmentation = "" } = inferred.value.get(each.product.id) ?? {};
    return { status: "fulfilled", value: { ...each, embedding: vector.value, attributes, augmentation } };
  });
}

/**
 * Writes a product unless the same, or a later one, is there. A write whose answer was lost can be sent again: it finds its own hash, and
 * nothing is written twice.
 */
async function write(
  database: Database,
  { product, hash, acceptedAt, embedding, attributes, augmentation }: Made,
  space: string,
  deadline: Deadline,
): Promise<Stored> {
  const { id, ...content } = product;
  const fields = { ...content, hash, attributes, augmentation, embedding, space, acceptedAt, updatedAt: new Date() };
  const left = ["category", "brand", "price", "currency", "tags"].filter((name) => !(name in content));
  return database.run("write a product", deadline, async ({ products }) => {
    try {
      const { upsertedCount } = await products.updateOne(
        { _id: id, hash: { $ne: hash }, acceptedAt: { $lte: acceptedAt } },
        {
          $set: fields,
          $inc: { revision: 1 },
          ...(left.length > 0 ? { $unset: Object.fromEntries(left.map((name) => [name, ""])) } : {}),
        },
        { upsert: true },
      );
      return upsertedCount > 0 ? "created" : "updated";
    } catch (error) {
      if (!isDuplicate(error)) {
        throw error;
      }
      const there = await products.findOne({ _id: id }, { projection: { hash: 1 } });
      return there?.hash === hash ? "unchanged" : "superseded";
    }
  });
}
