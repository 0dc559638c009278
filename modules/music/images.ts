/** Container images of the Music pipeline: a repository for each, and what the deployment builds into it. */
import type { Construct } from "constructs";
import { ContainerImage } from "../../constructs/container-image";
import { ImageRepository } from "../../constructs/image-repository";
import { backImage } from "../../containers/music/back/image";
import { firstStageImage } from "../../containers/music/first-stage/image";
import { frontImage } from "../../containers/music/front/image";
import { pipelineImage } from "../../containers/music/pipeline/image";
import { secondStageImage } from "../../containers/music/second-stage/image";
import { repositoryOf } from "../platform/ecs-permissions";
import type { ImageSource } from "../platform/image-source";
import type { Settings } from "../platform/settings";
import { PREFIX, type ServiceName, STEP_REPOSITORY } from "./names";
import type { MusicSettings } from "./settings";

/** A program as `music.services.images` calls it. */
export type ImageName = keyof MusicSettings["services"]["images"];

/** An image that pods run. */
export interface PodImage {
  /** Registry and name, with a tag or digest. */
  readonly uri: string;
  /** ARN of the ECR repository that nodes pull it from. */
  readonly repositoryArn: string;
}

/** What an image is built from, and where it goes. */
interface OwnImage {
  /** What the ids of its constructs begin with. */
  readonly id: ServiceName | "step";
  readonly repository: string;
  readonly source: () => ImageSource;
}

const OWN_IMAGES: Readonly<Record<ImageName, OwnImage>> = {
  front: { id: "front", repository: `${PREFIX}-front`, source: frontImage },
  back: { id: "back", repository: `${PREFIX}-back`, source: backImage },
  firstStage: { id: "first-stage", repository: `${PREFIX}-first-stage`, source: firstStageImage },
  secondStage: { id: "second-stage", repository: `${PREFIX}-second-stage`, source: secondStageImage },
  step: { id: "step", repository: STEP_REPOSITORY, source: pipelineImage },
};

/**
 * Makes all repositories, and builds what no setting gives. A service that goes back to its own image finds its repository.
 *
 * @param scope the stack that owns them
 * @param settings the environment's settings
 */
export function createImages(scope: Construct, settings: Settings): Readonly<Record<ImageName, PodImage>> {
  const entries = Object.entries(OWN_IMAGES) as [ImageName, OwnImage][];
  return Object.fromEntries(
    entries.map(([name, own]) => [name, createImage(scope, settings, own, settings.music.services.images[name])]),
  ) as Record<ImageName, PodImage>;
}

function createImage(scope: Construct, settings: Settings, own: OwnImage, given: string | undefined): PodImage {
  const { environment, protectData, music } = settings;
  const repository = new ImageRepository(scope, `${own.id}-repository`, {
    name: own.repository,
    keep: music.storage.keptImages,
    protect: protectData,
  });
  if (given !== undefined) {
    return { uri: given, repositoryArn: repositoryOf(given) ?? repository.arn };
  }
  const image = new ContainerImage(scope, `${own.id}-image`, {
    ...own.source(),
    repository: own.repository,
    repositoryUrl: repository.url,
    environment,
  });
  return { uri: image.uri, repositoryArn: repository.arn };
}
