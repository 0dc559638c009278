/**
 * The programs of an environment, found by what runs: the groups that carry its tags, and the artifacts that their launch templates name.
 * So a stack that is added later needs no entry anywhere.
 */
import {
  type AutoScalingClient,
  type AutoScalingGroup,
  type LaunchTemplateSpecification,
  paginateDescribeAutoScalingGroups,
} from "@aws-sdk/client-auto-scaling";
import {
  type EC2Client,
  type LaunchTemplateVersion,
  paginateDescribeLaunchTemplateVersions,
} from "@aws-sdk/client-ec2";
import type { Settings } from "../../../modules/platform/settings";
import { Problem } from "../problem";
import { type ArtifactObject, artifactIn, userDataText } from "./user-data";

/** A version of a program: a version of the launch template that names its artifact. */
export interface ProgramVersion {
  readonly version: number;
  /** When Terraform made it. */
  readonly createdAt: Date;
  readonly artifact: ArtifactObject;
  readonly userData: string;
  /** The rest of the launch template. */
  readonly template: Readonly<Record<string, unknown>>;
}

/** A program that runs in a group. */
export interface DeployedProgram {
  readonly name: string;
  readonly stack: string;
  readonly group: AutoScalingGroup;
  readonly templateId: string;
  readonly current: ProgramVersion;
  /** All versions, the newest first. */
  readonly versions: readonly ProgramVersion[];
}

/** The clients that are asked. */
export interface ProgramClients {
  readonly autoScaling: AutoScalingClient;
  readonly ec2: EC2Client;
}

/** Every program of the environment. */
export async function deployedPrograms(clients: ProgramClients, settings: Settings): Promise<DeployedProgram[]> {
  const programs: DeployedProgram[] = [];
  for await (const page of paginateDescribeAutoScalingGroups({ client: clients.autoScaling }, {})) {
    for (const group of (page.AutoScalingGroups ?? []).filter((one) => isOf(one, settings))) {
      const program = await programOf(clients.ec2, group);
      programs.push(...(program ? [program] : []));
    }
  }
  return programs;
}

/**
 * The version to go back to.
 *
 * @param to number of a launch template version or the beginning of an artifact's hash; default: the newest version before the current
 *   one whose artifact is another
 * @throws Problem when there is none
 */
export function targetOf({ name, current, versions }: DeployedProgram, to?: string): ProgramVersion {
  const known = versions.map(({ version, artifact }) => `${version} (${shortHash(artifact)})`).join(", ");
  if (to === undefined) {
    const previous = versions.find(
      ({ version, artifact }) => version < current.version && artifact.sha256 !== current.artifact.sha256,
    );
    if (!previous) {
      throw new Problem(
        `There is no earlier artifact of ${name} than the one that runs, ${shortHash(current.artifact)}.`,
        `Its versions are ${known}. Go back by code: git revert, then apply.`,
      );
    }
    return previous;
  }
  // A number of a few digits is a version; a hash is named by seven characters at least.
  const found = versions.filter(({ version, artifact }) =>
    to.length < 7 ? String(version) === to : artifact.sha256.startsWith(to.toLowerCase()),
  );
  const [target] = found;
  if (!target || new Set(found.map(({ artifact }) => artifact.sha256)).size > 1) {
    throw new Problem(
      `--to ${to}: ${target ? "more than one artifact begins like this" : `no version of ${name} is that`}.`,
      `Its versions are ${known}: name one by its number, or by seven or more characters of its hash.`,
    );
  }
  if (target.version === current.version) {
    throw new Problem(`--to ${to}: that is the version of ${name} that runs.`, `Its versions are ${known}.`);
  }
  return target;
}

/** The first characters of an artifact's hash. */
export function shortHash({ sha256 }: ArtifactObject): string {
  return sha256.slice(0, 12);
}

/** The launch template that a group launches from, also where it mixes instances. */
export function specificationOf(group: AutoScalingGroup): LaunchTemplateSpecification | undefined {
  return group.LaunchTemplate ?? group.MixedInstancesPolicy?.LaunchTemplate?.LaunchTemplateSpecification;
}

async function programOf(ec2: EC2Client, group: AutoScalingGroup): Promise<DeployedProgram | undefined> {
  const { LaunchTemplateId, Version = "$Default" } = specificationOf(group) ?? {};
  if (!LaunchTemplateId) {
    return undefined;
  }
  const all: LaunchTemplateVersion[] = [];
  for await (const page of paginateDescribeLaunchTemplateVersions({ client: ec2 }, { LaunchTemplateId })) {
    all.push(...(page.LaunchTemplateVersions ?? []));
  }
  all.sort((a, b) => (b.VersionNumber ?? 0) - (a.VersionNumber ?? 0));
  const running = all.find(
    ({ VersionNumber, DefaultVersion }, index) =>
      String(VersionNumber) === Version ||
      (Version === "$Latest" && index === 0) ||
      (Version === "$Default" && DefaultVersion),
  );
  const current = running && versionOf(running);
  return current
    ? {
        name: current.artifact.program,
        stack: tagOf(group, "stack") ?? "",
        group,
        templateId: LaunchTemplateId,
        current,
        versions: all.flatMap((version) => versionOf(version) ?? []),
      }
    : undefined;
}

function versionOf({
  VersionNumber,
  CreateTime,
  LaunchTemplateData,
}: LaunchTemplateVersion): ProgramVersion | undefined {
  const { UserData, ...template } = LaunchTemplateData ?? {};
  const userData = userDataText(UserData ?? "");
  const artifact = artifactIn(userData);
  return artifact && VersionNumber !== undefined
    ? { version: VersionNumber, createdAt: CreateTime ?? new Date(0), artifact, userData, template }
    : undefined;
}

function isOf(group: AutoScalingGroup, { project, environment }: Settings): boolean {
  return tagOf(group, "project") === project && tagOf(group, "environment") === environment;
}

function tagOf({ Tags = [] }: AutoScalingGroup, key: string): string | undefined {
  return Tags.find(({ Key }) => Key === key)?.Value;
}
