/** The proof that Denoise runs: a synthetic frame through presigned URLs, the API and Triton, compared with the truth. */
import { clientConfig } from "../../commands/support/clients";
import { DenoiseApi } from "../../commands/support/denoise/api";
import { type SmokeResult, smoke } from "../../commands/support/denoise/smoke";
import { programClouds } from "../clouds";
import type { Needs, Outcome, Report } from "../phase";

/** A frame of a hundred photons, small enough for a processor. */
const FRAME = { model: "efficient", size: 512, photons: 100, strength: 10, seed: 6, limitMs: 120_000 } as const;

/** Denoises one frame. */
export async function runFrame(
  { denoisePrograms, settings, standIns }: Needs<"denoisePrograms" | "settings" | "standIns">,
  report: Report,
): Promise<Outcome<SmokeResult>> {
  const config = clientConfig(settings, programClouds(standIns.ports, settings.region));
  const api = await DenoiseApi.open({ config, url: denoisePrograms.url, say: (text) => report.say(text) });
  const value = await smoke(api, FRAME);
  return { value, summary: `${value.noisyDb.toFixed(2)} dB in, ${value.cleanDb.toFixed(2)} dB out` };
}
