/**
 * `ENVIRONMENT=dev npm run rollback -- <program> [--to <version|hash>]`: brings a program back to an earlier artifact. `--help` says more.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { AutoScalingClient } from "@aws-sdk/client-auto-scaling";
import { EC2Client } from "@aws-sdk/client-ec2";
import { ECRClient } from "@aws-sdk/client-ecr";
import { S3Client } from "@aws-sdk/client-s3";
import { Command, Option } from "commander";
import { Group, isMoving, type ProtectedInstances, refreshText } from "./support/group";
import { asOperator, type CommonFlags, confirm, type Operator, withCommonFlags } from "./support/operator";
import { Problem } from "./support/problem";
import { checkImages, findArtifact, restoreArtifact } from "./support/rollback/needs";
import {
  type DeployedProgram,
  deployedPrograms,
  type ProgramVersion,
  shortHash,
  targetOf,
} from "./support/rollback/programs";
import { endRefresh, useVersion } from "./support/rollback/switch";
import { changedLines, imagesIn } from "./support/rollback/user-data";
import { table } from "./support/table";

const WATCH_MS = 10_000;
/** Versions that the list of a program shows. */
const LISTED = 10;

interface Flags extends CommonFlags {
  readonly to?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly watch?: boolean;
  readonly protected: ProtectedInstances;
}

const program = withCommonFlags(new Command("npm run rollback --"))
  .description(
    "Brings a program back to its previous artifact, or to an earlier one, and replaces its instances. Without a program: lists them.",
  )
  .argument("[program]", "such as controller or worker")
  .option(
    "--to <version|hash>",
    "number of a launch template version, or seven or more characters of an artifact's hash",
  )
  .option("--dry-run", "only say what would be done")
  .option("--yes", "do not ask")
  .option("--watch", "show progress until it is over; exit code 1 when it fails")
  .addOption(
    new Option("--protected <what>", "instances that run a job: wait for it (an hour at most), or drain them")
      .choices(["wait", "refresh"])
      .default("wait"),
  )
  .addHelpText(
    "after",
    `
Examples:
  npm run rollback                              The programs, what runs, what can be gone back to
  npm run rollback -- worker --dry-run
  npm run rollback -- worker --watch
  npm run rollback -- controller --to 12

What is no program in a group (the AI node, tables, queues) goes back by code: docs/operations/rollback.md.`,
  )
  .action((name: string | undefined, flags: Flags) => asOperator(flags, (operator) => rollback(operator, name, flags)));

async function rollback(operator: Operator, name: string | undefined, flags: Flags): Promise<void> {
  const { config, settings } = operator;
  const autoScaling = new AutoScalingClient(config);
  const programs = await deployedPrograms({ autoScaling, ec2: new EC2Client(config) }, settings);
  if (name === undefined) {
    operator.show(programs.map(describe), () => programs.map(listText).join("\n\n") || "No program is deployed.");
    return;
  }
  const found = programs.find((one) => one.name === name);
  if (!found) {
    throw new Problem(
      `There is no program "${name}" in a group of environment "${settings.environment}".`,
      programs.length > 0
        ? `There are ${programs.map((one) => one.name).join(", ")}. For what else there is, see docs/operations/rollback.md.`
        : "Deploy its stack, or choose another ENVIRONMENT.",
    );
  }
  const target = targetOf(found, flags.to);
  const s3 = new S3Client({ ...config, forcePathStyle: settings.standIns });
  const artifact = await findArtifact(s3, target.artifact);
  await checkImages(new ECRClient(config), imagesIn(target.userData));
  const plan = planText(found, target, artifact.kind === "deleted");
  if (flags.dryRun) {
    operator.show({ ...describe(found), target: target.version }, () => plan);
    return;
  }
  operator.say(plan);
  const question = `Bring ${name} of "${settings.environment}" back to version ${target.version}? [y/N] `;
  if (!flags.yes && !(await confirm(question))) {
    throw new Problem("Nothing was changed.", "Answer y on a terminal, or run it with --yes.");
  }

  const groupName = found.group.AutoScalingGroupName ?? "";
  const group = new Group(autoScaling, { title: name, group: groupName, logGroup: "", stack: found.stack });
  if (artifact.kind === "deleted") {
    await restoreArtifact(s3, target.artifact, artifact.versionId);
    operator.say("the artifact is back in its bucket");
  }
  await useVersion(autoScaling, found.group, target.version);
  operator.say(`${groupName} launches from version ${target.version}`);
  await endRefresh(autoScaling, group, groupName, operator.say);
  const { refresh } = await group.refresh(flags.protected);
  let latest = refresh;
  while (flags.watch && isMoving(latest)) {
    operator.say(refreshText(latest));
    await sleep(WATCH_MS);
    latest = (await group.latestRefresh()) ?? latest;
  }
  operator.show(
    { program: name, from: found.current.version, to: target.version, sha256: target.artifact.sha256, refresh: latest },
    () => `${refreshText(latest)}\n\n${lasting(found, target)}`,
  );
  if (flags.watch && latest.status !== "Successful") {
    throw new Problem(
      `The refresh of ${groupName} ended as ${latest.status}${latest.reason ? `: ${latest.reason}` : ""}.`,
      `New instances are of version ${target.version} all the same. Look at their log, then: aws autoscaling start-instance-refresh --auto-scaling-group-name ${groupName}`,
    );
  }
}

function describe({ name, stack, group, current, versions }: DeployedProgram) {
  return {
    program: name,
    stack,
    group: group.AutoScalingGroupName,
    current: current.version,
    versions: versions.map(({ version, createdAt, artifact }) => ({
      version,
      createdAt: createdAt.toISOString(),
      sha256: artifact.sha256,
    })),
  };
}

function listText({ name, stack, group, current, versions }: DeployedProgram): string {
  const rows = versions
    .slice(0, LISTED)
    .map((one) => [
      String(one.version),
      one.createdAt.toISOString(),
      shortHash(one.artifact),
      one.version === current.version ? "runs" : "",
    ]);
  return `${name} (${group.AutoScalingGroupName}, stack ${stack})\n${table(["version", "made", "artifact", ""], rows, { words: 4 })}`;
}

/** What will be done, and what goes back with the program. */
function planText(program: DeployedProgram, target: ProgramVersion, isDeleted: boolean): string {
  const { current, group, name } = program;
  const { gone, come } = changedLines(current.userData, target.userData);
  const other = Object.keys({ ...current.template, ...target.template }).filter(
    (key) => JSON.stringify(current.template[key]) !== JSON.stringify(target.template[key]),
  );
  return [
    `${name} in ${group.AutoScalingGroupName}:`,
    `  from version ${current.version}, artifact ${shortHash(current.artifact)}, made ${current.createdAt.toISOString()}`,
    `  to   version ${target.version}, artifact ${shortHash(target.artifact)}, made ${target.createdAt.toISOString()}`,
    `  user data: ${gone.length} lines go, ${come.length} come${settingsIn(gone, come)}`,
    ...(other.length > 0 ? [`  goes back with it: ${other.join(", ")}`] : []),
    ...(isDeleted ? ["  the artifact was deleted, and is copied back from its version in the bucket first"] : []),
    `  then ${group.Instances?.length ?? 0} instances are replaced, half of them at a time`,
  ].join("\n");
}

/** Names of variables whose lines differ, without their values. */
function settingsIn(...lines: readonly (readonly string[])[]): string {
  const names = lines.flat().flatMap((line) => /^([A-Z][A-Z0-9_]*)=/.exec(line)?.[1] ?? []);
  const distinct = [...new Set(names)];
  return distinct.length > 0 ? ` (with ${distinct.join(", ")})` : "";
}

function lasting({ stack, current }: DeployedProgram, { version }: ProgramVersion): string {
  return [
    `Until the code follows, npm run diff -- ${stack} shows one change: the group's launch template version "${version}" → "${current.version}".`,
    `Applying that brings the version back that was left. So before anybody applies ${stack} again:`,
    "  git revert <the commit that brought it>, and apply: it becomes a new version with the artifact of this one.",
  ].join("\n");
}

void program.parseAsync();
