/** Which environments CI works on, and with which roles: all of it follows from `cdktf.json`. */
import { readFileSync } from "node:fs";
import { ciNames } from "../../../modules/platform/ci/names";
import { ciAccess } from "../../../modules/platform/ci-access";
import { loadSettings, type Settings } from "../../../modules/platform/settings";
import { stateBackend } from "../../../modules/platform/state-backend";
import { wavesOf } from "../plans/waves";
import { Problem } from "../problem";
import { type SynthesizedStack, synthesize } from "../synthesis";

/** What a job of a workflow needs to know of an environment. */
export interface CiEnvironment {
  readonly environment: string;
  readonly region: string;
  readonly planRole: string;
  readonly deployRole: string;
}

/** Stacks that a person with more permissions applies: what CI itself stands on. */
const NOT_BY_CI: readonly string[] = [stateBackend.stack, ciAccess.stack];

/**
 * The environments with a `ci.repository`, in the order of `cdktf.json`.
 *
 * @param file the project's `cdktf.json`
 */
export function ciEnvironments(file = "cdktf.json"): CiEnvironment[] {
  const { context } = JSON.parse(readFileSync(file, "utf8")) as { context: { environments: Record<string, unknown> } };
  return Object.keys(context.environments)
    .map((name) => loadSettings(name, file))
    .filter(({ ci, standIns }) => ci.repository !== undefined && !standIns)
    .map((settings) => ({ environment: settings.environment, region: settings.region, ...rolesOf(settings) }));
}

function rolesOf(settings: Settings): Pick<CiEnvironment, "planRole" | "deployRole"> {
  const { planRoleArn: planRole, deployRoleArn: deployRole } = ciNames(settings);
  return { planRole, deployRole };
}

/** The stacks that CI deploys, wave by wave. */
export async function ciWaves(project: string): Promise<string[][]> {
  const { environment } = loadSettings();
  const stacks = await synthesize({ project, environment, env: process.env });
  return deployedWaves(stacks);
}

/** Of these stacks those that CI deploys, wave by wave. */
export function deployedWaves(stacks: readonly SynthesizedStack[]): string[][] {
  return wavesOf(
    stacks,
    stacks.map(({ name }) => name).filter((name) => !NOT_BY_CI.includes(name)),
  );
}

/**
 * The stacks of one wave, counted from 1; none where there are fewer waves.
 *
 * @param most waves that the workflow has jobs for
 * @throws Problem when there are more, since the rest would never be deployed
 */
export function waveOf(waves: readonly (readonly string[])[], wave: number, most: number): readonly string[] {
  if (waves.length > most) {
    throw new Problem(
      `There are ${waves.length} waves of stacks, and the workflow deploys ${most}.`,
      "Add a job for each further wave to .github/workflows/deploy-environment.yml, and raise --of there.",
    );
  }
  return waves[wave - 1] ?? [];
}
