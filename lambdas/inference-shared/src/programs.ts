/** What more than one of the functions is made of. */
import { z } from "zod";
import { awsVariables, readEnvironment } from "../../shared/environment";
import { createLog, type Log } from "../../shared/log";
import { Bedrock } from "./bedrock";
import { Database, databaseProps, databaseVariables } from "./database";
import { createEmbedder, type Embedder, embeddingVariables } from "./embedder";
import { GpuTier } from "./gpu-tier";
import type { StoreProps } from "./store";

/** Variables of a function that stores products. */
export const storeVariables = {
  ...awsVariables,
  ...databaseVariables,
  ...embeddingVariables,
  INFERENCE_GPU_URL: z.url({ error: "expected a URL" }).describe("Set it to the output serviceUrl of inference-gpu."),
};

type StoreVariables = z.output<z.ZodObject<typeof storeVariables>>;

/** Reads a function's variables and opens its log. */
export function startProgram<S extends Readonly<Record<string, z.ZodType>>>(
  program: string,
  shape: S,
): { readonly log: Log; readonly variables: z.output<z.ZodObject<S>> } {
  return { log: createLog(program), variables: readEnvironment(program, z.object(shape), process.env) };
}

/** Bedrock, as the variables say where it is. */
export function createBedrock(
  { AWS_REGION, AWS_ENDPOINT_URL }: z.output<z.ZodObject<typeof awsVariables>>,
  log: Log,
): Bedrock {
  return new Bedrock({ region: AWS_REGION, endpoint: AWS_ENDPOINT_URL, log });
}

/** What makes vectors, for a function that has no other use for the GPU tier. */
export function createOwnEmbedder(variables: StoreVariables, log: Log): Embedder {
  return createEmbedder(variables, {
    bedrock: createBedrock(variables, log),
    gpu: new GpuTier(variables.INFERENCE_GPU_URL, log),
  });
}

/** What products are stored with. */
export function createStore(variables: StoreVariables, log: Log): StoreProps {
  return {
    database: new Database(databaseProps(variables, log)),
    embedder: createOwnEmbedder(variables, log),
    gpu: new GpuTier(variables.INFERENCE_GPU_URL, log),
  };
}
