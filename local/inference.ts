/** `npm run local:inference`: the inference cluster on this machine, deployed by real Terraform into a stand-in of AWS. */
import { localCommand } from "./command-line";
import { phase } from "./phase";
import { deployInference } from "./phases/inference-deploy";
import { exampleText, runExample } from "./phases/inference-example";
import { INFERENCE_SERVICES, startInference, stopInference } from "./phases/inference-programs";
import { readInferenceStates } from "./phases/inference-states";
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
  phase("foundation", "cdktf deploy", deployInference),
  phase("inference", "States", readInferenceStates),
  phase("inferencePrograms", "GPU tier, database and functions", startInference),
  phase("example", "Products, a search and a title", runExample),
];

const program = localCommand({
  command: "npm run local:inference",
  description:
    "Deploys the inference cluster into a stand-in of AWS on this machine, runs it there with a small model on the processor, and tries it.",
  system: "inference",
  phases: PHASES,
  services: INFERENCE_SERVICES,
  inWords: "the GPU tier, the database and the gateway",
  stop: stopInference,
  summarize,
});

function summarize(progress: Progress, places: Places): string {
  const { inference, inferencePrograms, example } = progress.found;
  const url = inferencePrograms?.url;
  return sectionsOf(progress, places, {
    result: example && exampleText(example),
    states: inference && statesOf(inference.states),
    places: [
      `Page   ${url}/`,
      `API    POST ${url}/products, ${url}/products/search, ${url}/carts/{id}/title   (docs/inference.md)`,
    ],
  });
}

void program.parseAsync();
