/**
 * The settings of one environment: read once, checked whole, typed.
 *
 * `cdktf.json` holds them under `context.environments.<name>`; the ENVIRONMENT variable picks one. This file is the only place that
 * reads `process.env`.
 */
import { readFileSync } from "node:fs";
import type { App } from "cdktf";
import { z } from "zod";
import { nanogridSettings } from "../nanogrid/settings";
import { explainIssues } from "./settings-errors";

const DEFAULT_ENVIRONMENT = "dev";

/** A tag's value as AWS takes it everywhere, and nothing that Terraform would evaluate. */
const tagValue = z
  .string()
  .regex(/^[\p{L}\p{N} _.:/=+@-]{1,256}$/u, "1 to 256 letters, digits, spaces and any of _ . : / = + @ -");

/** Settings that every stack shares; each system's own section is in its module's folder. */
export const settingsSchema = z
  .strictObject({
    project: z
      .string()
      .regex(/^[a-z][a-z0-9-]{2,29}$/, "3 to 30 lower-case letters, digits and hyphens, beginning with a letter")
      .default("nanogrid-cloud")
      .describe("Name of the project: the first part of every state's key and the `project` tag."),
    accountId: z
      .string()
      .regex(/^\d{12}$/, "the 12 digits of an AWS account, as a string")
      .describe("AWS account that this environment lives in. Terraform refuses any other account before it plans."),
    region: z
      .string()
      .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "an AWS region such as ap-northeast-2")
      .default("ap-northeast-2")
      .describe("AWS region of every stack."),
    owner: tagValue.describe("Who answers for this environment: the `owner` tag."),
    repository: tagValue
      .default("nanogrid-cloud")
      .describe("Where the code that made a resource lives: the `repository` tag."),
    protectData: z
      .boolean()
      .default(true)
      .describe("Whether what holds data is protected from destruction and never emptied by Terraform."),
    standIns: z
      .boolean()
      .default(false)
      .describe("Whether the clouds are the local stand-ins: path-style S3, no credential checks, few retries."),
    state: z
      .strictObject({
        bucket: z
          .string()
          .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "3 to 63 lower-case letters, digits, dots and hyphens")
          .optional()
          .describe("Bucket of the Terraform states. Default: `<project>-state-<accountId>`."),
      })
      .prefault({})
      .describe("Where the Terraform states are kept."),
    google: z
      .strictObject({
        project: z
          .string()
          .regex(/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/, "the id of a Google Cloud project, 6 to 30 characters")
          .default("ncp-test-465906")
          .describe("Google Cloud project of the archive."),
        region: z.string().min(1).default("asia-northeast3").describe("Google Cloud region of the archive."),
      })
      .prefault({})
      .describe("Google Cloud, used by the archive."),
    nanogrid: nanogridSettings.prefault({}).describe("The NanoGrid function service."),
  })
  .describe("One environment.");

/** One environment's settings, checked and with every default filled in. */
export interface Settings extends z.output<typeof settingsSchema> {
  /** Name of the environment: the key in `cdktf.json` and the second part of every state's key. */
  readonly environment: string;
  /** State bucket, resolved. */
  readonly state: { readonly bucket: string };
}

/** Wrong settings: its message is all that the person who wrote them needs. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/**
 * Settings for synth: those of the environment that ENVIRONMENT names (default `dev`), from the context that the CDKTF CLI hands over, or
 * from `cdktf.json` itself when `main.ts` runs without the CLI.
 *
 * Wrong settings end the process with their message alone and exit code 1: the CLI would show a stack trace in its place.
 */
export function readSettings(app: App): Settings {
  const environments = app.node.tryGetContext("environments");
  try {
    return environments === undefined
      ? loadSettings()
      : parseSettings(environments, process.env.ENVIRONMENT ?? DEFAULT_ENVIRONMENT);
  } catch (error) {
    if (!(error instanceof SettingsError)) {
      throw error;
    }
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

/**
 * Settings for a command that runs outside of synth.
 *
 * @param environment name of the environment; default: ENVIRONMENT, else `dev`
 * @param file the project's `cdktf.json`
 * @throws SettingsError listing every wrong or unknown key at once.
 */
export function loadSettings(environment?: string, file = "cdktf.json"): Settings {
  const context = (JSON.parse(readFileSync(file, "utf8")) as { context?: { environments?: unknown } }).context;
  return parseSettings(context?.environments, environment ?? process.env.ENVIRONMENT ?? DEFAULT_ENVIRONMENT);
}

/**
 * Checks one environment's section.
 *
 * @param environments the value of `context.environments`
 * @param environment the section to take
 * @throws SettingsError listing every wrong or unknown key at once.
 */
export function parseSettings(environments: unknown, environment: string): Settings {
  const sections = z.record(z.string(), z.unknown()).safeParse(environments);
  if (!sections.success) {
    throw new SettingsError(
      "cdktf.json: context.environments is missing. Add it with one section per environment, e.g. dev.",
    );
  }
  const section = sections.data[environment];
  if (section === undefined) {
    const known = Object.keys(sections.data).join(", ");
    throw new SettingsError(
      `ENVIRONMENT: "${environment}" is not an environment of cdktf.json (known: ${known}). ` +
        `Set ENVIRONMENT to one of them, or add context.environments.${environment}.`,
    );
  }
  const parsed = settingsSchema.safeParse(section, { reportInput: true });
  if (!parsed.success) {
    throw new SettingsError(explainIssues(environment, parsed.error.issues, settingsSchema));
  }
  const { data } = parsed;
  return { ...data, environment, state: { bucket: data.state.bucket ?? `${data.project}-state-${data.accountId}` } };
}
