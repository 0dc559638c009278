/** The function inference-batches as an artifact. */
import type { Artifact } from "../../modules/platform/artifact";
import { inferenceArtifact } from "../inference-shared/bundle";

/** Builds the function. */
export function batchesArtifact(): Artifact {
  return inferenceArtifact("inference-batches");
}
