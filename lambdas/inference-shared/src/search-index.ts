/** The vector index of the products, as Atlas is told it. */

/** Name of the index. */
export const INDEX = "products-vector";
/** Field of the vector. */
export const VECTOR_PATH = "embedding";
/** Fields that a search may be narrowed by; `space` always is. */
export const FILTERS = ["space", "category", "brand", "currency", "price", "tags"] as const;

/**
 * The definition of the index.
 *
 * @param dimensions length of the vectors
 */
export function indexDefinition(dimensions: number): { fields: Record<string, unknown>[] } {
  return {
    fields: [
      { type: "vector", path: VECTOR_PATH, numDimensions: dimensions, similarity: "cosine" },
      ...FILTERS.map((path) => ({ type: "filter", path })),
    ],
  };
}
