/** The function inference-products as an artifact. */
import type { Artifact } from "../../modules/platform/artifact";
import { inferenceArtifact } from "../inference-shared/bundle";

/** Builds the function. */
export function productsArtifact(): Artifact {
  return inferenceArtifact("inference-products");
}
