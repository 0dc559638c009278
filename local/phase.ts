/** What a phase of `npm start` is, and what the phases hand on to each other. */
import type { SmokeResult } from "../commands/support/denoise/smoke";
import type { PredictedFile } from "../commands/support/ml/predict";
import type { Settings } from "../modules/platform/settings";
import type { DenoisePrograms } from "./phases/denoise-programs";
import type { DenoiseHandover } from "./phases/denoise-states";
import type { Deployment } from "./phases/deploy";
import type { Egress } from "./phases/egress";
import type { Engine } from "./phases/engine";
import type { Hello } from "./phases/hello";
import type { PublishedImages, RuntimeImages } from "./phases/images";
import type { InferenceExample } from "./phases/inference-example";
import type { InferencePrograms } from "./phases/inference-programs";
import type { InferenceHandover } from "./phases/inference-states";
import type { MlFunctionUrl } from "./phases/ml-function";
import type { MusicExample } from "./phases/music-example";
import type { MusicPrograms } from "./phases/music-programs";
import type { Programs } from "./phases/programs";
import type { Pythons } from "./phases/python";
import type { StandIns } from "./phases/stand-ins";
import type { Handover } from "./phases/states";
import type { Synthesis } from "./phases/synth";
import type { Tools } from "./phases/tools";
import type { Places } from "./places";
import type { ProviderChoice } from "./providers";

/** A system that runs here: how the names of its stacks begin. */
export type System = "nanogrid" | "denoise" | "inference" | "ml-function" | "music";

/** What the person asked for on the command line. */
export interface Options {
  /** Whose stacks are deployed. */
  readonly system: System;
  /** End after the run instead of staying up. */
  readonly once: boolean;
  /** Print stack traces. */
  readonly verbose: boolean;
  /** Install missing tools where that is possible. */
  readonly install: boolean;
  /** Do without Terraform even where it is there. */
  readonly terraform: boolean;
  /** Build missing providers without asking. */
  readonly buildProviders: boolean;
  /** Port of the AWS stand-in. */
  readonly awsPort: number;
  /** Port of the Google Cloud Storage stand-in. */
  readonly gcpPort: number;
}

/** What every phase may use. */
export interface Basis {
  readonly options: Options;
  readonly places: Places;
  /** The environment of the shell, without anything that leads to a real cloud account. */
  readonly env: NodeJS.ProcessEnv;
  /** Aborted when the person ends the run. */
  readonly signal: AbortSignal;
}

/** What the phases find out, each under its own name. */
export interface Found {
  readonly settings: Settings;
  readonly tools: Tools;
  readonly engine: Engine;
  readonly egress: Egress;
  readonly pythons: Pythons;
  readonly providers: ProviderChoice;
  readonly synthesis: Synthesis;
  readonly standIns: StandIns;
  readonly foundation: Deployment;
  readonly images: RuntimeImages;
  readonly published: PublishedImages;
  readonly deployment: Deployment;
  readonly handover: Handover;
  readonly programs: Programs;
  readonly hello: Hello;
  readonly denoise: DenoiseHandover;
  readonly denoisePrograms: DenoisePrograms;
  readonly frame: SmokeResult;
  readonly inference: InferenceHandover;
  readonly inferencePrograms: InferencePrograms;
  readonly example: InferenceExample;
  readonly mlFunction: MlFunctionUrl;
  readonly predicted: PredictedFile;
  readonly musicPrograms: MusicPrograms;
  readonly music: MusicExample;
}

/** What a phase is given: the basis and what earlier phases found under these names. */
export type Needs<K extends keyof Found = never> = Basis & Pick<Found, K>;

/** How a phase speaks while it works. */
export interface Report {
  /** What is being done right now; replaced by the next. */
  say(text: string): void;
  /** Something the person should know; it is told at the end of the run, also of one that failed. */
  warn(text: string): void;
}

/** What a phase found, and a few words about it for the list. */
export interface Outcome<T> {
  readonly value: T;
  readonly summary: string;
}

/** One step of the run. */
export interface Phase {
  readonly key: keyof Found;
  readonly title: string;
  readonly run: (needs: Basis & Found, report: Report) => Promise<Outcome<unknown>>;
}

/** Declares a phase; what it finds is handed on under `key`. */
export function phase<K extends keyof Found>(
  key: K,
  title: string,
  run: (needs: Basis & Found, report: Report) => Promise<Outcome<Found[K]>>,
): Phase {
  return { key, title, run };
}
