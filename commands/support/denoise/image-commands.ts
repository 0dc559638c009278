/** The subcommands that send images through the service: the end-to-end test, an upload, a download. */
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { S3Client } from "@aws-sdk/client-s3";
import { type Command, Option } from "commander";
import { wholeNumber } from "../arguments";
import { withTimeout } from "../ecs-tier/commands";
import { asOperator, type CommonFlags, type Operator, withCommonFlags } from "../operator";
import { DenoiseApi, type InferenceRequest, TOKEN_VARIABLE } from "./api";
import { encodeTiff, exposedFrame } from "./frame";

import { removeTraces, smoke, smokeText } from "./smoke";

const SEED = 6;
const SMOKE_SECONDS = 300;

interface ApiFlags extends CommonFlags {
  readonly url?: string;
}

interface FrameFlags extends ApiFlags {
  readonly size: number;
  readonly photons: number;
}

interface SmokeFlags extends FrameFlags {
  readonly model: InferenceRequest["model"];
  readonly strength: number;
  readonly keep?: boolean;
  readonly timeout: number;
}

/** Adds `smoke`, `upload` and `download`. */
export function addImages(parent: Command): void {
  withFrame(withApi(withTimeout(withCommonFlags(parent.command("smoke")), SMOKE_SECONDS)))
    .description(
      "Uploads a synthetic frame, has it denoised, compares the result with the truth; exit code 1 if any step fails.",
    )
    .addOption(new Option("--model <name>", "which model").choices(["efficient", "powerful"]).default("efficient"))
    .option("--strength <number>", "0 to 20", wholeNumber(0), 10)
    .option("--keep", "leave the objects in the buckets, as a test that fails does")
    .action((flags: SmokeFlags) => asOperator(flags, (operator) => smokeTest(operator, flags)));
  withFrame(withApi(withCommonFlags(parent.command("upload"))))
    .description("Uploads a file, or a synthetic frame, through a presigned URL.")
    .argument("<key>", "key in the in-bucket, such as smoke/test.tif")
    .argument("[file]", "TIFF or PNG on this machine; without it a synthetic frame")
    .action((key: string, file: string | undefined, flags: FrameFlags) =>
      asOperator(flags, (operator) => upload(operator, key, file, flags)),
    );
  withApi(withCommonFlags(parent.command("download")))
    .description("Downloads a result through a presigned URL.")
    .argument("<key>", "key in the out-bucket")
    .argument("[file]", "where to write it (default: the key's last part)")
    .action((key: string, file: string | undefined, flags: ApiFlags) =>
      asOperator(flags, (operator) => download(operator, key, file ?? basename(key), flags)),
    );
}

function withApi(command: Command): Command {
  return command.option("--url <url>", "address of the API (default: that of the deployed API)");
}

function withFrame(command: Command): Command {
  return command
    .option("--size <pixels>", "each side of the synthetic frame", wholeNumber(64), 512)
    .option("--photons <number>", "photons that full scale collects: fewer are noisier", wholeNumber(1), 100);
}

async function smokeTest(operator: Operator, flags: SmokeFlags): Promise<void> {
  const { model, photons, size, strength, timeout } = flags;
  const { config, settings, say, show } = operator;
  const api = await openApi(operator, flags);
  const result = await smoke(api, { model, photons, size, strength, seed: SEED, limitMs: timeout * 1_000 });
  if (!flags.keep) {
    await removeTraces(new S3Client({ ...config, forcePathStyle: settings.standIns }), settings.denoise, result, say);
  }
  show(result, () => smokeText(result));
}

async function upload(operator: Operator, key: string, file: string | undefined, flags: FrameFlags): Promise<void> {
  const { photons, size } = flags;
  const body = file === undefined ? encodeTiff(exposedFrame({ photons, size, seed: SEED }).noisy) : readFileSync(file);
  const api = await openApi(operator, flags);
  await api.upload(key, body);
  operator.show({ key, bytes: body.length }, () => `${key}: ${body.length} bytes uploaded.`);
}

async function download(operator: Operator, key: string, file: string, flags: ApiFlags): Promise<void> {
  const body = await (await openApi(operator, flags)).download(key);
  writeFileSync(file, body);
  operator.show({ key, file, bytes: body.length }, () => `${file}: ${body.length} bytes.`);
}

function openApi({ config, say }: Operator, { url }: ApiFlags): Promise<DenoiseApi> {
  return DenoiseApi.open({ config, url, token: process.env[TOKEN_VARIABLE], say });
}
