/** The page's files, which the image takes and Flask serves. */
import type { ArtifactFile } from "../../../modules/platform/artifact";
import { flatPage } from "../../../web/bundle";

/** The files, flat: `index.html` at `/`, the rest below `/page/`. */
export function pageFiles(): ArtifactFile[] {
  return flatPage(__dirname);
}
