/**
 * `npm run bench:drift`: what `npm run drift` takes for 1, 3 and 10 deployed environments, with real Terraform refreshing every resource of
 * every stack against the stand-ins. One setting was changed behind Terraform's back, which each environment must find. `-- --write` writes
 * the table to docs/benchmarks.md.
 *
 * One environment is deployed; the others have copies of its states, since the physical names of two in one account would be the same.
 */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { CopyObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { GetQueueUrlCommand, SetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { Command } from "commander";
import { removeScratch, scratchCheckout } from "../__tests__/local/scratch";
import { Deployment } from "../__tests__/support/deployment";
import { wholeNumber, wholeNumbers } from "../commands/support/arguments";
import { bearable } from "../commands/support/plans/waves";
import { clientOptions } from "../local/clouds";
import { median, spread, writeSection } from "./support/report";

const PAGE = "docs/benchmarks.md";
/** How much more an environment may take among many than alone, and how much larger its processes may be. */
const LIMITS = { time: 1.25, memory: 1.25 };
const DRIFT_MS = 600_000;
/** The change behind Terraform's back. */
const QUEUE = "nanogrid-task-queue";
const FOUND = "message_retention_seconds";
/** Exit code of `npm run drift` when something has drifted. */
const DRIFTED = 2;

const run = promisify(execFile);

interface Flags {
  readonly sizes: readonly number[];
  readonly parallel: number;
  readonly write: boolean;
}

interface Figures {
  readonly seconds: number;
  readonly mebibytes: number;
}

async function main(): Promise<void> {
  const { sizes, parallel, write } = new Command("bench:drift")
    .description("Times drift of deployed environments, by real Terraform against the stand-ins.")
    .option("--sizes <numbers>", "numbers of environments, with commas", wholeNumbers(1), [1, 3, 10])
    .option("--parallel <number>", "stacks at a time", wholeNumber(1), bearable())
    .option("--write", `write the table to ${PAGE}`, false)
    .parse()
    .opts<Flags>();
  const { accountId, region } = { accountId: "123456789012", region: "ap-northeast-2" };
  const section = { accountId, owner: "bench", region, standIns: true, protectData: false };
  const deployment = await Deployment.start(section);
  try {
    for (const stack of deployment.stacks) {
      process.stderr.write(`deploying ${stack}\n`);
      await deployment.planAndApply(stack);
    }
    const names = Array.from({ length: Math.max(...sizes) }, (_, index) => `env-${String(index + 1).padStart(3, "0")}`);
    await copyStates(deployment, names);
    await changeBehindTerraform(deployment);
    const checkout = checkoutWith(Object.fromEntries(names.map((name) => [name, section])));
    // The first one warms the caches of files and providers up.
    await drift(deployment, checkout, "env-001", parallel);
    const results = new Map<number, Figures[]>();
    for (const size of sizes) {
      const figures: Figures[] = [];
      for (const name of names.slice(0, size)) {
        process.stderr.write(`drift of ${name}, ${size} in all\n`);
        figures.push(await drift(deployment, checkout, name, parallel));
      }
      results.set(size, figures);
    }
    const text = tableOf(results, deployment.stacks.length - 1, parallel);
    console.log(text);
    if (write) {
      writeSection(PAGE, "drift", text);
    }
  } finally {
    removeScratch();
    await deployment.stop();
  }
}

/** Gives each environment the states of the deployed one. */
async function copyStates({ settings, standIns }: Deployment, names: readonly string[]): Promise<void> {
  const s3 = new S3Client(clientOptions(standIns.ports, settings.region));
  const { bucket: Bucket } = settings.state;
  const from = `${settings.project}/${settings.environment}/`;
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: from }));
  for (const { Key = "" } of Contents) {
    for (const name of names) {
      const target = Key.replace(from, `${settings.project}/${name}/`);
      await s3.send(new CopyObjectCommand({ Bucket, CopySource: `${Bucket}/${Key}`, Key: target }));
    }
  }
  s3.destroy();
}

async function changeBehindTerraform({ settings, standIns }: Deployment): Promise<void> {
  const sqs = new SQSClient(clientOptions(standIns.ports, settings.region));
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: QUEUE }));
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { MessageRetentionPeriod: "3600" } }));
  sqs.destroy();
}

/** A copy of the sources whose cdktf.json has these environments. */
function checkoutWith(environments: object): string {
  const checkout = scratchCheckout();
  const file = join(checkout, "cdktf.json");
  const config = JSON.parse(readFileSync(file, "utf8")) as { context: { environments: object } };
  config.context.environments = environments;
  writeFileSync(file, JSON.stringify(config));
  return checkout;
}

/** @throws Error when the change is not found */
async function drift({ env }: Deployment, checkout: string, name: string, parallel: number): Promise<Figures> {
  const figures = join(checkout, "figures");
  const command = ["--import", "tsx", "commands/drift.ts", "--json", "--parallel", String(parallel)];
  const ended = await run(
    "/usr/bin/time",
    ["--quiet", "--format=%e %M", `--output=${figures}`, process.execPath, ...command],
    {
      cwd: checkout,
      env: { ...env, ENVIRONMENT: name },
      timeout: DRIFT_MS,
      maxBuffer: 64 * 1024 ** 2,
    },
  ).catch((error: { code?: number; stdout: string; stderr: string }) => error);
  if (!("code" in ended) || ended.code !== DRIFTED || !ended.stdout.includes(FOUND)) {
    throw new Error(`${name}: expected the drift of ${FOUND}, found:\n${ended.stdout}\n${ended.stderr}`);
  }
  const [seconds = Number.NaN, kibibytes = Number.NaN] = readFileSync(figures, "utf8").trim().split(" ").map(Number);
  return { seconds, mebibytes: kibibytes / 1024 };
}

function tableOf(results: ReadonlyMap<number, readonly Figures[]>, stacks: number, parallel: number): string {
  const machine = `${cpus().length} cores (${cpus()[0]?.model ?? "unknown"}), ${Math.round(totalmem() / 1024 ** 3)} GiB`;
  const rows = [...results].map(([size, figures]) => {
    const seconds = figures.map((each) => each.seconds);
    const total = seconds.reduce((sum, value) => sum + value, 0);
    const largest = Math.max(...figures.map(({ mebibytes }) => mebibytes));
    return `| ${size} | ${size * stacks} | ${(total / 60).toFixed(1)} min | ${spread(seconds, 1)} s | ${largest.toFixed(0)} MiB |`;
  });
  return [
    `On ${machine}, ${parallel} stacks at a time, one environment after the other: median (minimum – maximum) of the environments.`,
    "",
    "| environments | stacks | all in all | an environment | largest process |",
    "|---:|---:|---:|---:|---:|",
    ...rows,
    "",
    verdict(results),
  ].join("\n");
}

function verdict(results: ReadonlyMap<number, readonly Figures[]>): string {
  const [few, many] = [[...results.values()][0] ?? [], [...results.values()].at(-1) ?? []];
  const time = median(many.map(({ seconds }) => seconds)) / median(few.map(({ seconds }) => seconds));
  const largest = (figures: readonly Figures[]) => Math.max(...figures.map(({ mebibytes }) => mebibytes));
  const memory = largest(many) / largest(few);
  const held = time <= LIMITS.time && memory <= LIMITS.memory;
  return (
    `From ${few.length} to ${many.length} environments, one takes ${time.toFixed(2)} × the time and its largest process ` +
    `${memory.toFixed(2)} × the memory (limits: ${LIMITS.time} × and ${LIMITS.memory} ×): ${held ? "linear, in bounded memory" : "missed"}. ` +
    "Each found the one setting that was changed behind Terraform's back."
  );
}

void main();
