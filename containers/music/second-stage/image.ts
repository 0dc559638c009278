/** The image `music-second-stage`. */
import type { ArtifactFile } from "../../../modules/platform/artifact";
import { type ImageSource, imageSource } from "../../../modules/platform/image-source";
import { MUSIC_MODELS_PATH, type MusicProgram, pythonFiles } from "../program";

/** The second stage: the pipeline's steps reach it; it reaches the volume, and nothing else. About 30 GB of GPU memory. */
export const SECOND_STAGE: MusicProgram = {
  name: "second-stage",
  port: 8002,
  command: ["python3", "-m", "second_stage"],
  environment: {
    // `small` is the small model, on the processor.
    MUSIC_GENERATOR: "riffusion",
    MUSIC_RIFFUSION_DIR: `${MUSIC_MODELS_PATH}/riffusion`,
    MUSIC_DEVICE: "cuda",
  },
  secrets: [],
};

/** Everything that the Dockerfile copies, and the Dockerfile. */
export function secondStageContext(): readonly ArtifactFile[] {
  const packages = ["common/music_common", "second-stage/second_stage"];
  return pythonFiles("gpu.Dockerfile", ["requirements-gpu.lock"], packages);
}

/** The image's sources, laid out as a build context. */
export function secondStageImage(): ImageSource {
  return imageSource("music-second-stage", secondStageContext());
}
