/** `npm run local:ml`: the ML function on this machine, deployed by real Terraform into a stand-in of AWS. */
import { predictedText } from "../commands/support/ml/predict";
import { localCommand } from "./command-line";
import { phase } from "./phase";
import { deployFoundation } from "./phases/deploy";
import { EXAMPLE, ML_FUNCTION_SERVICE, predictExample, startMlFunction, stopMlFunction } from "./phases/ml-function";
import { findProviders } from "./phases/providers";
import { preparePythons } from "./phases/python";
import { readSettings } from "./phases/settings";
import { startStandIns } from "./phases/stand-ins";
import { synthesizeStacks } from "./phases/synth";
import { findTools } from "./phases/tools";
import type { Places } from "./places";
import type { Progress } from "./progress";
import { sectionsOf } from "./summary";

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
  phase("mlFunction", "The function and its URL", startMlFunction),
  phase("predicted", EXAMPLE, predictExample),
];

const program = localCommand({
  command: "npm run local:ml",
  description:
    "Deploys the ML function into a stand-in of AWS on this machine, runs it there behind a stand-in of its URL, and asks it for predictions.",
  system: "ml-function",
  phases: PHASES,
  services: [ML_FUNCTION_SERVICE],
  inWords: "the function and its URL",
  stop: stopMlFunction,
  summarize,
});

function summarize(progress: Progress, places: Places): string {
  const { mlFunction, predicted } = progress.found;
  return sectionsOf(progress, places, {
    result: predicted && predictedText(EXAMPLE, predicted),
    states: undefined,
    places: [
      `URL    ${mlFunction?.url}   (docs/ml-function.md)`,
      `Shell  eval "$(npm run --silent local:env)"; npm run ml:predict -- ${EXAMPLE} --url ${mlFunction?.url}`,
    ],
  });
}

void program.parseAsync();
