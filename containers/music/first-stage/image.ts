/** The image `music-first-stage`. */
import type { ArtifactFile } from "../../../modules/platform/artifact";
import { type ImageSource, imageSource } from "../../../modules/platform/image-source";
import { MUSIC_MODELS_PATH, type MusicProgram, pythonFiles } from "../program";

/** The first stage: the pipeline's steps reach it; it reaches the volume, and nothing else. About 10 GB of GPU memory. */
export const FIRST_STAGE: MusicProgram = {
  name: "first-stage",
  port: 8001,
  command: ["python3", "-m", "first_stage"],
  environment: {
    // `sphinx` and `vader` are the small models, on the processor.
    MUSIC_TRANSCRIBER: "whisper",
    MUSIC_WHISPER_DIR: `${MUSIC_MODELS_PATH}/whisper-large-v3`,
    MUSIC_CLASSIFIER: "transformer",
    MUSIC_CLASSIFIER_DIR: `${MUSIC_MODELS_PATH}/sentiment`,
    MUSIC_DEVICE: "cuda",
  },
  secrets: [],
};

/** Everything that the Dockerfile copies, and the Dockerfile. */
export function firstStageContext(): readonly ArtifactFile[] {
  const packages = ["common/music_common", "first-stage/first_stage"];
  return pythonFiles("gpu.Dockerfile", ["requirements-gpu.lock"], packages);
}

/** The image's sources, laid out as a build context. */
export function firstStageImage(): ImageSource {
  return imageSource("music-first-stage", firstStageContext());
}
