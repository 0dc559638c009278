/**
 * `npm run publish-image -- --environment dev --repository R --tag T --context DIR`: builds a container image and pushes it to the
 * environment's ECR, unless it has the tag. `cdktf deploy` calls it where an image's sources have changed (constructs/container-image.ts).
 */
import { resolve } from "node:path";
import { Command } from "commander";
import { loadSettings } from "../modules/platform/settings";
import { checkAccount } from "./support/checks";
import { createClients } from "./support/clients";
import { Problems, runCommand } from "./support/problem";
import { publishImage } from "./support/publish";

interface Flags {
  readonly environment?: string;
  readonly repository: string;
  readonly tag: string;
  readonly context: string;
  readonly dockerfile: string;
  readonly platform?: string;
  readonly verbose?: boolean;
}

const program = new Command("npm run publish-image --")
  .description("Builds a container image and pushes it to ECR, unless its tag is there.")
  .option(
    "--environment <name>",
    "environment of cdktf.json whose account it is pushed to (default: ENVIRONMENT, else dev)",
  )
  .requiredOption("--repository <name>", "ECR repository")
  .requiredOption("--tag <tag>", "tag: the hash of what the image is built from")
  .requiredOption("--context <folder>", "build context, relative to where the command is run")
  .option("--dockerfile <path>", "Dockerfile in the context", "Dockerfile")
  .option("--platform <platform>", "what it is for (default: linux/amd64)")
  .option("--verbose", "print stack traces")
  .action(async (flags: Flags) => {
    await runCommand(() => publish(flags), flags.verbose);
  });

async function publish(flags: Flags): Promise<void> {
  const settings = loadSettings(flags.environment);
  const clients = createClients(settings, process.env);
  const wrongAccount = await checkAccount(clients.sts, settings);
  if (wrongAccount.length > 0) {
    throw new Problems(wrongAccount);
  }
  // npm runs scripts in the project's folder, and says where it was called.
  const context = resolve(process.env.INIT_CWD ?? ".", flags.context);
  const { digest, pushed } = await publishImage(
    { ...flags, context },
    {
      settings,
      ecr: clients.ecr,
      env: process.env,
      say: (text) => process.stdout.write(`… ${text}\n`),
      following: { onLine: (line) => process.stdout.write(`  ${line}\n`) },
    },
  );
  process.stdout.write(`${flags.repository}:${flags.tag} is ${pushed ? "pushed" : "there"}: ${digest}\n`);
}

void program.parseAsync();
