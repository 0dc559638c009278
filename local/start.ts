/** `npm start`: the whole of NanoGrid on this machine, deployed by real Terraform into stand-ins of its clouds. */
import { localCommand } from "./command-line";
import { phase } from "./phase";
import { deployFoundation, deployRest } from "./phases/deploy";
import { openEgress } from "./phases/egress";
import { findEngine } from "./phases/engine";
import { runHello } from "./phases/hello";
import { buildRuntimeImages, publishImages } from "./phases/images";
import { PROGRAM_SERVICES, startPrograms, stopPrograms } from "./phases/programs";
import { findProviders } from "./phases/providers";
import { preparePythons } from "./phases/python";
import { readSettings } from "./phases/settings";
import { startStandIns } from "./phases/stand-ins";
import { readStates } from "./phases/states";
import { synthesizeStacks } from "./phases/synth";
import { findTools } from "./phases/tools";
import { summarize } from "./summary";

/** In this order; those of an inner list run side by side. */
const PHASES = [
  phase("settings", "Settings", readSettings),
  phase("tools", "Tools", findTools),
  [
    phase("engine", "Docker engine", findEngine),
    phase("pythons", "Python environments", preparePythons),
    phase("providers", "Terraform providers", findProviders),
    phase("synthesis", "Synthesis", synthesizeStacks),
  ],
  [phase("standIns", "Stand-ins and Redis", startStandIns), phase("egress", "Network of functions", openEgress)],
  [phase("foundation", "cdktf deploy", deployFoundation), phase("images", "Sandbox images", buildRuntimeImages)],
  phase("published", "Sandbox images in ECR", publishImages),
  phase("deployment", "cdktf deploy of what runs them", deployRest),
  phase("handover", "States", readStates),
  phase("programs", "Controller and worker", startPrograms),
  phase("hello", "examples/hello", runHello),
];

const program = localCommand({
  command: "npm start",
  description:
    "Deploys NanoGrid into stand-ins of its clouds on this machine, runs it there, and runs examples/hello through it.",
  system: "nanogrid",
  phases: PHASES,
  services: PROGRAM_SERVICES,
  inWords: "the controller and the worker",
  stop: stopPrograms,
  summarize,
}).option("--without-terraform", "make the data stack's resources in the stand-in instead of deploying with Terraform");

void program.parseAsync();
