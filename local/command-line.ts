/** The command line of a system that runs on this machine: its phases are run and shown, its programs watched and ended. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { explain } from "../commands/support/problem";
import { withoutAccounts } from "./clouds";
import type { Options, Phase, System } from "./phase";
import { RUN_SERVICE } from "./phases/settings";
import { logOf, type Places, placesOf } from "./places";
import { type Progress, runPhases } from "./progress";
import { findService, forgetService } from "./services";
import { timesOf, warningsOf } from "./summary";

const WATCH_MS = 2_000;
/** Exit code of a program that Ctrl-C ended before it was done. */
const INTERRUPTED = 130;

/** A system that can run here. */
export interface LocalSystem {
  /** How a person starts it. */
  readonly command: string;
  readonly description: string;
  readonly system: System;
  /** In this order; those of an inner list run side by side. */
  readonly phases: readonly (Phase | readonly Phase[])[];
  /** Names of its programs among the services. */
  readonly services: readonly string[];
  /** The programs in words, such as `the controller and the worker`. */
  readonly inWords: string;
  /** Ends its programs. */
  readonly stop: (places: Places) => Promise<void>;
  /** What is printed when all of it runs. */
  readonly summarize: (progress: Progress, places: Places) => string;
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

/** The command of a system, with the options that all share. */
export function localCommand(system: LocalSystem): Command {
  return new Command(`${system.command} --`)
    .description(system.description)
    .option("--once", "end after the run instead of staying up")
    .option("--verbose", "print stack traces")
    .option("--no-install", "install nothing: say what is missing instead")
    .option(
      "--build-providers",
      "build missing Terraform providers from source (aws takes 38 minutes on two cores); also NANOGRID_BUILD_PROVIDERS=1",
    )
    .option("--aws-port <port>", "port of the AWS stand-in", port, 5566)
    .option("--gcp-port <port>", "port of the Google Cloud Storage stand-in", port, 5567)
    .action(async (flags: Flags) => {
      process.exitCode = await start(system, {
        system: system.system,
        once: flags.once ?? false,
        verbose: flags.verbose ?? false,
        install: flags.install,
        terraform: !flags.withoutTerraform,
        buildProviders: flags.buildProviders ?? process.env.NANOGRID_BUILD_PROVIDERS === "1",
        awsPort: flags.awsPort,
        gcpPort: flags.gcpPort,
      });
    });
}

async function start(system: LocalSystem, options: Options): Promise<number> {
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
  const progress = await runPhases(system.phases, {
    basis: { options, places, env, signal },
    abort: () => failing.abort(),
    live: process.stdout.isTTY === true && !process.env.CI,
  });
  const seconds = (performance.now() - began) / 1000;
  try {
    if (ending.signal.aborted) {
      print(`Interrupted. What runs is kept; ${system.command} continues, npm run local:down removes it.`);
      return INTERRUPTED;
    }
    if (progress.failure !== undefined) {
      print([warningsOf(progress.warnings), timesOf(progress.timings)].filter(Boolean).join("\n\n"));
      process.stderr.write(`\n${explain(progress.failure, options.verbose)}\n`);
      return 1;
    }
    print(`${system.summarize(progress, places)}\n\nReady after ${seconds.toFixed(1)} s.`);
    return options.once ? 0 : await stayUp(system, places, ending.signal);
  } finally {
    // Another run's programs are not ours to end.
    if (findService(places, RUN_SERVICE)?.pid === process.pid) {
      await system.stop(places);
      forgetService(places, RUN_SERVICE);
    }
  }
}

/** Waits for Ctrl-C, and watches the programs meanwhile. @returns the exit code */
async function stayUp({ inWords, services }: LocalSystem, places: Places, ended: AbortSignal): Promise<number> {
  print(`Ctrl-C ends ${inWords}; stand-ins, Redis and the engine stay for the next start.`);
  while (!ended.aborted) {
    const gone = services.find((name) => findService(places, name) === undefined);
    if (gone !== undefined) {
      process.stderr.write(`✖ The ${gone} ended by itself.\n  Its log says why: ${logOf(places, gone)}\n`);
      return 1;
    }
    await sleep(WATCH_MS, undefined, { signal: ended }).catch(() => undefined);
  }
  print(`Ending ${inWords}.`);
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
