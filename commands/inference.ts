/** `ENVIRONMENT=dev npm run inference -- <command>`: the inference cluster, for operators. `--help` says more. */
import { Command } from "commander";
import { addTierLooking, addTierRunning } from "./support/ecs-tier/commands";
import { addBootstrap } from "./support/inference/bootstrap";
import { INFERENCE } from "./support/inference/tier";

const program = new Command("npm run inference --")
  .description(
    "The inference cluster of the environment that ENVIRONMENT names (dev without it): its database's collections and its GPU tier.",
  )
  .addHelpText(
    "after",
    `
Examples:
  npm run inference -- bootstrap
  npm run inference -- status
  npm run inference -- health
  npm run inference -- pause

docs/operations/inference-bootstrap.md, inference-gpu-deploy.md and the pages beside them say when to use which.`,
  );

addBootstrap(program);
addTierLooking(program, INFERENCE);
addTierRunning(program, INFERENCE);

void program.parseAsync();
