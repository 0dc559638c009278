/** `npm run local:denoise`: the Denoise service on this machine, deployed by real Terraform into a stand-in of AWS. */
import { smokeText } from "../commands/support/denoise/smoke";
import { localCommand } from "./command-line";
import { phase } from "./phase";
import { runFrame } from "./phases/denoise-frame";
import { DENOISE_SERVICES, startDenoise, stopDenoise } from "./phases/denoise-programs";
import { readDenoiseStates } from "./phases/denoise-states";
import { deployFoundation } from "./phases/deploy";
import { findProviders } from "./phases/providers";
import { preparePythons } from "./phases/python";
import { readSettings } from "./phases/settings";
import { startStandIns } from "./phases/stand-ins";
import { synthesizeStacks } from "./phases/synth";
import { findTools } from "./phases/tools";
import type { Places } from "./places";
import type { Progress } from "./progress";
import { sectionsOf, statesOf } from "./summary";

/** In this order; those of an inner list run side by side. */
const PHASES = [
  phase("settings", "Settings", readSettings),
  phase("tools", "Tools", findTools),
  [
    phase("pythons", "Python environments", preparePythons),
    phase("providers", "Terraform providers", findProviders),
    phase("synthesis", "Synthesis", synthesizeStacks),
  ],
  phase("standIns", "Stand-ins and Redis", startStandIns),
  phase("foundation", "cdktf deploy", deployFoundation),
  phase("denoise", "States", readDenoiseStates),
  phase("denoisePrograms", "Triton, API and gateway", startDenoise),
  phase("frame", "A noisy frame", runFrame),
];

const program = localCommand({
  command: "npm run local:denoise",
  description:
    "Deploys Denoise into a stand-in of AWS on this machine, runs it there with Triton on the processor, and denoises a frame.",
  system: "denoise",
  phases: PHASES,
  services: DENOISE_SERVICES,
  inWords: "Triton, the API and the gateway",
  stop: stopDenoise,
  summarize,
});

function summarize(progress: Progress, places: Places): string {
  const { denoise, denoisePrograms, frame } = progress.found;
  const url = denoisePrograms?.url;
  return sectionsOf(progress, places, {
    result: frame && smokeText(frame),
    states: denoise && statesOf(denoise.states),
    places: [
      `Page   ${url}/`,
      `API    ${url}/presign?file=a.tif&mode=upload, POST ${url}/inference   (docs/denoise.md)`,
      `Shell  eval "$(npm run --silent local:env)"; npm run denoise -- smoke --url ${url}`,
    ],
  });
}

void program.parseAsync();
