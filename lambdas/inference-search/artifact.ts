/** The function inference-search as an artifact. */
import type { Artifact } from "../../modules/platform/artifact";
import { inferenceArtifact } from "../inference-shared/bundle";

/** Builds the function. */
export function searchArtifact(): Artifact {
  return inferenceArtifact("inference-search");
}
