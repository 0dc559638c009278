/**
 * The state bucket's beginning: Terraform cannot keep the state of the bucket in the bucket before it exists. So `state-backend` is
 * applied with a state on this machine first, which then moves into the bucket that it made.
 */
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  GetBucketTaggingCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import type { Settings } from "../../modules/platform/settings";
import { Problem } from "./problem";
import { readStack } from "./synthesis";
import { Terraform, type TerraformOptions } from "./terraform";

/** Id of the stack that makes the state bucket. */
export const STATE_STACK = "state-backend";

/** Whose a bucket is. */
export type Ownership = "absent" | "ours" | "foreign";

/** What the bootstrap works with. */
export interface StateBucketOptions {
  /** The checkout, with a fresh synthesis in `cdktf.out`. */
  readonly project: string;
  readonly settings: Settings;
  readonly terraform: string;
  readonly how: TerraformOptions;
  readonly s3: S3Client;
  /** Asked, with the plan, before an existing state bucket is changed. */
  readonly approve: (plan: string) => Promise<boolean>;
  readonly say: (text: string) => void;
}

/** What was done. */
export type StateBucketResult = "created" | "continued" | "unchanged" | "changed" | "declined";

const OVERRIDE = "backend_override.tf.json";
const PLAN = "state-backend.plan";

/**
 * Creates the state bucket and moves its own state there, from wherever an earlier run stopped.
 *
 * @throws Problem when the bucket's name is taken by another account, or by something else in this one
 */
export async function ensureStateBucket(options: StateBucketOptions): Promise<StateBucketResult> {
  const { project, settings, s3, say } = options;
  const { bucket } = settings.state;
  const folder = join(project, "cdktf.out", "stacks", STATE_STACK);
  const override = join(folder, OVERRIDE);
  const local = join(project, ".state-backend", `${settings.environment}.tfstate`);
  const terraform = new Terraform(options.terraform, folder, options.how);

  const ownership = await ownershipOf(s3, bucket, settings.accountId);
  if (ownership === "foreign") {
    throw new Problem(
      `The state bucket "${bucket}" belongs to another AWS account than ${settings.accountId}, or this identity may not see it.`,
      `Set context.environments.${settings.environment}.state.bucket in cdktf.json to a name that nobody has, or use an identity of the account.`,
    );
  }
  if (ownership === "ours" && (await objectExists(s3, bucket, stateKey(settings, STATE_STACK)))) {
    rmSync(override, { force: true });
    removeLocalState(local);
    return await bringUpToDate(terraform, folder, options);
  }

  const continued = existsSync(local) && statSync(local).size > 0;
  mkdirSync(dirname(local), { recursive: true });
  writeFileSync(override, `${JSON.stringify({ terraform: { backend: { local: { path: local } } } })}\n`);
  say("preparing Terraform, with the state on this machine");
  await terraform.init("-reconfigure");
  if (ownership === "ours" && !continued) {
    await adopt(terraform, options);
  }
  say(continued ? "continuing an interrupted run" : `creating ${bucket}`);
  await terraform.plan(PLAN);
  await terraform.apply(PLAN);
  rmSync(join(folder, PLAN), { force: true });

  say("moving the state into its bucket");
  rmSync(override);
  await terraform.init("-migrate-state", "-force-copy");
  if (!(await objectExists(s3, bucket, stateKey(settings, STATE_STACK)))) {
    throw new Problem(
      `The state of ${STATE_STACK} is not in "${bucket}" after its move.`,
      `It is still in ${local}: run npm run state-backend again.`,
      options.how.log,
    );
  }
  removeLocalState(local);
  return continued ? "continued" : "created";
}

/** Key of a stack's state in the bucket. */
export function stateKey(settings: Settings, stack: string): string {
  return `${settings.project}/${settings.environment}/${stack}.tfstate`;
}

/** Whose a bucket is: S3 answers 404 for no bucket, and 403 for one of another account. */
export async function ownershipOf(s3: S3Client, bucket: string, accountId: string): Promise<Ownership> {
  try {
    await s3.send(new HeadBucketCommand({ Bucket: bucket, ExpectedBucketOwner: accountId }));
    return "ours";
  } catch (error) {
    switch (statusOf(error)) {
      case 404:
        return "absent";
      case 400:
      case 403:
      case 301:
        return "foreign";
      default:
        throw error;
    }
  }
}

/** Whether a bucket of ours has an object. */
export async function objectExists(s3: S3Client, bucket: string, key: string): Promise<boolean> {
  try {
    await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
    return true;
  } catch (error) {
    if (statusOf(error) === 404) {
      return false;
    }
    throw error;
  }
}

/** The text of an object of ours, or undefined when it is not there. */
export async function readObject(s3: S3Client, bucket: string, key: string): Promise<string | undefined> {
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return await Body?.transformToString();
  } catch (error) {
    if (statusOf(error) === 404) {
      return undefined;
    }
    throw error;
  }
}

/** The HTTP status of an AWS error. */
function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

async function bringUpToDate(
  terraform: Terraform,
  folder: string,
  { approve, say }: StateBucketOptions,
): Promise<StateBucketResult> {
  say("comparing the state bucket with its settings");
  await terraform.init("-reconfigure");
  try {
    if (!(await terraform.plan(PLAN))) {
      return "unchanged";
    }
    if (!(await approve(await terraform.show(PLAN)))) {
      return "declined";
    }
    await terraform.apply(PLAN);
    return "changed";
  } finally {
    rmSync(join(folder, PLAN), { force: true });
  }
}

/** Takes a bucket into the new state that an earlier run made and whose state was lost; refuses any other. */
async function adopt(terraform: Terraform, { project, s3, settings, say }: StateBucketOptions): Promise<void> {
  const { bucket } = settings.state;
  const tags = await tagsOf(s3, bucket);
  if (tags.get("project") !== settings.project || tags.get("environment") !== settings.environment) {
    throw new Problem(
      `The bucket "${bucket}" exists in account ${settings.accountId}, yet neither its state nor its tags say that it is this project's.`,
      `Set context.environments.${settings.environment}.state.bucket in cdktf.json to another name, or, if it is yours and empty, delete it.`,
    );
  }
  say(`taking over ${bucket}, whose state was lost`);
  for (const [name] of Object.entries(readStack(project, STATE_STACK).resource?.aws_s3_bucket ?? {})) {
    await terraform.import(`aws_s3_bucket.${name}`, bucket);
  }
}

async function tagsOf(s3: S3Client, bucket: string): Promise<Map<string, string>> {
  try {
    const { TagSet = [] } = await s3.send(new GetBucketTaggingCommand({ Bucket: bucket }));
    return new Map(TagSet.map(({ Key = "", Value = "" }) => [Key, Value]));
  } catch (error) {
    if (statusOf(error) === 404) {
      return new Map();
    }
    throw error;
  }
}

function removeLocalState(file: string): void {
  rmSync(file, { force: true });
  rmSync(`${file}.backup`, { force: true });
}
