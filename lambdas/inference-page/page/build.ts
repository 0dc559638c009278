/** The page's files, which are in the function's bundle. */
import type { ArtifactFile } from "../../../modules/platform/artifact";
import { flatPage } from "../../../web/bundle";

/** The files, flat: `index.html` at `/`, the rest below `/page/`. */
export function pageFiles(): ArtifactFile[] {
  return flatPage(__dirname);
}
