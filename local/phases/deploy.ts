/**
 * The deployment: `cdktf deploy` of every stack into the stand-ins, or its substitute where Terraform is left out. Stacks that name
 * container images, and those that read them, come after the images are in the registry.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { DeleteObjectCommand, ListObjectsV2Command, type S3Client } from "@aws-sdk/client-s3";
import { checkBeforePlan } from "../../commands/support/checks";
import { createClients } from "../../commands/support/clients";
import { Problem, Problems } from "../../commands/support/problem";
import { shell } from "../../commands/support/shell";
import {
  ensureStateBucket,
  objectExists,
  ownershipOf,
  STATE_STACK,
  stateKey,
} from "../../commands/support/state-bucket";
import { readStack } from "../../commands/support/synthesis";
import { programClouds, terraformClouds } from "../clouds";
import { DeployLog } from "../deploy-log";
import type { Needs, Outcome, Report } from "../phase";
import { logOf, type Places } from "../places";
import { createWithoutTerraform, type Substitute } from "../without-terraform";
import { ENVIRONMENT, ownStacks } from "./synth";

/** What is deployed. */
export type Deployment =
  | {
      readonly by: "terraform";
      /** The environment in which Terraform reaches the stand-ins. */
      readonly env: NodeJS.ProcessEnv;
    }
  | { readonly by: "substitute"; readonly substitute: Substitute };

type DeployNeeds = Needs<"settings" | "tools" | "standIns" | "providers" | "synthesis">;
type RestNeeds = DeployNeeds & Needs<"foundation" | "published">;

const DEPLOY_MS = 30 * 60_000;
/** Stacks at a time: each Terraform loads a provider of 700 MB. */
const PARALLEL_STACKS = 3;

/** Deploys what needs no image; a second run finds nothing to change. */
export async function deployFoundation(needs: DeployNeeds, report: Report): Promise<Outcome<Deployment>> {
  const { places, providers, settings, standIns, tools } = needs;
  if (providers.kind === "none" || tools.terraform === undefined) {
    if (needs.options.system !== "nanogrid") {
      throw new Problem(
        `Without Terraform${providers.kind === "none" ? `'s providers (${providers.reason})` : ""}, nothing can be deployed.`,
        "Terraform fetches its providers from its registry: let it reach that, or name a mirror in TF_CLI_CONFIG_FILE.",
      );
    }
    report.say("making the data stack's resources");
    const substitute = await createWithoutTerraform(places.project, standIns.ports, settings.region);
    return {
      value: { by: "substitute", substitute },
      summary: `WITHOUT TERRAFORM: ${substitute.resources} resources of the data stack`,
    };
  }
  const env = {
    ...needs.env,
    TF_CLI_CONFIG_FILE: undefined,
    ...providers.env,
    ...programClouds(standIns.ports, settings.region),
    ...terraformClouds(standIns.ports, settings.region),
    ENVIRONMENT,
    TERRAFORM_BINARY_NAME: tools.terraform,
  };
  const clients = createClients(settings, env);
  await prepareStateBucket(needs, tools.terraform, env, clients.s3, report);
  await removeStaleLocks(needs, clients.s3, report);
  const { first } = inTwoParts(needs);
  const changes = await checkAndDeploy(first, needs, env, report);
  return { value: { by: "terraform", env }, summary: changes };
}

/** Deploys the stacks that read the images' digests. */
export async function deployRest(needs: RestNeeds, report: Report): Promise<Outcome<Deployment>> {
  const { foundation } = needs;
  if (foundation.by === "substitute") {
    return { value: foundation, summary: "left out" };
  }
  const changes = await checkAndDeploy(inTwoParts(needs).second, needs, foundation.env, report);
  return { value: foundation, summary: changes };
}

/** The system's stacks in deployment order: those that can be planned now, and those that wait for images, or for a stack that does. */
function inTwoParts(needs: DeployNeeds): { first: string[]; second: string[] } {
  const second = new Set<string>();
  const ours = ownStacks(needs);
  for (const { dependencies, name } of ours) {
    const asks = readStack(needs.places.project, name).data?.aws_ecr_image !== undefined;
    if (asks || dependencies.some((dependency) => second.has(dependency))) {
      second.add(name);
    }
  }
  const names = ours.map(({ name }) => name);
  return { first: names.filter((name) => !second.has(name)), second: [...second] };
}

async function checkAndDeploy(
  wanted: readonly string[],
  needs: DeployNeeds,
  env: NodeJS.ProcessEnv,
  report: Report,
): Promise<string> {
  const { places, settings, synthesis } = needs;
  report.say("checking what would stop a plan");
  const clients = createClients(settings, env);
  const read = (stack: string) => readStack(places.project, stack);
  await checkBeforePlan({ settings, clients, stacks: synthesis.stacks, wanted, read });
  return deployStacks(wanted, needs, env, report);
}

/**
 * What the CDKTF CLI is run with, one run after the other: everything at once, where no stack waits for one that is left out. The flag for
 * leaving some out makes the CLI forget the order of the others too.
 */
function runsFor(stacks: readonly string[], { synthesis }: DeployNeeds): string[][] {
  const isWhole = synthesis.stacks
    .filter(({ name }) => stacks.includes(name))
    .every(({ dependencies }) => dependencies.every((dependency) => stacks.includes(dependency)));
  return isWhole ? [[...stacks]] : stacks.map((stack) => [stack, "--ignore-missing-stack-dependencies"]);
}

async function prepareStateBucket(
  { places, settings, signal }: DeployNeeds,
  terraform: string,
  env: NodeJS.ProcessEnv,
  s3: S3Client,
  report: Report,
): Promise<void> {
  const { bucket } = settings.state;
  const isOurs = (await ownershipOf(s3, bucket, settings.accountId)) === "ours";
  if (isOurs && (await objectExists(s3, bucket, stateKey(settings, STATE_STACK)))) {
    return;
  }
  await ensureStateBucket({
    project: places.project,
    settings,
    terraform,
    how: { env, log: logOf(places, STATE_STACK), signal },
    s3,
    approve: async () => true,
    say: (text) => report.say(`${STATE_STACK}: ${text}`),
  });
}

/** Takes away what a killed Terraform left locked: this run is the only one of the checkout, and no Terraform works in it. */
async function removeStaleLocks({ places, settings }: DeployNeeds, s3: S3Client, report: Report): Promise<void> {
  const Bucket = settings.state.bucket;
  const { Contents = [] } = await s3.send(
    new ListObjectsV2Command({ Bucket, Prefix: `${settings.project}/${settings.environment}/` }),
  );
  const locks = Contents.flatMap(({ Key }) => (Key?.endsWith(".tflock") ? [Key] : []));
  const worker = locks.length > 0 ? terraformAtWork(places) : undefined;
  if (worker !== undefined) {
    throw new Problem(
      `A Terraform (pid ${worker}) works on this checkout and holds the lock of ${locks.join(", ")}.`,
      "Let it finish, then start again.",
    );
  }
  for (const Key of locks) {
    report.warn(`${Key} was left by a Terraform that is gone; it was removed.`);
    await s3.send(new DeleteObjectCommand({ Bucket, Key }));
  }
}

/** A process that runs Terraform in one of the checkout's stacks. */
function terraformAtWork(places: Places): number | undefined {
  const inStacks = (pid: string) => {
    try {
      const command = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
      return command === "terraform" && readlinkSync(`/proc/${pid}/cwd`).startsWith(join(places.output, "stacks"));
    } catch {
      return false;
    }
  };
  try {
    const pid = readdirSync("/proc").find((name) => /^\d+$/.test(name) && inStacks(name));
    return pid === undefined ? undefined : Number(pid);
  } catch {
    return undefined;
  }
}

/** Runs the CDKTF CLI; its lines become progress. @returns what changed, in words */
async function deployStacks(
  stacks: readonly string[],
  needs: DeployNeeds,
  env: NodeJS.ProcessEnv,
  report: Report,
): Promise<string> {
  const { places, signal } = needs;
  const lines = new DeployLog(stacks);
  const log = logOf(places, "deploy");
  const flags = ["--auto-approve", "--skip-synth", "--skip-provider-lock", "--no-color"];
  const parallelism = ["--parallelism", String(PARALLEL_STACKS)];
  try {
    for (const run of runsFor(stacks, needs)) {
      await shell(join(places.project, "node_modules", ".bin", "cdktf"), ["deploy", ...run, ...flags, ...parallelism], {
        cwd: places.project,
        env,
        log,
        timeoutMs: DEPLOY_MS,
        signal,
        onLine: (line) => {
          if (lines.take(line)) {
            report.say(lines.progress);
          }
        },
        remedy: "The next start continues where this one stopped.",
      });
    }
  } catch (error) {
    if (lines.errors.length === 0 || signal.aborted) {
      throw error;
    }
    const remedy = `Mend it; the next start continues where this one stopped. All that Terraform said is in ${log}`;
    throw new Problems(lines.errors.map((what) => new Problem(what, remedy, log, { cause: error })));
  }
  return lines.summary;
}
