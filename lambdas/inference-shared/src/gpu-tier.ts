/** The GPU tier of the cluster: embeddings and attributes of products, in batches, over HTTP inside of the VPC. */
import { z } from "zod";
import type { Log } from "../../shared/log";
import type { TextKind } from "./embedder";
import { badAnswer, internal, throttled, unavailable } from "./problems";
import { type Deadline, isTimeout, withRetries } from "./retry";

/** Longest that one batch may take, in milliseconds. */
const ANSWER_MS = 10_000;
/** Most texts, or products, in one request. */
const BATCH = 32;
const NAME = "The GPU tier";

const embeddings = z.object({
  model: z.string().min(1),
  dimensions: z.int(),
  embeddings: z.array(z.array(z.number())),
});
const attributes = z.object({
  model: z.string().min(1),
  products: z.array(
    z.object({ id: z.string(), attributes: z.record(z.string(), z.unknown()), augmentation: z.string() }),
  ),
});

/** What of a product the tier is shown. */
export interface Described {
  readonly id: string;
  readonly title: string;
  readonly description: string;
}

/** What the tier infers about a product. */
export interface Inferred {
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Words that describe the product further. */
  readonly augmentation: string;
}

/** An answer that is an error. */
class TierError extends Error {
  constructor(
    readonly status: number,
    path: string,
  ) {
    super(`POST ${path}: status ${status}`);
    this.name = "TierError";
  }
}

export class GpuTier {
  /** @param url address of the tier's load balancer */
  constructor(
    private readonly url: string,
    private readonly log: Log,
  ) {}

  /**
   * Vectors of texts, in their order.
   *
   * @throws Problem 429 when the tier is full, 503 when it does not answer, 502 when it answers something else
   */
  async embed(dimensions: number, texts: readonly string[], kind: TextKind, deadline: Deadline): Promise<number[][]> {
    const vectors: number[][] = [];
    for (const batch of batchesOf(texts)) {
      const { embeddings: got } = await this.post("/embeddings", { texts: batch, kind }, embeddings, deadline);
      if (got.length !== batch.length || got.some((vector) => vector.length !== dimensions)) {
        const came = `${got.length} of ${got[0]?.length}`;
        throw badAnswer(NAME, `expected ${batch.length} vectors of ${dimensions} numbers, got ${came}`);
      }
      vectors.push(...got);
    }
    return vectors;
  }

  /**
   * What is inferred about products, by id.
   *
   * @throws Problem as {@link embed} does
   */
  async infer(products: readonly Described[], deadline: Deadline): Promise<ReadonlyMap<string, Inferred>> {
    const inferred = new Map<string, Inferred>();
    for (const batch of batchesOf(products)) {
      const answer = await this.post("/attributes", { products: batch }, attributes, deadline);
      for (const { id, ...rest } of answer.products) {
        inferred.set(id, rest);
      }
    }
    const missing = products.find(({ id }) => !inferred.has(id));
    if (missing) {
      throw badAnswer(NAME, `expected attributes of ${JSON.stringify(missing.id)}, got none`);
    }
    return inferred;
  }

  private async post<T>(path: string, body: object, shape: z.ZodType<T>, deadline: Deadline): Promise<T> {
    const retry = { what: `gpu tier ${path}`, deadline, log: this.log, passes: mayPass, attemptMs: ANSWER_MS };
    try {
      const document = await withRetries(retry, async (signal) => {
        const response = await fetch(new URL(path, this.url), {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
          signal,
        });
        const text = await response.text();
        if (!response.ok) {
          throw new TierError(response.status, path);
        }
        return JSON.parse(text) as unknown;
      });
      const parsed = shape.safeParse(document);
      if (!parsed.success) {
        throw badAnswer(NAME, "its answer has another shape", parsed.error);
      }
      return parsed.data;
    } catch (error) {
      if (error instanceof TierError && error.status === 429) {
        throw throttled(NAME, error);
      }
      if (error instanceof SyntaxError) {
        throw badAnswer(NAME, "expected JSON, got something else", error);
      }
      throw mayPass(error) ? unavailable(NAME, error) : asIs(error);
    }
  }
}

function asIs(error: unknown): unknown {
  return error instanceof TierError ? internal(error) : error;
}

function mayPass(error: unknown): boolean {
  if (error instanceof TierError) {
    return error.status === 429 || error.status >= 500;
  }
  // What fetch throws where nothing answers.
  return isTimeout(error) || (error instanceof TypeError && error.message === "fetch failed");
}

function batchesOf<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / BATCH) }, (_, index) =>
    items.slice(index * BATCH, (index + 1) * BATCH),
  );
}
