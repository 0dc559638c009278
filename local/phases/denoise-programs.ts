/** Denoise's programs in the background: Triton on this machine's processor, the API, and what stands in for API Gateway and Lambda. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pageFiles } from "../../containers/denoise/page/build";
import { programClouds } from "../clouds";
import type { GatewayConfig } from "../denoise-gateway";
import { prepareNodeRuntime, type RuntimeCommand } from "../lambda/node-runtime";
import type { Needs, Outcome, Report } from "../phase";
import type { Places } from "../places";
import { LOOPBACK, requireFreePort } from "../ports";
import { answersOk, startService, stopService } from "../services";

/** Programs that run. */
export interface DenoisePrograms {
  /** Where the stand-in of the HTTP API answers; the page is at its root. */
  readonly url: string;
}

/** Names of the programs among the services, in the order in which they stop. */
export const DENOISE_SERVICES = ["denoise-gateway", "denoise-api", "triton"] as const;
/** Port of the stand-in of the HTTP API. */
export const GATEWAY_PORT = 8090;

/** Triton loads and warms both models. */
const TRITON_MS = 180_000;
const READY_MS = 60_000;
const STOP_MS = 30_000;
const MODELS = "containers/denoise/models";
const SERVICE = "containers/denoise/service";

/** What the programs are started from. */
export type ProgramNeeds = Needs<"denoise" | "pythons" | "settings" | "standIns">;

/** Starts all of them, each when what it needs answers. */
export async function startDenoise(needs: ProgramNeeds, report: Report): Promise<Outcome<DenoisePrograms>> {
  const { denoise, places, signal } = needs;
  const own = { ports: portsOf(denoise.apiEnv), folder: join(places.run, "denoise") };
  await stopDenoise(places);
  for (const port of [...Object.values(own.ports), GATEWAY_PORT]) {
    await requireFreePort(port, "Denoise", "end what uses it");
  }
  report.say("AWS's runtime interface client: about a minute at the first time");
  const command = await prepareNodeRuntime(places.home);
  report.say("Triton: loading the models");
  await startService(places, tritonService(needs, own), signal);
  report.say("the API: starting");
  await startService(places, apiService(needs, own), signal);
  await startService(places, gatewayService(needs, own, command), signal);
  const url = `http://${LOOPBACK}:${GATEWAY_PORT}`;
  return { value: { url }, summary: `${url}, Triton on ${own.ports.http} and ${own.ports.grpc}` };
}

/** Ends them. */
export async function stopDenoise(places: Places): Promise<void> {
  for (const name of DENOISE_SERVICES) {
    await stopService(places, name, STOP_MS);
  }
}

/** Where they listen, and keep files. */
export interface Own {
  readonly ports: Readonly<Record<"api" | "http" | "grpc" | "metrics", number>>;
  /** Folder of the API's files. */
  readonly folder: string;
}

/** The ports that the task definition names. */
function portsOf(env: Readonly<Record<string, string>>): Own["ports"] {
  const portOf = (name: string) => Number(env[name]?.split(":").at(-1));
  return {
    api: portOf("DDN_PORT"),
    http: portOf("DDN_TRITON_HTTP"),
    grpc: portOf("DDN_TRITON_GRPC"),
    metrics: 8002,
  };
}

/** Triton with the models of the image, on this machine's processor. */
export function tritonService({ env, places, pythons }: ProgramNeeds, { ports }: Own) {
  const { grpc, http, metrics } = ports;
  return {
    name: "triton",
    command: pythons.triton,
    args: [
      ...["-m", "triton_cpu", "--model-repository", join(places.project, MODELS)],
      ...["--http-port", String(http), "--grpc-port", String(grpc), "--metrics-port", String(metrics)],
    ],
    cwd: places.home,
    env: { ...env, PYTHONPATH: join(places.project, "local", "triton") },
    fingerprint: "",
    ready: () => answersOk(`http://${LOOPBACK}:${http}/v2/health/ready`),
    readyMs: TRITON_MS,
  };
}

/** The API under gunicorn, with the environment of its container. */
export function apiService(
  { denoise, env, places, pythons, settings, standIns }: ProgramNeeds,
  { folder, ports }: Own,
) {
  const page = join(folder, "page");
  mkdirSync(page, { recursive: true });
  for (const { content, path } of pageFiles()) {
    writeFileSync(join(page, path), content);
  }
  const service = join(places.project, SERVICE);
  return {
    name: "denoise-api",
    command: pythons.denoise,
    args: ["-m", "gunicorn", `--config=${join(service, "gunicorn.conf.py")}`, "denoise_service.wsgi:create_app()"],
    cwd: places.home,
    env: {
      ...env,
      ...denoise.apiEnv,
      ...programClouds(standIns.ports, settings.region),
      DDN_PAGE_DIR: page,
      DDN_TEMP_DIR: join(folder, "tmp"),
      PYTHONPATH: service,
      PYTHONUNBUFFERED: "1",
    },
    fingerprint: "",
    ready: () => answersOk(`http://${LOOPBACK}:${ports.api}/healthz`),
    readyMs: READY_MS,
  };
}

function gatewayService(
  { env, places, settings, standIns }: ProgramNeeds,
  { folder, ports }: Own,
  command: RuntimeCommand,
) {
  const config: GatewayConfig = {
    port: GATEWAY_PORT,
    upstream: `http://${LOOPBACK}:${ports.api}`,
    awsEndpoint: `http://${LOOPBACK}:${standIns.ports.aws}`,
    region: settings.region,
    command,
  };
  const file = join(folder, "gateway.json");
  writeFileSync(file, JSON.stringify(config));
  return {
    name: "denoise-gateway",
    command: process.execPath,
    args: ["--import", "tsx", join("local", "denoise-gateway.ts"), file],
    cwd: places.project,
    env,
    fingerprint: "",
    ready: () => answersOk(`http://${LOOPBACK}:${GATEWAY_PORT}/ping`),
    readyMs: READY_MS,
  };
}
