/** The image `music-pipeline`: what the steps of the pipeline run in. Kubeflow Pipelines gives the command. */
import type { ArtifactFile } from "../../../modules/platform/artifact";
import { type ImageSource, imageSource } from "../../../modules/platform/image-source";
import { pythonFiles } from "../program";

/** Variables of the steps, and their defaults: how long a step tries, one call may take, and two attempts are apart at most. */
export const PIPELINE_ENVIRONMENT = {
  MUSIC_STEP_SECONDS: "1800",
  MUSIC_CALL_SECONDS: "660",
  MUSIC_LONGEST_WAIT_SECONDS: "20",
} as const;

/** The compiled pipeline, relative to the project; the back's image has it too. */
export const PIPELINE_FILE = "containers/music/pipeline/music_pipeline/music.yaml";

/** Everything that the Dockerfile copies, and the Dockerfile. */
export function pipelineContext(): readonly ArtifactFile[] {
  const packages = ["common/music_common", "pipeline/music_pipeline"];
  return pythonFiles("python.Dockerfile", ["requirements-build.lock", "requirements.lock"], packages);
}

/** The image's sources, laid out as a build context. */
export function pipelineImage(): ImageSource {
  return imageSource("music-pipeline", pipelineContext());
}
