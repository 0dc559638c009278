/** Synthesis without the CDKTF CLI: the app of `cdktf.json` in the environment that the CLI would give it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Problem } from "./problem";
import { type ShellOptions, shell } from "./shell";

/** One stack of `cdktf.out/manifest.json`. */
export interface SynthesizedStack {
  readonly name: string;
  /** Ids of the stacks that have to be deployed before it. */
  readonly dependencies: readonly string[];
}

/** The part of a stack's Terraform JSON that is read here. */
export interface TerraformJson {
  readonly terraform?: { readonly backend?: { readonly s3?: { readonly bucket: string; readonly key: string } } };
  readonly resource?: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>>;
  readonly data?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly output?: Readonly<Record<string, { readonly value: unknown }>>;
}

const SYNTH_MS = 180_000;
const OUTPUT = "cdktf.out";

/** How the app is run. */
export interface SynthesisOptions extends Pick<ShellOptions, "log" | "onLine" | "signal"> {
  /** The checkout. */
  readonly project: string;
  /** Name of the environment. */
  readonly environment: string;
  readonly env: NodeJS.ProcessEnv;
  /** Folder that takes the Terraform. @default - `cdktf.out` */
  readonly output?: string;
}

/**
 * Runs the app into `cdktf.out`.
 *
 * @returns its stacks in deployment order
 * @throws Problem with what the app said, when it fails
 */
export async function synthesize(options: Omit<SynthesisOptions, "output">): Promise<SynthesizedStack[]> {
  await runApp(options);
  return inDeploymentOrder(readManifest(options.project));
}

/**
 * Runs the app.
 *
 * @throws Problem with what the app said, when it fails
 */
export async function runApp(options: SynthesisOptions): Promise<void> {
  const { project, environment, env, output = OUTPUT, ...how } = options;
  const { app, context } = JSON.parse(readFileSync(join(project, "cdktf.json"), "utf8")) as {
    app: string;
    context: unknown;
  };
  await shell("/bin/sh", ["-c", `exec ${app}`], {
    cwd: project,
    env: {
      ...env,
      PATH: `${join(project, "node_modules", ".bin")}:${env.PATH ?? ""}`,
      ENVIRONMENT: environment,
      CDKTF_OUTDIR: output,
      CDKTF_CONTEXT_JSON: JSON.stringify(context),
    },
    timeoutMs: SYNTH_MS,
    remedy: "Mend what it names, then run it again.",
    ...how,
  });
}

/** The stacks of the last synthesis. */
function readManifest(project: string): SynthesizedStack[] {
  const { stacks } = JSON.parse(readFileSync(join(project, "cdktf.out", "manifest.json"), "utf8")) as {
    stacks: Record<string, SynthesizedStack>;
  };
  return Object.values(stacks);
}

/** The Terraform JSON of a synthesized stack. */
export function readStack(project: string, stack: string): TerraformJson {
  return JSON.parse(readFileSync(join(project, "cdktf.out", "stacks", stack, "cdk.tf.json"), "utf8")) as TerraformJson;
}

/** Each stack after those it depends on, otherwise in the order of the manifest. */
export function inDeploymentOrder(stacks: readonly SynthesizedStack[]): SynthesizedStack[] {
  const ordered: SynthesizedStack[] = [];
  let waiting = [...stacks];
  while (waiting.length > 0) {
    const placed = new Set(ordered.map((stack) => stack.name));
    const next = waiting.find((stack) => stack.dependencies.every((name) => placed.has(name)));
    if (next === undefined) {
      const names = waiting.map((stack) => stack.name).join(", ");
      throw new Problem(
        `The stacks ${names} depend on each other, or on one that is not there.`,
        "Mend their order in main.ts.",
      );
    }
    ordered.push(next);
    waiting = waiting.filter((stack) => stack !== next);
  }
  return ordered;
}
