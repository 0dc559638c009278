/**
 * `ENVIRONMENT=dev npm run runtime-images`: builds the sandbox image of each runtime and pushes it to the account's ECR under the hash of
 * its content. What is there already is left alone. The workers' stack cannot be planned before.
 */
import { RepositoryNotFoundException } from "@aws-sdk/client-ecr";
import { Command, Option } from "commander";
import { loadSettings, type Settings } from "../modules/platform/settings";
import { RUNTIMES, type Runtime, runtimeImage } from "../userdata/worker/artifact";
import { checkAccount } from "./support/checks";
import { type Clients, createClients } from "./support/clients";
import { Problem, Problems, runCommand } from "./support/problem";
import { findDocker } from "./support/registry";
import { buildImage, pushedDigest, pushImage, putManifest } from "./support/runtime-images";

interface Flags {
  readonly runtime: readonly Runtime[];
  readonly verbose?: boolean;
}

const program = new Command("npm run runtime-images --")
  .description("Builds the sandbox image of each runtime and pushes it to ECR, unless it is there.")
  .addOption(
    new Option("--runtime <runtime...>", "runtimes whose images are pushed").choices(RUNTIMES).default([...RUNTIMES]),
  )
  .option("--verbose", "print stack traces")
  .action(async (flags: Flags) => {
    await runCommand(() => pushImages(flags.runtime), flags.verbose);
  });

async function pushImages(runtimes: readonly Runtime[]): Promise<void> {
  const settings = loadSettings();
  const clients = createClients(settings, process.env);
  const wrongAccount = await checkAccount(clients.sts, settings);
  if (wrongAccount.length > 0) {
    throw new Problems(wrongAccount);
  }
  for (const runtime of runtimes) {
    const image = runtimeImage(runtime);
    const there = await digestIn(clients, settings, runtime);
    if (there !== undefined) {
      process.stdout.write(`${image} is there: ${there}\n`);
      continue;
    }
    process.stdout.write(`… building ${image}\n`);
    const docker = findDocker(process.env);
    const following = { onLine: (line: string) => process.stdout.write(`  ${line}\n`) };
    await buildImage(process.cwd(), docker, runtime, following);
    process.stdout.write(`… pushing ${image}\n`);
    const digest = settings.standIns
      ? await putManifest(clients.ecr, docker, runtime)
      : await pushImage(clients.ecr, docker, runtime, following);
    process.stdout.write(`${image} is pushed: ${digest}\n`);
  }
}

async function digestIn({ ecr }: Clients, { environment }: Settings, runtime: Runtime): Promise<string | undefined> {
  try {
    return await pushedDigest(ecr, runtime);
  } catch (error) {
    if (error instanceof RepositoryNotFoundException) {
      throw new Problem(
        `The repository of ${runtimeImage(runtime)} does not exist: nanogrid-data makes it.`,
        `Deploy it first: ENVIRONMENT=${environment} npx cdktf deploy nanogrid-network nanogrid-data`,
      );
    }
    throw error;
  }
}

void program.parseAsync();
