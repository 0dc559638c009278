/** Texts to vectors: by Bedrock, or by the GPU tier where the settings say so. */
import { z } from "zod";
import { text, wholeNumber } from "../../shared/environment";
import type { Bedrock } from "./bedrock";
import type { GpuTier } from "./gpu-tier";
import type { Deadline } from "./retry";

/** Calls of Bedrock at a time: a Titan model takes one text a call. */
const AT_ONCE = 5;

/** Variables of a function that makes vectors. */
export const embeddingVariables = {
  INFERENCE_EMBEDDINGS: z
    .enum(["bedrock", "gpu"], { error: "expected bedrock or gpu" })
    .describe("Set it to what makes the vectors."),
  INFERENCE_EMBEDDING_MODEL: text().describe("Set it to the id of a model, such as amazon.titan-embed-text-v2:0."),
  INFERENCE_DIMENSIONS: wholeNumber(64, 4_096, "dimensions").describe("Set the length of the vectors, such as 1024."),
};

/** A text that is found, or one that is searched with: some models of the GPU tier tell them apart. */
export type TextKind = "document" | "query";

/** What makes vectors. */
export interface Embedder {
  /** Source, model and length: vectors of different ones do not compare. */
  readonly space: string;
  /**
   * Vectors of texts, in their order. A text that fails does not keep the others from theirs.
   *
   * @throws nothing: each failure is in its place
   */
  embed(texts: readonly string[], kind: TextKind, deadline: Deadline): Promise<PromiseSettledResult<number[]>[]>;
}

/** Makes the one that the variables say. */
export function createEmbedder(
  variables: z.output<z.ZodObject<typeof embeddingVariables>>,
  { bedrock, gpu }: { readonly bedrock: Bedrock; readonly gpu: GpuTier },
): Embedder {
  const {
    INFERENCE_EMBEDDINGS: source,
    INFERENCE_EMBEDDING_MODEL: model,
    INFERENCE_DIMENSIONS: dimensions,
  } = variables;
  const space = `${source}/${model}/${dimensions}`;
  if (source === "gpu") {
    return {
      space,
      embed: (texts, kind, deadline) => together(texts, () => gpu.embed(dimensions, texts, kind, deadline)),
    };
  }
  return {
    space,
    embed: (texts, _kind, deadline) =>
      eachOf(texts, AT_ONCE, (each) => bedrock.embed(model, dimensions, each, deadline)),
  };
}

async function together(
  texts: readonly string[],
  work: () => Promise<number[][]>,
): Promise<PromiseSettledResult<number[]>[]> {
  const [all] = await Promise.allSettled([work()]);
  return texts.map((_, index) =>
    all.status === "fulfilled" ? { status: "fulfilled", value: all.value[index] ?? [] } : all,
  );
}

/** Works on all, so many at a time, and gives what came of each in their order. */
export async function eachOf<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const results: PromiseSettledResult<R>[] = [];
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < items.length; index = next++) {
      const [result] = await Promise.allSettled([work(items[index] as T)]);
      results[index] = result;
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return results;
}
