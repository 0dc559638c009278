/** The sandbox images of this checkout: how they are built, how they get into ECR, and whether they are there. */
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
import { type Runtime, runtimeImage, runtimeRepository, runtimeTag } from "../../userdata/worker/artifact";
import { Problem } from "./problem";
import { type ShellOptions, shell } from "./shell";

const BUILD_MS = 900_000;
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

/**
 * The digest under which ECR has this checkout's image of a runtime, or undefined when it was not pushed.
 *
 * @throws RepositoryNotFoundException before nanogrid-data is deployed
 */
export function pushedDigest(ecr: ECRClient, runtime: Runtime): Promise<string | undefined> {
  return digestOf(ecr, runtimeRepository(runtime), runtimeTag(runtime));
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

/** Builds this checkout's image of a runtime, under the name that its content gives, unless the engine has it. */
export async function buildImage(
  project: string,
  { env }: Docker,
  runtime: Runtime,
  following: Following,
): Promise<void> {
  const script = join(project, "userdata", "worker", "runtimes", "build");
  const args = ["--runtime", runtime, "--tag", runtimeImage(runtime)];
  await shell(script, args, { ...following, cwd: project, env, timeoutMs: BUILD_MS });
}

/**
 * Pushes a built image to ECR under its content's tag, with a token that only this push has.
 *
 * @returns the digest under which workers pull it
 */
export async function pushImage(
  ecr: ECRClient,
  docker: Docker,
  runtime: Runtime,
  following: Following,
): Promise<string> {
  const remote = `${await repositoryUri(ecr, runtime)}:${runtimeTag(runtime)}`;
  const folder = mkdtempSync(join(tmpdir(), "docker-"));
  try {
    const registry = remote.split("/")[0] ?? "";
    const auths = { [registry]: { auth: await authorization(ecr) } };
    writeFileSync(join(folder, "config.json"), JSON.stringify({ auths }), { mode: 0o600 });
    const how = { ...following, env: { ...docker.env, DOCKER_CONFIG: folder } };
    await shell(docker.program, ["tag", runtimeImage(runtime), remote], { ...how, timeoutMs: PROBE_MS });
    await shell(docker.program, ["push", "--quiet", remote], {
      ...how,
      timeoutMs: PUSH_MS,
      remedy: `${registry} has to be reachable from the engine, and this identity needs ecr:PutImage on the repository.`,
    });
    await shell(docker.program, ["image", "rm", remote], { ...how, timeoutMs: PROBE_MS });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return requireDigest(ecr, runtime);
}

/**
 * Stands in for a push where ECR is a stand-in, behind which no registry takes layers: names the built image's parts as the engine knows
 * them.
 *
 * @returns the digest that a worker's environment will name
 */
export async function putManifest(ecr: ECRClient, docker: Docker, runtime: Runtime): Promise<string> {
  const output = await shell(docker.program, ["image", "inspect", runtimeImage(runtime)], {
    env: docker.env,
    timeoutMs: PROBE_MS,
    quiet: true,
  });
  const [image] = inspected.parse(JSON.parse(output));
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: { mediaType: "application/vnd.docker.container.image.v1+json", digest: image.Id, size: image.Size },
    layers: image.RootFS.Layers.map((digest) => ({
      mediaType: "application/vnd.docker.image.rootfs.diff.tar",
      digest,
      size: 0,
    })),
  });
  await ecr.send(
    new PutImageCommand({
      repositoryName: runtimeRepository(runtime),
      imageTag: runtimeTag(runtime),
      imageManifest: manifest,
      imageManifestMediaType: MANIFEST_TYPE,
      imageDigest: `sha256:${createHash("sha256").update(manifest).digest("hex")}`,
    }),
  );
  return requireDigest(ecr, runtime);
}

const inspected = z.tuple([
  z.object({ Id: z.string(), Size: z.number(), RootFS: z.object({ Layers: z.array(z.string()) }) }),
]);

async function requireDigest(ecr: ECRClient, runtime: Runtime): Promise<string> {
  const digest = await pushedDigest(ecr, runtime);
  if (digest === undefined) {
    throw new Problem(`ECR does not list ${runtimeImage(runtime)} after it was pushed.`, "Run it again.");
  }
  return digest;
}

async function repositoryUri(ecr: ECRClient, runtime: Runtime): Promise<string> {
  const query = { repositoryNames: [runtimeRepository(runtime)] };
  const { repositories = [] } = await ecr.send(new DescribeRepositoriesCommand(query));
  return repositories[0]?.repositoryUri ?? "";
}

/** What Docker sends to the registry: base64 of a user and a token that lives for twelve hours. */
async function authorization(ecr: ECRClient): Promise<string> {
  const { authorizationData = [] } = await ecr.send(new GetAuthorizationTokenCommand({}));
  return authorizationData[0]?.authorizationToken ?? "";
}
