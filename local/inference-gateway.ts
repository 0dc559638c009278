/**
 * The stand-in of the inference cluster's HTTP API as a process of its own, with its functions and the reader of its queue:
 * `tsx local/inference-gateway.ts <config.json>`.
 */
import { readFileSync } from "node:fs";
import { batchesArtifact } from "../lambdas/inference-batches/artifact";
import { bootstrapArtifact } from "../lambdas/inference-bootstrap/artifact";
import { pageArtifact } from "../lambdas/inference-page/artifact";
import { productsArtifact } from "../lambdas/inference-products/artifact";
import { searchArtifact } from "../lambdas/inference-search/artifact";
import { titlesArtifact } from "../lambdas/inference-titles/artifact";
import { API, FUNCTION_ROLES, FUNCTIONS } from "../modules/inference/names";
import { startGateway } from "./gateway/gateway";
import { deployedFunction } from "./lambda/deployed";
import type { LocalFunction } from "./lambda/function";
import type { RuntimeCommand } from "./lambda/node-runtime";
import { QueueSource } from "./lambda/queue-source";

/** What it is told. */
export interface InferenceGatewayConfig {
  readonly port: number;
  readonly awsEndpoint: string;
  readonly region: string;
  /** Runs the functions. */
  readonly command: RuntimeCommand;
  /** Variables of every function that differ from those that were deployed: what is elsewhere here. */
  readonly environment: Readonly<Record<string, string>>;
  /** Queue of large batches, as the state has it. */
  readonly queueUrl: string;
  readonly queueArn: string;
}

const ARTIFACTS = {
  [FUNCTIONS.products]: productsArtifact,
  [FUNCTIONS.search]: searchArtifact,
  [FUNCTIONS.titles]: titlesArtifact,
  [FUNCTIONS.batches]: batchesArtifact,
  [FUNCTIONS.bootstrap]: bootstrapArtifact,
  [FUNCTIONS.page]: pageArtifact,
} as const;
const BATCH_SIZE = 10;

async function main(file: string): Promise<void> {
  const { command, environment, queueArn, queueUrl, ...rest } = JSON.parse(
    readFileSync(file, "utf8"),
  ) as InferenceGatewayConfig;
  const { awsEndpoint, region } = rest;
  const print = (text: string) => process.stdout.write(`${text.trimEnd()}\n`);
  const functions: Record<string, LocalFunction> = {};
  for (const [name, artifact] of Object.entries(ARTIFACTS)) {
    functions[name] = await deployedFunction({
      name,
      awsEndpoint,
      region,
      artifact: artifact(),
      command,
      environment,
      onOutput: print,
    });
  }
  const bootstrapped = await functions[FUNCTIONS.bootstrap]?.invoke({});
  if (!bootstrapped || bootstrapped.functionError) {
    throw new Error(`${FUNCTIONS.bootstrap} failed: ${bootstrapped?.payload}`);
  }
  const source = new QueueSource({
    awsEndpoint,
    region,
    role: FUNCTION_ROLES.batches,
    queueUrl,
    queueArn,
    fn: functions[FUNCTIONS.batches] as LocalFunction,
    batchSize: BATCH_SIZE,
    onLog: print,
  });
  // No route of this API leads to a load balancer.
  const gateway = await startGateway({ ...rest, apiName: API, functions, upstream: awsEndpoint, onLog: print });
  process.once("SIGTERM", async () => {
    await gateway.close();
    await source.close();
    await Promise.all(Object.values(functions).map((fn) => fn.close()));
  });
}

void main(process.argv[2] ?? "");
