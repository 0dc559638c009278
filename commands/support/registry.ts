/** Container images on their way into ECR: whether they are there, pushing them, and what stands in for a push. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  DescribeImagesCommand,
  DescribeRepositoriesCommand,
  type ECRClient,
  GetAuthorizationTokenCommand,
  ImageNotFoundException,
  PutImageCommand,
} from "@aws-sdk/client-ecr";
import { z } from "zod";
import { Problem } from "./problem";
import { type ShellOptions, shell, which } from "./shell";

const PUSH_MS = 900_000;
const PROBE_MS = 20_000;
const MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json";

/** Where the docker command is, and the environment that leads it to an engine. */
export interface Docker {
  readonly program: string;
  readonly env: NodeJS.ProcessEnv;
}

/** How long steps are followed and ended. */
export type Following = Pick<ShellOptions, "log" | "signal" | "onLine">;

/** An image as ECR knows it. */
export interface EcrImage {
  /** Name of the repository. */
  readonly repository: string;
  readonly tag: string;
}

/** @throws Problem when there is no docker command */
export function findDocker(env: NodeJS.ProcessEnv): Docker {
  const program = which("docker", env);
  if (program === undefined) {
    throw new Problem("docker is not on PATH: images are built with it.", "Install it, and start its engine.");
  }
  return { program, env };
}

/**
 * The digest of an image in ECR, or undefined when its repository holds no such tag.
 *
 * @throws RepositoryNotFoundException when there is no such repository
 */
export async function digestOf(ecr: ECRClient, repositoryName: string, imageTag: string): Promise<string | undefined> {
  try {
    const { imageDetails = [] } = await ecr.send(
      new DescribeImagesCommand({ repositoryName, imageIds: [{ imageTag }] }),
    );
    return imageDetails[0]?.imageDigest;
  } catch (error) {
    if (error instanceof ImageNotFoundException) {
      return undefined;
    }
    throw error;
  }
}

/** Whether the engine has an image under this name. */
export async function hasImage({ env, program }: Docker, image: string, signal?: AbortSignal): Promise<boolean> {
  const args = ["image", "inspect", "--format", "{{.Id}}", image];
  const found = await shell(program, args, { env, timeoutMs: PROBE_MS, ...(signal ? { signal } : {}) }).then(
    () => true,
    () => false,
  );
  signal?.throwIfAborted();
  return found;
}

/**
 * Pushes a built image, with a token that only this push has.
 *
 * @param local the image's name in the engine
 * @param image where it goes
 * @returns the digest under which it is pulled
 */
export async function pushToEcr(
  ecr: ECRClient,
  docker: Docker,
  local: string,
  image: EcrImage,
  following: Following,
): Promise<string> {
  const remote = `${await repositoryUri(ecr, image.repository)}:${image.tag}`;
  const folder = mkdtempSync(join(tmpdir(), "docker-"));
  try {
    const registry = remote.split("/")[0] ?? "";
    const auths = { [registry]: { auth: await authorization(ecr) } };
    writeFileSync(join(folder, "config.json"), JSON.stringify({ auths }), { mode: 0o600 });
    const how = { ...following, env: { ...docker.env, DOCKER_CONFIG: folder } };
    await shell(docker.program, ["tag", local, remote], { ...how, timeoutMs: PROBE_MS });
    await shell(docker.program, ["push", "--quiet", remote], {
      ...how,
      timeoutMs: PUSH_MS,
      remedy: `${registry} has to be reachable from the engine, and this identity needs ecr:PutImage on the repository.`,
    });
    await shell(docker.program, ["image", "rm", remote], { ...how, timeoutMs: PROBE_MS });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return requireDigest(ecr, image);
}

/**
 * Stands in for a push where ECR is a stand-in, behind which no registry takes layers: names the built image's parts as the engine knows
 * them.
 *
 * @param local the image's name in the engine
 * @param image where it goes
 * @returns the digest under which ECR lists it
 */
export async function putManifestInEcr(
  ecr: ECRClient,
  docker: Docker,
  local: string,
  image: EcrImage,
): Promise<string> {
  const output = await shell(docker.program, ["image", "inspect", local], {
    env: docker.env,
    timeoutMs: PROBE_MS,
    quiet: true,
  });
  const [parts] = inspected.parse(JSON.parse(output));
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: { mediaType: "application/vnd.docker.container.image.v1+json", digest: parts.Id, size: parts.Size },
    layers: parts.RootFS.Layers.map((digest) => ({
      mediaType: "application/vnd.docker.image.rootfs.diff.tar",
      digest,
      size: 0,
    })),
  });
  await ecr.send(
    new PutImageCommand({
      repositoryName: image.repository,
      imageTag: image.tag,
      imageManifest: manifest,
      imageManifestMediaType: MANIFEST_TYPE,
      imageDigest: `sha256:${createHash("sha256").update(manifest).digest("hex")}`,
    }),
  );
  return requireDigest(ecr, image);
}

const inspected = z.tuple([
  z.object({ Id: z.string(), Size: z.number(), RootFS: z.object({ Layers: z.array(z.string()) }) }),
]);

async function requireDigest(ecr: ECRClient, image: EcrImage): Promise<string> {
  const digest = await digestOf(ecr, image.repository, image.tag);
  if (digest === undefined) {
    throw new Problem(`ECR does not list ${image.repository}:${image.tag} after it was pushed.`, "Run it again.");
  }
  return digest;
}

async function repositoryUri(ecr: ECRClient, name: string): Promise<string> {
  const query = { repositoryNames: [name] };
  const { repositories = [] } = await ecr.send(new DescribeRepositoriesCommand(query));
  return repositories[0]?.repositoryUri ?? "";
}

/** What Docker sends to the registry: base64 of a user and a token that lives for twelve hours. */
async function authorization(ecr: ECRClient): Promise<string> {
  const { authorizationData = [] } = await ecr.send(new GetAuthorizationTokenCommand({}));
  return authorizationData[0]?.authorizationToken ?? "";
}
