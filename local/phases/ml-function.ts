/** The ML function in the background, behind a stand-in of its URL, and the proof that it answers: predictions for a file of rows. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clientConfig } from "../../commands/support/clients";
import { MlClient } from "../../commands/support/ml/client";
import { type PredictedFile, predictFile } from "../../commands/support/ml/predict";
import { programFiles } from "../../lambdas/ml-xgboost/image";
import { packFiles } from "../../modules/platform/artifact";
import { programClouds } from "../clouds";
import type { FunctionUrlConfig } from "../ml-function-url";
import type { Needs, Outcome, Report } from "../phase";
import type { Places } from "../places";
import { LOOPBACK, requireFreePort } from "../ports";
import { startService, stopService } from "../services";

/** Name of the program among the services. */
export const ML_FUNCTION_SERVICE = "ml-function-url";
/** Port of the stand-in of the URL. */
const URL_PORT = 8091;
const READY_MS = 60_000;
const STOP_MS = 15_000;
/** What nobody has signed is answered so. */
const FORBIDDEN = 403;
/** Rows that the model has not seen. */
export const EXAMPLE = join("examples", "wine.csv");
const BATCH_ROWS = 200;

/** The function, for callers. */
export interface MlFunctionUrl {
  readonly url: string;
}

/** Starts it, with the settings that were deployed. */
export async function startMlFunction(
  needs: Needs<"foundation" | "pythons" | "settings" | "standIns">,
): Promise<Outcome<MlFunctionUrl>> {
  const { env, places, pythons, settings, signal, standIns } = needs;
  await stopMlFunction(places);
  await requireFreePort(URL_PORT, "the function's URL", "end what uses it");
  const folder = join(places.run, "ml-function");
  mkdirSync(folder, { recursive: true });
  const config: FunctionUrlConfig = {
    port: URL_PORT,
    awsEndpoint: `http://${LOOPBACK}:${standIns.ports.aws}`,
    region: settings.region,
    account: settings.accountId,
    python: pythons.mlFunction,
    zip: join(folder, "function.zip"),
  };
  writeFileSync(config.zip, packFiles(programFiles()));
  const file = join(folder, "url.json");
  writeFileSync(file, JSON.stringify(config));
  const url = `http://${LOOPBACK}:${URL_PORT}/`;
  const service = {
    name: ML_FUNCTION_SERVICE,
    command: process.execPath,
    args: ["--import", "tsx", join("local", "ml-function-url.ts"), file],
    cwd: places.project,
    env,
    fingerprint: "",
    ready: () => answersUnsigned(url),
    readyMs: READY_MS,
  };
  await startService(places, service, signal);
  return { value: { url }, summary: url };
}

/** Ends it. */
export async function stopMlFunction(places: Places): Promise<void> {
  await stopService(places, ML_FUNCTION_SERVICE, STOP_MS);
}

/** Asks for the classes of the example's rows, as `npm run ml:predict` does. */
export async function predictExample(
  { mlFunction, settings, standIns }: Needs<"mlFunction" | "settings" | "standIns">,
  report: Report,
): Promise<Outcome<PredictedFile>> {
  const config = clientConfig(settings, programClouds(standIns.ports, settings.region));
  const { accountId } = settings;
  const client = await MlClient.open({ config, accountId, url: mlFunction.url, say: (text) => report.say(text) });
  const value = await predictFile(client, EXAMPLE, BATCH_ROWS);
  return { value, summary: `${value.predictions.length} rows, model ${value.model.version}` };
}

async function answersUnsigned(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1_000) })).status === FORBIDDEN;
  } catch {
    return false;
  }
}
