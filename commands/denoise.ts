/** `ENVIRONMENT=dev npm run denoise -- <command>`: the Denoise service, for operators. `--help` says more. */
import { Command } from "commander";
import { addGpu } from "./support/denoise/gpu-commands";
import { addImages } from "./support/denoise/image-commands";
import { addPublish } from "./support/denoise/publish";
import { addRemoval } from "./support/denoise/removal-commands";
import { DENOISE } from "./support/denoise/tier";
import { addTierLooking, addTierRunning } from "./support/ecs-tier/commands";

const program = new Command("npm run denoise --")
  .description("The Denoise service of the environment that ENVIRONMENT names (dev without it).")
  .addHelpText(
    "after",
    `
Examples:
  npm run denoise -- status
  npm run denoise -- smoke --model powerful
  npm run denoise -- roll
  npm run denoise -- gpu --since 6h
  npm run denoise -- pause
  npm run denoise -- empty ddn-in-bucket

DDN_TOKEN holds the access token where the API takes tokens; otherwise calls are signed with your AWS credentials.
docs/operations/denoise-deploy.md and the pages beside it say when to use which.`,
  );

addTierLooking(program, DENOISE);
addGpu(program);
addPublish(program);
addTierRunning(program, DENOISE);
addImages(program);
addRemoval(program);

void program.parseAsync();
