/** The sandbox images of this checkout: how they are built, how they get into ECR, and whether they are there. */
import { join } from "node:path";
import type { ECRClient } from "@aws-sdk/client-ecr";
import { type Runtime, runtimeImage, runtimeRepository, runtimeTag } from "../../userdata/worker/artifact";
import { type Docker, digestOf, type Following, pushToEcr, putManifestInEcr } from "./registry";
import { shell } from "./shell";

const BUILD_MS = 900_000;

/**
 * The digest under which ECR has this checkout's image of a runtime, or undefined when it was not pushed.
 *
 * @throws RepositoryNotFoundException before nanogrid-data is deployed
 */
export function pushedDigest(ecr: ECRClient, runtime: Runtime): Promise<string | undefined> {
  return digestOf(ecr, runtimeRepository(runtime), runtimeTag(runtime));
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
 * Pushes a built image to ECR under its content's tag.
 *
 * @returns the digest under which workers pull it
 */
export function pushImage(ecr: ECRClient, docker: Docker, runtime: Runtime, following: Following): Promise<string> {
  const image = { repository: runtimeRepository(runtime), tag: runtimeTag(runtime) };
  return pushToEcr(ecr, docker, runtimeImage(runtime), image, following);
}

/**
 * Stands in for a push where ECR is a stand-in.
 *
 * @returns the digest that a worker's environment will name
 */
export function putManifest(ecr: ECRClient, docker: Docker, runtime: Runtime): Promise<string> {
  const image = { repository: runtimeRepository(runtime), tag: runtimeTag(runtime) };
  return putManifestInEcr(ecr, docker, runtimeImage(runtime), image);
}
