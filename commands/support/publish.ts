/** Building a container image and pushing it to ECR under the hash of its sources, unless it is there. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type ECRClient, RepositoryNotFoundException } from "@aws-sdk/client-ecr";
import type { Settings } from "../../modules/platform/settings";
import { Problem } from "./problem";
import {
  type Docker,
  digestOf,
  type EcrImage,
  type Following,
  findDocker,
  pushToEcr,
  putManifestInEcr,
} from "./registry";
import { shell } from "./shell";

/** NVIDIA's base alone is several gigabytes to fetch. */
const BUILD_MS = 3_600_000;
const PLATFORM = "linux/amd64";

/** An image and what it is built from. */
export interface ImageToPublish extends EcrImage {
  /** Folder of the build context. */
  readonly context: string;
  /** Path of the Dockerfile in the context. */
  readonly dockerfile: string;
  /** Platform that it is for, such as `linux/arm64`. @default linux/amd64 */
  readonly platform?: string;
}

/** What became of it. */
export interface Published {
  /** Digest under which ECR has it. */
  readonly digest: string;
  /** Whether it was built and pushed now. */
  readonly pushed: boolean;
}

/** How it is done, and told. */
export interface PublishOptions {
  /** The environment's settings: on stand-ins no layers are pushed. */
  readonly settings: Pick<Settings, "standIns" | "environment">;
  readonly ecr: ECRClient;
  /** The environment that leads docker to an engine. */
  readonly env: NodeJS.ProcessEnv;
  /** Called with what is done next. */
  readonly say: (text: string) => void;
  readonly following: Following;
}

/**
 * Builds and pushes an image whose tag ECR does not have.
 *
 * @throws Problem when the repository, the context, docker or its engine is not there, or the build or the push fails
 */
export async function publishImage(image: ImageToPublish, options: PublishOptions): Promise<Published> {
  const { ecr, env, following, say, settings } = options;
  const name = `${image.repository}:${image.tag}`;
  const there = await digestIn(ecr, image, settings.environment);
  if (there !== undefined) {
    return { digest: there, pushed: false };
  }
  const docker = await buildImage(name, image, { env, following, say });
  say(`pushing ${name}`);
  const digest = settings.standIns
    ? await putManifestInEcr(ecr, docker, name, image)
    : await pushToEcr(ecr, docker, name, image, following);
  return { digest, pushed: true };
}

/**
 * Builds an image with this machine's engine.
 *
 * @param name what the engine calls it, with a tag
 * @returns the engine that has it
 * @throws Problem when the context, docker or its engine is not there, or the build fails
 */
export async function buildImage(
  name: string,
  image: Pick<ImageToPublish, "context" | "dockerfile" | "platform">,
  { env, following, say }: Pick<PublishOptions, "env" | "following" | "say">,
): Promise<Docker> {
  const file = join(image.context, image.dockerfile);
  if (!existsSync(file)) {
    throw new Problem(
      `${name} cannot be built: ${file} is not there.`,
      "Synthesize in this checkout, which lays the sources out, then deploy from it again.",
    );
  }
  const docker = findDocker(env);
  say(`building ${name}`);
  const args = ["build", "--platform", image.platform ?? PLATFORM, "--tag", name, "--file", file, image.context];
  await shell(docker.program, args, {
    ...following,
    // An image with an attestation beside it is an index, which Lambda does not take.
    env: { ...env, BUILDX_NO_DEFAULT_ATTESTATIONS: "1" },
    timeoutMs: BUILD_MS,
    remedy:
      "The engine needs its registries and package indexes, and some 30 GB of disk for Denoise's; or set the image's uri in the settings to one built elsewhere.",
  });
  return docker;
}

async function digestIn(
  ecr: ECRClient,
  { repository, tag }: EcrImage,
  environment: string,
): Promise<string | undefined> {
  try {
    return await digestOf(ecr, repository, tag);
  } catch (error) {
    if (error instanceof RepositoryNotFoundException) {
      throw new Problem(
        `There is no repository ${repository} for the image.`,
        `Deploy the stack that makes it first: ENVIRONMENT=${environment} npx cdktf deploy`,
      );
    }
    throw error;
  }
}
