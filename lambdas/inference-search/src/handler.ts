/** `POST /products/search`: products by meaning, as an HTTP API's Lambda integration, payload format 2.0. */
import { z } from "zod";
import { Database, databaseProps } from "../../inference-shared/src/database";
import { internal, NAMESPACE } from "../../inference-shared/src/problems";
import { createOwnEmbedder, startProgram, storeVariables } from "../../inference-shared/src/programs";
import { checked, jsonBody } from "../../inference-shared/src/request";
import { Deadline } from "../../inference-shared/src/retry";
import { INDEX, VECTOR_PATH } from "../../inference-shared/src/search-index";
import { httpHandler } from "../../shared/http";

/** Neighbours that are looked at for each that is wanted, and fewest and most of them. */
const CANDIDATES_EACH = 20;
const FEWEST_CANDIDATES = 100;
const MOST_CANDIDATES = 10_000;

const name = z.string({ error: "expected a text" }).min(1).max(100);
const names = z.union([name.transform((only) => [only]), z.array(name).min(1).max(20)], {
  error: "expected a text, or 1 to 20 of them",
});
const amount = z.number({ error: "expected a number" }).min(0);

const search = z.strictObject({
  query: z
    .string({ error: "expected a text" })
    .trim()
    .min(1, { error: "expected a text, got an empty one" })
    .max(1_000),
  limit: z
    .int({ error: "expected a whole number" })
    .min(1, { error: "expected 1 to 50" })
    .max(50, { error: "expected 1 to 50" })
    .default(10),
  filter: z
    .strictObject({
      category: names.optional(),
      brand: names.optional(),
      tags: names.optional(),
      currency: names.optional(),
      price: z.strictObject({ min: amount.optional(), max: amount.optional() }).optional(),
    })
    .default({}),
});

const { log, variables } = startProgram("inference-search", storeVariables);
const database = new Database(databaseProps(variables, log));
const embedder = createOwnEmbedder(variables, log);

/** Answers one request. */
export const handler = httpHandler({
  namespace: NAMESPACE,
  log,
  unexpected: internal,
  work: async (event, context) => {
    const { query, limit, filter } = checked(search, jsonBody(event));
    const deadline = Deadline.of(context);
    const [vector] = await embedder.embed([query], "query", deadline);
    if (vector?.status !== "fulfilled") {
      throw vector?.reason;
    }
    const products = await database.run("search", deadline, (collections) =>
      collections.products.aggregate(pipelineOf(vector.value, limit, filterOf(filter, embedder.space))).toArray(),
    );
    return { status: 200, document: { products: products.map(shown) }, about: { found: products.length, limit } };
  },
});

/** The pipeline, in the shape that Atlas has it. */
function pipelineOf(queryVector: readonly number[], limit: number, filter: object) {
  const numCandidates = Math.min(MOST_CANDIDATES, Math.max(FEWEST_CANDIDATES, limit * CANDIDATES_EACH));
  const score = { $meta: "vectorSearchScore" };
  const whole = [
    "title",
    "description",
    "category",
    "brand",
    "price",
    "currency",
    "tags",
    "attributes",
    "augmentation",
  ];
  return [
    { $vectorSearch: { index: INDEX, path: VECTOR_PATH, queryVector, numCandidates, limit, filter } },
    { $project: { ...Object.fromEntries(whole.map((field) => [field, 1])), score } },
  ];
}

function filterOf({ price, ...sets }: z.output<typeof search>["filter"], space: string): object {
  const chosen = Object.entries(sets).flatMap(([field, values]) => (values ? [{ [field]: { $in: values } }] : []));
  const bounds = {
    ...(price?.min === undefined ? {} : { $gte: price.min }),
    ...(price?.max === undefined ? {} : { $lte: price.max }),
  };
  const priced = Object.keys(bounds).length > 0 ? [{ price: bounds }] : [];
  // Vectors of another model do not compare.
  return { $and: [{ space: { $eq: space } }, ...chosen, ...priced] };
}

function shown({ _id, score, ...product }: Record<string, unknown>): object {
  return { id: _id, score, ...product };
}
