/** `npm start`: the whole of NanoGrid on this machine, deployed by real Terraform into stand-ins of its clouds. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { explain } from "../commands/support/problem";
import { withoutAccounts } from "./clouds";
import { type Options, phase } from "./phase";
import { deployFoundation, deployRest } from "./phases/deploy";
import { openEgress } from "./phases/egress";
import { findEngine } from "./phases/engine";
import { runHello } from "./phases/hello";
import { buildRuntimeImages, publishImages } from "./phases/images";
import { PROGRAM_SERVICES, startPrograms, stopPrograms } from "./phases/programs";
import { findProviders } from "./phases/providers";
import { preparePythons } from "./phases/python";
import { RUN_SERVICE, readSettings } from "./phases/settings";
import { startStandIns } from "./phases/stand-ins";
import { readStates } from "./phases/states";
import { synthesizeStacks } from "./phases/synth";
import { findTools } from "./phases/tools";
import { logOf, type Places, placesOf } from "./places";
import { runPhases } from "./progress";
import { findService, forgetService } from "./services";
import { summarize, timesOf, warningsOf } from "./summary";

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

const WATCH_MS = 2_000;
/** Exit code of a program that Ctrl-C ended before it was done. */
const INTERRUPTED = 130;

async function start(options: Options): Promise<number> {
  const places = placesOf();
  const ending = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => ending.abort());
  }
  // A terminal that was closed takes no more output; what runs must be ended in order all the same.
  process.stdout.on("error", () => ending.abort());
  const failing = new AbortController();
  const signal = AbortSignal.any([ending.signal, failing.signal]);
  const env = withoutAccounts(process.env);

  const began = performance.now();
  const progress = await runPhases(PHASES, {
    basis: { options, places, env, signal },
    abort: () => failing.abort(),
    live: process.stdout.isTTY === true && !process.env.CI,
  });
  const seconds = (performance.now() - began) / 1000;
  try {
    if (ending.signal.aborted) {
      print("Interrupted. What runs is kept; npm start continues, npm run local:down removes it.");
      return INTERRUPTED;
    }
    if (progress.failure !== undefined) {
      print([warningsOf(progress.warnings), timesOf(progress.timings)].filter(Boolean).join("\n\n"));
      process.stderr.write(`\n${explain(progress.failure, options.verbose)}\n`);
      return 1;
    }
    print(`${summarize(progress, places)}\n\nReady after ${seconds.toFixed(1)} s.`);
    return options.once ? 0 : await stayUp(places, ending.signal);
  } finally {
    // Another run's programs are not ours to end.
    if (findService(places, RUN_SERVICE)?.pid === process.pid) {
      await stopPrograms(places);
      forgetService(places, RUN_SERVICE);
    }
  }
}

/** Waits for Ctrl-C, and watches the programs meanwhile. @returns the exit code */
async function stayUp(places: Places, ended: AbortSignal): Promise<number> {
  print("Ctrl-C ends the controller and the worker; stand-ins, Redis and the engine stay for the next start.");
  while (!ended.aborted) {
    const gone = PROGRAM_SERVICES.find((name) => findService(places, name) === undefined);
    if (gone !== undefined) {
      process.stderr.write(`✖ The ${gone} ended by itself.\n  Its log says why: ${logOf(places, gone)}\n`);
      return 1;
    }
    await sleep(WATCH_MS, undefined, { signal: ended }).catch(() => undefined);
  }
  print("Ending the controller and the worker.");
  return 0;
}

function print(text: string): void {
  process.stdout.write(`\n${text}\n`);
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65535) {
    throw new InvalidArgumentError("expected a port from 1 to 65535.");
  }
  return value;
}

interface Flags {
  readonly once?: boolean;
  readonly verbose?: boolean;
  readonly install: boolean;
  readonly withoutTerraform?: boolean;
  readonly buildProviders?: boolean;
  readonly awsPort: number;
  readonly gcpPort: number;
}

const program = new Command("npm start --")
  .description(
    "Deploys NanoGrid into stand-ins of its clouds on this machine, runs it there, and runs examples/hello through it.",
  )
  .option("--once", "end after the run instead of staying up")
  .option("--verbose", "print stack traces")
  .option("--no-install", "install nothing: say what is missing instead")
  .option("--without-terraform", "make the data stack's resources in the stand-in instead of deploying with Terraform")
  .option(
    "--build-providers",
    "build missing Terraform providers from source (aws takes 38 minutes on two cores); also NANOGRID_BUILD_PROVIDERS=1",
  )
  .option("--aws-port <port>", "port of the AWS stand-in", port, 5566)
  .option("--gcp-port <port>", "port of the Google Cloud Storage stand-in", port, 5567)
  .action(async (flags: Flags) => {
    process.exitCode = await start({
      once: flags.once ?? false,
      verbose: flags.verbose ?? false,
      install: flags.install,
      terraform: !flags.withoutTerraform,
      buildProviders: flags.buildProviders ?? process.env.NANOGRID_BUILD_PROVIDERS === "1",
      awsPort: flags.awsPort,
      gcpPort: flags.gcpPort,
    });
  });

void program.parseAsync();
