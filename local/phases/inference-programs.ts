/** The inference cluster's programs in the background: the GPU tier on this machine's processor, the database, and the functions behind their gateway. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BATCH_QUEUE } from "../../modules/inference/names";
import type { InferenceGatewayConfig } from "../inference-gateway";
import { prepareNodeRuntime } from "../lambda/node-runtime";
import type { Needs, Outcome, Report } from "../phase";
import type { Places } from "../places";
import { LOOPBACK, requireFreePort } from "../ports";
import { PRODUCT_INFERENCE_PORT, prepareMinilm, productInferenceEnv } from "../product-inference";
import { answersOk, startService, stopService } from "../services";
import { DATABASE_SERVICES, LOCAL_DATABASE, startDatabase } from "./inference-database";

/** Programs that run. */
export interface InferencePrograms {
  /** Where the stand-in of the HTTP API answers; the page is at its root. */
  readonly url: string;
}

/** Names of the programs among the services, in the order in which they stop. */
export const INFERENCE_SERVICES = ["inference-gateway", ...DATABASE_SERVICES, "product-inference"] as const;
/** Port of the stand-in of the HTTP API. */
const GATEWAY_PORT = 8094;

const READY_MS = 90_000;
const STOP_MS = 30_000;

type ProgramNeeds = Needs<"inference" | "pythons" | "settings" | "standIns">;

/** Starts all of them, each when what it needs answers. */
export async function startInference(needs: ProgramNeeds, report: Report): Promise<Outcome<InferencePrograms>> {
  const { places, signal } = needs;
  await stopInference(places);
  for (const port of [PRODUCT_INFERENCE_PORT, GATEWAY_PORT]) {
    await requireFreePort(port, "the inference cluster", "end what uses it");
  }
  report.say("AWS's runtime interface client: about a minute at the first time");
  const command = await prepareNodeRuntime(places.home);
  report.say("the GPU tier's program: fetching its model at the first time");
  await startService(places, await tierService(needs), signal);
  await startDatabase(needs, report);
  report.say("the functions: collections and the vector index");
  await startService(places, gatewayService(needs, command), signal);
  const url = `http://${LOOPBACK}:${GATEWAY_PORT}`;
  return { value: { url }, summary: `${url}, the GPU tier on ${PRODUCT_INFERENCE_PORT}` };
}

/** Ends them. */
export async function stopInference(places: Places): Promise<void> {
  for (const name of INFERENCE_SERVICES) {
    await stopService(places, name, STOP_MS);
  }
}

async function tierService({ env, places, pythons }: ProgramNeeds) {
  const model = await prepareMinilm(pythons.productInference, places.project, places.home);
  return {
    name: "product-inference",
    command: pythons.productInference,
    args: ["-m", "product_inference"],
    cwd: places.home,
    env: { ...env, ...productInferenceEnv(places.project, model, PRODUCT_INFERENCE_PORT) },
    fingerprint: "",
    ready: () => answersOk(`http://${LOOPBACK}:${PRODUCT_INFERENCE_PORT}/readyz`),
    readyMs: READY_MS,
  };
}

function gatewayService(
  { env, inference, places, settings, standIns }: ProgramNeeds,
  command: InferenceGatewayConfig["command"],
) {
  const folder = join(places.run, "inference");
  mkdirSync(folder, { recursive: true });
  const config: InferenceGatewayConfig = {
    port: GATEWAY_PORT,
    awsEndpoint: `http://${LOOPBACK}:${standIns.ports.aws}`,
    region: settings.region,
    command,
    environment: { ...LOCAL_DATABASE, INFERENCE_GPU_URL: `http://${LOOPBACK}:${PRODUCT_INFERENCE_PORT}` },
    queueUrl: inference.queueUrl,
    queueArn: `arn:aws:sqs:${settings.region}:${settings.accountId}:${BATCH_QUEUE}`,
  };
  const file = join(folder, "gateway.json");
  writeFileSync(file, JSON.stringify(config));
  return {
    name: "inference-gateway",
    command: process.execPath,
    args: ["--import", "tsx", join("local", "inference-gateway.ts"), file],
    cwd: places.project,
    env,
    fingerprint: "",
    ready: () => answersOk(`http://${LOOPBACK}:${GATEWAY_PORT}/`),
    readyMs: READY_MS,
  };
}
