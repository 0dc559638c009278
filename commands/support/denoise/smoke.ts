/** The end-to-end test of a deployment: a synthetic frame goes in, a cleaner one has to come out. */
import { randomUUID } from "node:crypto";
import { DeleteObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { bucketName, IN_BUCKET, OUT_BUCKET } from "../../../modules/denoise/names";
import type { DenoiseSettings } from "../../../modules/denoise/settings";
import { Problem } from "../problem";
import { columns } from "../table";
import type { DenoiseApi, InferenceRequest } from "./api";
import { decodeTiff, encodeTiff, exposedFrame, OFFSET, psnr } from "./frame";

/** Decibels that a model has to gain on a frame of a hundred photons; they gain more than ten. */
export const REQUIRED_GAIN_DB = 5;
const PIXEL_PITCH_UM = 140;

/** What is tested with. */
export interface SmokeOptions {
  readonly model: InferenceRequest["model"];
  /** Pixels of each side of the frame. */
  readonly size: number;
  /** Photons that full scale collects. */
  readonly photons: number;
  readonly strength: number;
  readonly seed: number;
  /** How long the inference may take. */
  readonly limitMs: number;
}

/** What came of it. */
export interface SmokeResult {
  /** Keys in the in-bucket and in the out-bucket. */
  readonly key: string;
  readonly output: string;
  readonly id: string;
  readonly model: string;
  readonly size: number;
  /** PSNR in decibels, of what went in and of what came out. */
  readonly noisyDb: number;
  readonly cleanDb: number;
  /** Milliseconds of each step, ours and the service's. */
  readonly steps: Readonly<Record<string, number>>;
}

/**
 * Uploads a frame, has it denoised, downloads the result, and compares both with the truth.
 *
 * @throws Problem when any step fails, or the result is not cleaner by {@link REQUIRED_GAIN_DB}
 */
export async function smoke(api: DenoiseApi, options: SmokeOptions): Promise<SmokeResult> {
  const frame = exposedFrame(options);
  const key = `smoke/${new Date().toISOString().slice(0, 10)}/${randomUUID()}.tif`;
  const steps: Record<string, number> = {};
  const timed = async <T>(name: string, step: () => Promise<T>): Promise<T> => {
    const begun = performance.now();
    const result = await step();
    steps[name] = performance.now() - begun;
    return result;
  };
  await timed("upload", () => api.upload(key, encodeTiff(frame.noisy)));
  const request = { file: key, model: options.model, strength: options.strength };
  const detector = { digital_offset: OFFSET, using_bits: 16, pixel_pitch: PIXEL_PITCH_UM } as const;
  const done = await timed("inference", () => api.infer({ ...request, ...detector }, options.limitMs));
  const output = done.output ?? key;
  const file = await timed("download", () => api.download(output));
  const result = {
    key,
    output,
    id: done.id,
    model: options.model,
    size: options.size,
    noisyDb: psnr(frame.noisy, frame.clean),
    cleanDb: psnr(decodeTiff(file), frame.clean),
    steps: {
      ...steps,
      ...Object.fromEntries(Object.entries(done.steps).map(([name, ms]) => [`service: ${name}`, ms])),
    },
  };
  if (result.cleanDb < result.noisyDb + REQUIRED_GAIN_DB) {
    throw new Problem(
      `The result of ${result.id} has ${result.cleanDb.toFixed(2)} dB and the noisy frame ${result.noisyDb.toFixed(2)} dB: ` +
        `expected a gain of ${REQUIRED_GAIN_DB} dB.`,
      `Download it and look: npm run denoise -- download ${output} result.tif. Then compare the models in the image with containers/denoise/models.`,
    );
  }
  return result;
}

/** Removes what a test left. A test's objects expire anyway, so that an identity without the permission is no failure. */
export async function removeTraces(
  s3: S3Client,
  { storage }: DenoiseSettings,
  { key, output }: SmokeResult,
  say: (text: string) => void,
): Promise<void> {
  const traces = [
    [IN_BUCKET, key],
    [OUT_BUCKET, output],
  ] as const;
  for (const [name, Key] of traces) {
    const Bucket = bucketName(name, storage.bucketSuffix);
    try {
      await s3.send(new DeleteObjectCommand({ Bucket, Key }));
    } catch (error) {
      say(`${Key} stays in ${Bucket} until it expires: ${(error as Error).message}`);
    }
  }
}

/** The result for a person. */
export function smokeText({ id, model, size, noisyDb, cleanDb, steps }: SmokeResult): string {
  const rows = Object.entries(steps).map(([name, ms]) => [name, `${Math.round(ms)} ms`]);
  const gain = (cleanDb - noisyDb).toFixed(2);
  return [
    `${model}, ${size} × ${size}: ${noisyDb.toFixed(2)} dB noisy, ${cleanDb.toFixed(2)} dB denoised, gain ${gain} dB (request ${id})`,
    columns(rows),
  ].join("\n");
}
