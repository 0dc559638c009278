/** The image of the function ML-XGBoost: what it is built from. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ArtifactFile, filesBelow } from "../../modules/platform/artifact";
import { type ImageSource, imageSource, isShipped } from "../../modules/platform/image-source";

const FOLDER = "lambdas/ml-xgboost";
/** What Python runs with: the part of the context that is in the image as it is. */
const PROGRAM = /^(ml_xgboost|model)\//;

/** What the image's command names: the handler, as Lambda's runtime takes it. */
export const ML_HANDLER = "ml_xgboost.handler.handler";

/** The image's sources, laid out as a build context. */
export function mlXgboostImage(): ImageSource {
  return imageSource("ml-xgboost", contextFiles());
}

/** Every file that the Dockerfile copies, and the Dockerfile: nothing else is in the context. */
export function contextFiles(): readonly ArtifactFile[] {
  const tops = ["Dockerfile", "requirements.lock"].map((path) => ({ path, content: readFileSync(join(FOLDER, path)) }));
  return [...tops, ...programFiles()];
}

/** The function as it lies in the image's `/var/task`, without its packages. */
export function programFiles(): readonly ArtifactFile[] {
  return filesBelow(FOLDER, (path) => PROGRAM.test(path) && isShipped(path));
}
