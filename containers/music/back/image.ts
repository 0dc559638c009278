/** The image `music-back`. */
import type { ArtifactFile } from "../../../modules/platform/artifact";
import { type ImageSource, imageSource } from "../../../modules/platform/image-source";
import { type MusicProgram, pythonFiles } from "../program";

/** The back: the front reaches it; it reaches Kubeflow Pipelines' API, and the volume. */
export const BACK: MusicProgram = {
  name: "back",
  port: 8000,
  command: ["python3", "-m", "music_back"],
  environment: {
    MUSIC_KUBEFLOW: "http://ml-pipeline.kubeflow:8888",
    MUSIC_FIRST_STAGE: "http://first-stage:8001",
    MUSIC_SECOND_STAGE: "http://second-stage:8002",
    // The image of the pipeline's steps with registry and tag, and the namespace's quota of GPUs: a deployment gives its own.
    MUSIC_PIPELINE_IMAGE: "music-pipeline-python",
    MUSIC_GPU_QUOTA: "4",
  },
  secrets: ["MUSIC_SESSION_KEY"],
};

/** Everything that the Dockerfile copies, and the Dockerfile. */
export function backContext(): readonly ArtifactFile[] {
  const packages = ["common/music_common", "back/music_back", "pipeline/music_pipeline"];
  return pythonFiles("python.Dockerfile", ["requirements-build.lock", "requirements.lock"], packages);
}

/** The image's sources, laid out as a build context. */
export function backImage(): ImageSource {
  return imageSource("music-back", backContext());
}
