/** What an instance's first boot asks of AWS, by the scripts that cloud-init runs. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ECRClient, GetAuthorizationTokenCommand } from "@aws-sdk/client-ecr";
import { GetObjectCommand, HeadObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { shell } from "../../commands/support/shell";
import { Synthesis } from "../support/synth";
import { startRegistry } from "./registry";
import { SECRETS, type World } from "./world";

const DOCKER_MS = 60_000;
/** Calls of the AWS command line that a boot may make here; a template with another one has no part in these tests yet. */
export const BOOT_CALLS = ["ecr get-login-password", "s3 cp", "secretsmanager get-secret-value"];

/** The calls of the AWS command line in a cloud-init template. */
export function awsCallsOf(template: string): string[] {
  const calls = readFileSync(template, "utf8").matchAll(/\baws ((?!-)[a-z0-9-]+ (?!-)[a-z-]+)/g);
  return [...new Set([...calls].map(([, call = ""]) => call))].sort();
}

/**
 * Fetches the artifact that a stack stored, as `aws s3 cp` does: its size first, then its content.
 *
 * @param folder a `cdktf.out`
 */
export async function fetchArtifact(world: World, folder: string, stack: string, role: string): Promise<string> {
  const synthesis = new Synthesis(readFileSync(join(folder, "stacks", stack, "cdk.tf.json"), "utf8"));
  const Key = String(synthesis.resource("aws_s3_object").key);
  const Bucket = world.grid.values.artifacts_bucket ?? "";
  await world.put(Bucket, Key, `the artifact of ${stack}`);
  const s3 = new S3Client(world.options(role));
  await s3.send(new HeadObjectCommand({ Bucket, Key }));
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
  return (await Body?.transformToString()) ?? "";
}

/** Reads the archive's credential configuration. */
export async function readArchiveSecret(world: World, role: string): Promise<string | undefined> {
  const client = new SecretsManagerClient(world.options(role));
  return (await client.send(new GetSecretValueCommand({ SecretId: SECRETS.archive }))).SecretString;
}

/** Signs the container engine in and pulls from each repository. @returns the images' ids */
export async function pullImages(world: World, role: string, repositories: readonly string[]): Promise<string[]> {
  await new ECRClient(world.options(role)).send(new GetAuthorizationTokenCommand({}));
  const registry = await startRegistry(role, world.authorizer);
  const config = mkdtempSync(join(world.grid.folder, "docker-"));
  // The registry answers from this process, which must not wait for Docker.
  const docker = (...args: string[]) =>
    shell("docker", ["--config", config, ...args], { env: process.env, timeoutMs: DOCKER_MS, quiet: true });
  try {
    await docker("login", "--username", "AWS", "--password", "token", registry.host);
    const images = repositories.map((repository) => registry.image(repository));
    for (const image of images) {
      await docker("pull", "--quiet", image);
    }
    const ids = await Promise.all(images.map((image) => docker("inspect", "--format", "{{.Id}}", image)));
    await docker("rmi", "--force", ...images);
    return ids.map((id) => id.trim());
  } finally {
    rmSync(config, { recursive: true, force: true });
    await registry.stop();
  }
}
