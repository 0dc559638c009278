/** The subcommand that builds and pushes the image of this checkout, as the deployment does when its sources have changed. */
import type { Command } from "commander";
import { REPOSITORY } from "../../../modules/denoise/names";
import { createClients } from "../clients";
import { asOperator, type CommonFlags, type Operator, withCommonFlags } from "../operator";
import { Problem } from "../problem";
import { publishImage } from "../publish";

/** Adds `publish`. */
export function addPublish(parent: Command): void {
  withCommonFlags(parent.command("publish"))
    .description("Builds the image of this checkout and pushes it to ECR, unless its tag is there.")
    .action((flags: CommonFlags) => asOperator(flags, publish));
}

async function publish({ say, settings, show }: Operator): Promise<void> {
  const { uri } = settings.denoise.image;
  if (uri !== undefined) {
    throw new Problem(
      `The environment "${settings.environment}" takes an image that was built elsewhere: settings.denoise.image.uri is ${uri}.`,
      "Nothing is to be built. Take the setting away to build it here.",
    );
  }
  // Builds the page too, which the commands that only look have no need of.
  const { denoiseImage } = await import("../../../containers/denoise/image");
  const image = { ...denoiseImage(), repository: REPOSITORY };
  const { digest, pushed } = await publishImage(image, {
    settings,
    ecr: createClients(settings, process.env).ecr,
    env: process.env,
    say,
    following: { onLine: (line) => say(`  ${line}`) },
  });
  const name = `${REPOSITORY}:${image.tag}`;
  show({ image: name, digest, pushed }, () =>
    pushed
      ? `${name} is pushed: ${digest}. npx cdktf deploy denoise-service brings it to the tasks.`
      : `${name} is there already: ${digest}.`,
  );
}
