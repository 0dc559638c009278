/**
 * The physical names that the operators' commands work on. They are fixed, or follow from the settings, so that a command needs neither a
 * Terraform state nor a synthesis; a test holds them against what the stacks emit.
 */
import { WORKER_GROUP } from "../../modules/nanogrid/names";

export { FUNCTION_SECRETS } from "../../modules/nanogrid/program-variables";

import type { Settings } from "../../modules/platform/settings";

/** A group of instances that run one program. */
export interface Program {
  /** What a person calls one of them. */
  readonly title: string;
  /** Auto-scaling group. */
  readonly group: string;
  readonly logGroup: string;
  /** Stack that owns both. */
  readonly stack: string;
}

export const WORKERS: Program = {
  title: "worker",
  group: WORKER_GROUP,
  logGroup: "/nanogrid/worker",
  stack: "nanogrid-workers",
};

export const CONTROLLERS: Program = {
  title: "controller",
  group: "nanogrid-controller-asg",
  logGroup: "/nanogrid/controller",
  stack: "nanogrid-controllers",
};

export const QUEUE = "nanogrid-task-queue";
export const DEAD_LETTER_QUEUE = `${QUEUE}-dlq`;

export const TABLES = { functions: "NanoGridFunctions", jobs: "NanoGridJobs", apiKeys: "NanoGridApiKeys" } as const;

/** Buckets of the functions' code, and of the files that they leave. */
export function bucketNames({ accountId, nanogrid }: Settings): { readonly code: string; readonly userData: string } {
  const suffix = suffixOf(nanogrid.data.bucketSuffix);
  return { code: `nanogrid-code-bucket${suffix}`, userData: `nanogrid-user-data-${accountId}${suffix}` };
}

/** Google Cloud Storage bucket of the archive. */
export function archiveBucketName({ nanogrid }: Settings): string {
  return `nanogird_gcp_bucket${suffixOf(nanogrid.archive.bucketSuffix)}`;
}

function suffixOf(suffix: string): string {
  return suffix ? `-${suffix}` : "";
}
