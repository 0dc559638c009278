/**
 * The settings of one environment: read once, checked whole, typed.
 *
 * `cdktf.json` holds them under `context.environments.<name>`; the ENVIRONMENT variable picks one. This file is the only place that
 * reads `process.env`.
 */
import { readFileSync } from "node:fs";
import type { App } from "cdktf";
import { z } from "zod";
import { denoiseSettings } from "../denoise/settings";
import { inferenceIssues, inferenceSettings } from "../inference/settings";
import { mlFunctionSettings } from "../ml-function/settings";
import { musicSettings } from "../music/settings";
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
    ci: z
      .strictObject({
        repository: z
          .string()
          .regex(/^[\w.-]+\/[\w.-]+$/, "a GitHub repository as owner/name")
          .optional()
          .describe(
            "GitHub repository whose workflows plan and deploy. Without it there is no stack `ci-access`, and CI has no access.",
          ),
        branch: z
          .string()
          .regex(/^[\w./-]+$/, "the name of a branch")
          .default("main")
          .describe("Branch that is deployed, and whose drift is looked for."),
        existingProvider: z
          .boolean()
          .default(false)
          .describe("Whether the account has GitHub's OIDC provider already: an account can have one."),
        namePrefixes: z
          .array(z.string().regex(/^[\w./-]{3,}$/, "at least 3 letters, digits and any of _ . / -"))
          .min(1)
          .default([
            "nanogrid",
            "NanoGrid",
            "/nanogrid/",
            "/vpc/nanogrid/",
            "aws-waf-logs-nanogrid",
            "ddn",
            "deepdenoising",
            "/ecs/ddn-",
            "/aws/lambda/ddn-",
            "/aws/apigateway/ddn-",
            "/vpc/ddn/",
            "inference",
            "/ecs/inference-",
            "/aws/lambda/inference-",
            "/aws/apigateway/inference-",
            "/vpc/inference/",
            "ML-XGBoost",
            "ml-xgboost",
            "ml-function",
            "/aws/lambda/ML-XGBoost",
            "music",
            "/aws/eks/music",
            "/vpc/music/",
          ])
          .describe("How the physical names of this project begin: what deployments may create and change."),
      })
      .prefault({})
      .describe("Continuous delivery: docs/operations/continuous-delivery.md."),
    budget: z
      .strictObject({
        monthlyUsd: z
          .number()
          .positive()
          .default(500)
          .describe(
            "US dollars that the environment may cost in a typical month; `npm run cost -- --check` and a test hold it.",
          ),
        usage: z
          .record(z.string(), z.number().min(0))
          .default({})
          .describe(
            "What is known of use instead of what `npm run cost` assumes: `<name>` or `<stack>.<name>` to a monthly figure.",
          ),
      })
      .prefault({})
      .describe("What the environment may cost: docs/costs.md."),
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
    denoise: denoiseSettings.prefault({}).describe("The Denoise service."),
    inference: inferenceSettings.prefault({}).describe("The inference cluster of a shop."),
    mlFunction: mlFunctionSettings.prefault({}).describe("The ML function."),
    music: musicSettings.prefault({}).describe("The Music pipeline."),
  })
  .superRefine(({ standIns, denoise, inference, nanogrid, region }, ctx) => {
    if (inference.api.authorizer === "none" && !standIns) {
      ctx.addIssue({
        code: "custom",
        path: ["inference", "api", "authorizer"],
        message: "none lets anyone use the models, and is for stand-ins only. Choose iam or jwt.",
      });
    }
    if (denoise.api.authorizer === "none" && !standIns) {
      ctx.addIssue({
        code: "custom",
        path: ["denoise", "api", "authorizer"],
        message: "none lets anyone use the GPUs, and is for stand-ins only. Choose iam or jwt.",
      });
    }
    for (const { path, message } of inferenceIssues(inference, region, nanogrid.network.cidr)) {
      ctx.addIssue({ code: "custom", path: [...path], message });
    }
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
