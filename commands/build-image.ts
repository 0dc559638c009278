/** `npm run build-image -- <image>`: builds a container image of this project with this machine's engine, and pushes nothing. `--help` says more. */
import { Argument, Command } from "commander";
import { denoiseImage } from "../containers/denoise/image";
import { backImage } from "../containers/music/back/image";
import { firstStageImage } from "../containers/music/first-stage/image";
import { frontImage } from "../containers/music/front/image";
import { pipelineImage } from "../containers/music/pipeline/image";
import { secondStageImage } from "../containers/music/second-stage/image";
import { productInferenceImage } from "../containers/product-inference/image";
import { mlXgboostImage } from "../lambdas/ml-xgboost/image";
import type { ImageSource } from "../modules/platform/image-source";
import { runCommand } from "./support/problem";
import { buildImage } from "./support/publish";

/** An image that this project builds. */
interface OwnImage {
  readonly source: () => ImageSource;
  /** What it is for. @default linux/amd64 */
  readonly platform?: string;
}

const IMAGES: Readonly<Record<string, OwnImage>> = {
  denoise: { source: denoiseImage },
  "product-inference": { source: productInferenceImage },
  "ml-xgboost": { source: mlXgboostImage, platform: "linux/arm64" },
  "music-front": { source: frontImage },
  "music-back": { source: backImage },
  "music-first-stage": { source: firstStageImage },
  "music-second-stage": { source: secondStageImage },
  "music-pipeline": { source: pipelineImage },
};

const program = new Command("npm run build-image --")
  .description("Builds a container image of this project with this machine's Docker engine. It pushes nothing.")
  .addArgument(new Argument("<image>", "which one").choices(Object.keys(IMAGES)))
  .option("--verbose", "print stack traces")
  .addHelpText(
    "after",
    `
The tag is the hash of the image's sources, as a deployment has it. npm run publish-image pushes one to ECR.

Example:
  npm run build-image -- ml-xgboost`,
  )
  .action((name: string, { verbose }: { verbose?: boolean }) => runCommand(() => build(name), verbose));

async function build(name: string): Promise<void> {
  const { source, platform } = IMAGES[name] as OwnImage;
  const { tag, ...from } = source();
  await buildImage(
    `${name}:${tag}`,
    { ...from, ...(platform === undefined ? {} : { platform }) },
    {
      env: process.env,
      say: (text) => process.stdout.write(`… ${text}\n`),
      following: { onLine: (line) => process.stdout.write(`  ${line}\n`) },
    },
  );
  process.stdout.write(`${name}:${tag} is built\n`);
}

void program.parseAsync();
