/** The function inference-page as an artifact: the page's files are in it. */
import type { Artifact } from "../../modules/platform/artifact";
import { inferenceArtifact } from "../inference-shared/bundle";
import { pageFiles } from "./page/build";

/** Builds the function. */
export function pageArtifact(): Artifact {
  return inferenceArtifact("inference-page", () => pageFiles().map((file) => ({ ...file, path: `page/${file.path}` })));
}
