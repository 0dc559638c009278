/** A product as the shop sends it, and as it is stored. */
import { createHash } from "node:crypto";
import { z } from "zod";

/** Characters of a product that its vector is made from. */
const EMBEDDED_CHARACTERS = 8_000;

/** Most products in one request. */
export const MOST_PRODUCTS = 500;

/** An id of the shop: short, printable, and good for a path. */
export const shopId = z
  .string({ error: "expected a text" })
  .regex(/^[\w.~:-]{1,128}$/, { error: "expected 1 to 128 letters, digits and any of _ . ~ : -" });

const words = (longest: number) =>
  z
    .string({ error: "expected a text" })
    .trim()
    .min(1, { error: "expected a text, got an empty one" })
    .max(longest, { error: `expected at most ${longest} characters` });

/** A product as the shop sends it. */
export const product = z.strictObject({
  id: shopId,
  title: words(300),
  description: words(7_500),
  category: words(100).optional(),
  brand: words(100).optional(),
  price: z.number({ error: "expected a number" }).min(0, { error: "expected 0 or more" }).max(1e9).optional(),
  currency: z
    .string({ error: "expected a text" })
    .regex(/^[A-Z]{3}$/, { error: "expected three letters of ISO 4217, such as KRW" })
    .optional(),
  tags: z.array(words(60), { error: "expected a list of texts" }).max(30, { error: "expected at most 30" }).optional(),
});

/** A product as the shop sends it. */
export type Product = z.output<typeof product>;

/** A batch of products. */
export const productList = z.strictObject({
  products: z
    .array(product, { error: "expected a list of products" })
    .min(1, { error: "expected one product or more" }),
});

/** A product that was taken in. */
export interface Accepted {
  readonly product: Product;
  /** When the API took it in: of two that are on the way, the later one stays. */
  readonly acceptedAt: Date;
}

/** What came of one. */
export type Stored = "created" | "updated" | "unchanged" | "superseded";

/** A product in the database. */
export interface StoredProduct extends Omit<Product, "id"> {
  readonly _id: string;
  /** SHA-256 of the content and of what it is made into. */
  readonly hash: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly augmentation: string;
  /** Source and model of the vector: vectors of different ones do not compare. */
  readonly space: string;
  readonly acceptedAt: Date;
  readonly updatedAt: Date;
  /** Times that it was written. */
  readonly revision: number;
}

/** The vector of a product. */
export interface Embedded {
  readonly embedding: readonly number[];
}

/**
 * The content hash of a product: another text, price or tag is another hash, and so is another model.
 *
 * @param space source and model of the vectors
 */
export function contentHash(content: Product, space: string): string {
  const { id: _, ...rest } = content;
  const sorted = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([space, sorted]))
    .digest("hex");
}

/** What of a product its vector stands for: the models read no more of a text than that. */
export function embeddedText({ title, description, category, brand, tags = [] }: Product): string {
  return [title, brand, category, tags.join(", "), description]
    .filter(Boolean)
    .join("\n")
    .slice(0, EMBEDDED_CHARACTERS);
}
