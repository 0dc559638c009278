/** What can be known before any plan: each check names every problem it finds, in a sentence with its remedy. */
import { DescribeInstanceTypeOfferingsCommand, type EC2Client } from "@aws-sdk/client-ec2";
import { type ECRClient, RepositoryNotFoundException } from "@aws-sdk/client-ecr";
import type { S3Client } from "@aws-sdk/client-s3";
import { GetCallerIdentityCommand, type STSClient } from "@aws-sdk/client-sts";
import { z } from "zod";
import type { Settings } from "../../modules/platform/settings";
import type { Clients } from "./clients";
import { Problem, Problems } from "./problem";
import { digestOf } from "./registry";
import { objectExists, ownershipOf, readObject, STATE_STACK, stateKey } from "./state-bucket";
import type { SynthesizedStack, TerraformJson } from "./synthesis";

/** What is checked. */
export interface CheckOptions {
  readonly settings: Settings;
  readonly clients: Clients;
  /** Every synthesized stack. */
  readonly stacks: readonly SynthesizedStack[];
  /** Names of the stacks that are about to be deployed. */
  readonly wanted: readonly string[];
  /** The Terraform JSON of a stack. */
  readonly read: (stack: string) => TerraformJson;
}

const GCS_MS = 10_000;

/**
 * Every check. Without an identity of the right account nothing else can be known, so that one comes first and alone.
 *
 * @throws Problems with everything that is wrong
 */
export async function checkBeforePlan(options: CheckOptions): Promise<void> {
  const { clients, settings } = options;
  raise(await checkAccount(clients.sts, settings));
  const missing = await checkStateBucket(clients.s3, settings);
  const findings = await Promise.all([
    checkInstanceTypes(clients.ec2, options),
    checkImages(clients.ecr, options),
    missing.length > 0 ? [] : checkProducers(clients.s3, options),
    missing.length > 0 ? [] : checkRegion(clients.s3, options),
    checkBuckets(clients.s3, options, missing.length === 0),
    checkArchiveBuckets(options, missing.length === 0),
  ]);
  raise([...missing, ...findings.flat()]);
}

function raise(problems: readonly Problem[]): void {
  if (problems.length > 0) {
    throw new Problems(problems);
  }
}

/** Whether there are credentials, and whether they are of the environment's account. */
export async function checkAccount(sts: STSClient, settings: Settings): Promise<Problem[]> {
  const { accountId, environment } = settings;
  let account: string | undefined;
  let arn: string | undefined;
  try {
    ({ Account: account, Arn: arn } = await sts.send(new GetCallerIdentityCommand({})));
  } catch (error) {
    const reason = (error as Error).message.split("\n")[0];
    return [
      new Problem(
        `No AWS identity: ${reason}. Nothing else could be checked.`,
        "Sign in (aws sso login), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
      ),
    ];
  }
  if (account === accountId) {
    return [];
  }
  return [
    new Problem(
      `Environment "${environment}" lives in AWS account ${accountId}, and ${arn} is of account ${account}. Nothing else was checked.`,
      `Use credentials of ${accountId}, choose another ENVIRONMENT, or correct context.environments.${environment}.accountId in cdktf.json.`,
    ),
  ];
}

/** Whether the state bucket is there and of this account. */
async function checkStateBucket(s3: S3Client, settings: Settings): Promise<Problem[]> {
  const { bucket } = settings.state;
  const { accountId, environment } = settings;
  switch (await ownershipOf(s3, bucket, accountId)) {
    case "ours":
      return [];
    case "absent":
      return [
        new Problem(
          `The state bucket "${bucket}" does not exist in account ${accountId}.`,
          `Create it once: ENVIRONMENT=${environment} npm run state-backend`,
        ),
      ];
    case "foreign":
      return [
        new Problem(
          `The state bucket's name "${bucket}" is taken by another AWS account, or this identity may not see it.`,
          `Set context.environments.${environment}.state.bucket in cdktf.json to a name that nobody has.`,
        ),
      ];
  }
}

/** Whether the producers of the wanted stacks are deployed, or are deployed with them. */
async function checkProducers(s3: S3Client, { settings, stacks, wanted }: CheckOptions): Promise<Problem[]> {
  const consumers = new Map<string, string[]>();
  for (const { name, dependencies } of stacks.filter((stack) => wanted.includes(stack.name))) {
    for (const producer of dependencies.filter((dependency) => !wanted.includes(dependency))) {
      consumers.set(producer, [...(consumers.get(producer) ?? []), name]);
    }
  }
  const problems: Problem[] = [];
  for (const [producer, readers] of consumers) {
    if (!(await objectExists(s3, settings.state.bucket, stateKey(settings, producer)))) {
      problems.push(
        new Problem(
          `${readers.join(", ")} reads the state of ${producer}, which is not deployed in environment "${settings.environment}".`,
          `Deploy it first: ENVIRONMENT=${settings.environment} npx cdktf deploy ${producer} --ignore-missing-stack-dependencies`,
        ),
      );
    }
  }
  return problems;
}

const stateRegions = z.object({
  resources: z
    .array(
      z.object({
        mode: z.string(),
        type: z.string(),
        name: z.string(),
        instances: z.array(z.object({ attributes: z.object({ region: z.string().nullish() }).nullish() })).default([]),
      }),
    )
    .default([]),
});

/**
 * Whether what is deployed lives in the region of the settings: Terraform would destroy it there and create it anew here, without a word
 * on why. A resource that names a region of its own is left alone.
 */
async function checkRegion(s3: S3Client, { read, settings, wanted }: CheckOptions): Promise<Problem[]> {
  const { environment, region } = settings;
  const problems: Problem[] = [];
  for (const stack of wanted) {
    const state = await readObject(s3, settings.state.bucket, stateKey(settings, stack));
    const { resources } = stateRegions.parse(JSON.parse(state || "{}"));
    const elsewhere = resources
      .filter(
        ({ mode, type, name }) => mode === "managed" && read(stack).resource?.[type]?.[name]?.region === undefined,
      )
      .flatMap(({ instances }) => instances.flatMap(({ attributes }) => attributes?.region ?? []))
      .filter((found) => found !== region);
    if (elsewhere.length > 0) {
      problems.push(
        new Problem(
          `${stack}: ${elsewhere.length} of its resources are deployed in ${[...new Set(elsewhere)].join(" and ")}, and environment "${environment}" is set to ${region}.`,
          `Set context.environments.${environment}.region back, or move on purpose: a new environment first, then destroy the old one.`,
        ),
      );
    }
  }
  return problems;
}

const offerings = z.object({
  filter: z.array(z.object({ name: z.string(), values: z.array(z.string()) })),
});

/** Whether every zone offers the instance types that the wanted stacks ask for: they say so themselves, as a data source. */
async function checkInstanceTypes(
  ec2: EC2Client,
  { read, wanted }: Pick<CheckOptions, "read" | "wanted">,
): Promise<Problem[]> {
  const demands = wanted.flatMap((stack) =>
    Object.values(read(stack).data?.aws_ec2_instance_type_offerings ?? {}).flatMap((source) => {
      const { filter } = offerings.parse(source);
      const valuesOf = (name: string) => filter.find((entry) => entry.name === name)?.values ?? [];
      return valuesOf("instance-type").map((type) => ({ stack, type, zones: valuesOf("location") }));
    }),
  );
  const offered = new Set<string>();
  const types = [...new Set(demands.map(({ type }) => type))];
  if (types.length > 0) {
    let next: string | undefined;
    do {
      const page = await ec2.send(
        new DescribeInstanceTypeOfferingsCommand({
          LocationType: "availability-zone",
          Filters: [{ Name: "instance-type", Values: types }],
          ...(next === undefined ? {} : { NextToken: next }),
        }),
      );
      for (const { InstanceType, Location } of page.InstanceTypeOfferings ?? []) {
        offered.add(`${InstanceType} ${Location}`);
      }
      next = page.NextToken;
    } while (next);
  }
  return demands.flatMap(({ stack, type, zones }) => {
    const without = zones.filter((zone) => !offered.has(`${type} ${zone}`));
    return without.length === 0
      ? []
      : [
          new Problem(
            `${stack}: ${without.join(" and ")} ${without.length === 1 ? "does" : "do"} not offer ${type}.`,
            "Choose another instanceType for it, or other zones for its subnets, in cdktf.json.",
          ),
        ];
  });
}

const image = z.object({ repository_name: z.string(), image_tag: z.string() });

/** Whether ECR has the container images that the wanted stacks ask for: they say so themselves, as data sources. */
async function checkImages(
  ecr: ECRClient,
  { read, settings, wanted }: Pick<CheckOptions, "read" | "settings" | "wanted">,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const stack of wanted) {
    for (const source of Object.values(read(stack).data?.aws_ecr_image ?? {})) {
      const { image_tag: imageTag, repository_name: repositoryName } = image.parse(source);
      const digest = await digestOf(ecr, repositoryName, imageTag).catch(absentRepository);
      if (digest === undefined) {
        problems.push(
          new Problem(
            `${stack}: the image ${repositoryName}:${imageTag}, which this checkout's sources give, is not in ECR.`,
            `Once nanogrid-data is deployed, push it: ENVIRONMENT=${settings.environment} npm run runtime-images`,
          ),
        );
      }
    }
  }
  return problems;
}

/** A repository that is not there holds no image. */
function absentRepository(error: unknown): undefined {
  if (!(error instanceof RepositoryNotFoundException)) {
    throw error;
  }
}

/** Whether the names of the wanted stacks' buckets are free, or theirs already. S3 names are global. */
async function checkBuckets(
  s3: S3Client,
  { read, settings, wanted }: Pick<CheckOptions, "read" | "settings" | "wanted">,
  hasStates: boolean,
): Promise<Problem[]> {
  const { accountId, environment } = settings;
  const problems: Problem[] = [];
  for (const stack of wanted.filter((name) => name !== STATE_STACK)) {
    const deployed = hasStates && (await objectExists(s3, settings.state.bucket, stateKey(settings, stack)));
    for (const bucket of namesOf(read(stack), "aws_s3_bucket", "bucket")) {
      const ownership = await ownershipOf(s3, bucket, accountId);
      if (ownership === "foreign") {
        problems.push(
          new Problem(
            `${stack}: the bucket name "${bucket}" is taken by another AWS account.`,
            `Set the stack's bucketSuffix in context.environments.${environment} of cdktf.json.`,
          ),
        );
      } else if (ownership === "ours" && !deployed) {
        problems.push(
          new Problem(
            `${stack}: the bucket "${bucket}" exists in account ${accountId}, and no state of this environment has it.`,
            "Set the stack's bucketSuffix in cdktf.json, or delete the bucket if nobody needs it.",
          ),
        );
      }
    }
  }
  return problems;
}

/** Whether the names of Google Cloud Storage buckets are free, where their stack is not deployed yet. They are global as well. */
async function checkArchiveBuckets(
  { clients, read, settings, wanted }: CheckOptions,
  hasStates: boolean,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const stack of wanted) {
    for (const bucket of namesOf(read(stack), "google_storage_bucket", "name")) {
      const deployed = hasStates && (await objectExists(clients.s3, settings.state.bucket, stateKey(settings, stack)));
      const answer = deployed ? "free" : await askGoogleCloud(clients.gcs, bucket);
      if (answer === "unknown") {
        problems.push(
          new Problem(
            `${stack}: ${clients.gcs} does not answer, so whether the bucket name "${bucket}" is free is not known.`,
            "Look at the network, or set nanogrid.archive.enabled to false in cdktf.json to leave the archive out.",
          ),
        );
      } else if (answer === "taken") {
        problems.push(
          new Problem(
            `${stack}: the Google Cloud Storage bucket name "${bucket}" is taken, and no state of this environment has it.`,
            `Set context.environments.${settings.environment}.nanogrid.archive.bucketSuffix in cdktf.json.`,
          ),
        );
      }
    }
  }
  return problems;
}

/** Google answers 404 for a name that nobody has, and 401 or 403 for a bucket that this anonymous request may not see. */
async function askGoogleCloud(gcs: string, bucket: string): Promise<"free" | "taken" | "unknown"> {
  try {
    const response = await fetch(`${gcs}/storage/v1/b/${encodeURIComponent(bucket)}`, {
      signal: AbortSignal.timeout(GCS_MS),
    });
    await response.body?.cancel();
    return response.status === 404 ? "free" : "taken";
  } catch {
    return "unknown";
  }
}

/** Literal names of resources; one that Terraform computes is not known yet. */
function namesOf(stack: TerraformJson, type: string, attribute: string): string[] {
  return Object.values(stack.resource?.[type] ?? {})
    .map((resource) => resource[attribute])
    .filter((name): name is string => typeof name === "string" && !name.includes("${"));
}
