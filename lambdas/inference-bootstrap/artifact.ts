/** The function inference-bootstrap as an artifact. */
import type { Artifact } from "../../modules/platform/artifact";
import { inferenceArtifact } from "../inference-shared/bundle";

/** Builds the function. */
export function bootstrapArtifact(): Artifact {
  return inferenceArtifact("inference-bootstrap");
}
