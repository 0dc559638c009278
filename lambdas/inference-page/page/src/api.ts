/** The API, as the page uses it. */
import { ApiProblem, type ProblemDocument } from "../../../../web/src/api-problem";

/** Longest that an answer may take: API Gateway's own limit is 30 s. */
const ANSWER_MS = 35_000;

/** A product as it is added. */
export interface Product {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly category?: string;
  readonly price?: number;
}

/** A product that was found. */
export interface Found extends Product {
  /** 0 to 1: how near it is to what was asked for. */
  readonly score: number;
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly augmentation?: string;
}

/** What came of a product that was added. */
export interface Stored {
  readonly id: string;
  readonly status: string;
}

/** Narrows a search. */
export interface Filter {
  readonly category?: string;
  readonly price?: { readonly max: number };
}

/** Calls to the API that serves the page, with a token where it asks for one. */
export class Api {
  constructor(private readonly token: string) {}

  async add(product: Product): Promise<Stored> {
    const { products } = await this.post<{ products: Stored[] }>("/products", product);
    return products[0] ?? { id: product.id, status: "unknown" };
  }

  async search(query: string, filter: Filter): Promise<readonly Found[]> {
    return (await this.post<{ products: Found[] }>("/products/search", { query, filter, limit: 10 })).products;
  }

  async title(
    cartId: string,
    titles: readonly string[],
  ): Promise<{ readonly title: string; readonly cached: boolean }> {
    return this.post(`/carts/${encodeURIComponent(cartId)}/title`, { items: titles.map((title) => ({ title })) });
  }

  private async post<T>(path: string, body: object): Promise<T> {
    const response = await fetch(path, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", ...(this.token ? { authorization: `Bearer ${this.token}` } : {}) },
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const text = await response.text();
    const document = parsed(text);
    if (!response.ok || document === undefined) {
      throw new ApiProblem(response.status, document ?? { detail: `An answer that is no JSON: ${text.slice(0, 100)}` });
    }
    return document as T;
  }
}

function parsed(text: string): ProblemDocument | undefined {
  try {
    return JSON.parse(text) as ProblemDocument;
  } catch {
    return undefined;
  }
}
