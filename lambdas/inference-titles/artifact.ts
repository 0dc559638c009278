/** The function inference-titles as an artifact. */
import type { Artifact } from "../../modules/platform/artifact";
import { inferenceArtifact } from "../inference-shared/bundle";

/** Builds the function. */
export function titlesArtifact(): Artifact {
  return inferenceArtifact("inference-titles");
}
