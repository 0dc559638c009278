/** The stand-ins of the clouds and a real Redis, on loopback. They keep running between runs. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { filesBelow, hashOf } from "../../modules/platform/artifact";
import type { CloudPorts } from "../clouds";
import type { Needs, Outcome, Report } from "../phase";
import type { Places } from "../places";
import { LOOPBACK, requireFreePort } from "../ports";
import { PRODUCT_INFERENCE_PORT } from "../product-inference";
import { answersOk, findService, startService, stopService } from "../services";

/** Where the stand-ins answer. */
export interface StandIns {
  readonly ports: CloudPorts;
  readonly redisPort: number;
}

/** Name of the stand-ins among the services. */
const STAND_INS_SERVICE = "stand-ins";
/** Name of Redis among the services. */
const REDIS_SERVICE = "redis";

const READY_MS = 60_000;
const PROBE_MS = 2_000;
const STOP_MS = 10_000;

/** Starts what does not run yet; what runs is kept, with all that was deployed into it. */
export async function startStandIns(needs: StandInNeeds, report: Report): Promise<Outcome<StandIns>> {
  const { options, places, settings } = needs;
  const redisPort = settings.nanogrid.data.redis.port;
  const standIns = { ports: { aws: options.awsPort, gcp: options.gcpPort }, redisPort };
  const redis = await keepOrStart(needs, redisService(needs, redisPort), report, [
    { port: redisPort, remedy: "set context.environments.local.nanogrid.data.redis.port in cdktf.json" },
  ]);
  const clouds = await keepOrStart(needs, cloudService(needs, standIns), report, [
    { port: standIns.ports.aws, remedy: "choose another with npm start -- --aws-port <port>" },
    { port: standIns.ports.gcp, remedy: "choose another with npm start -- --gcp-port <port>" },
  ]);
  writeFileSync(portsFile(places), `${JSON.stringify(standIns.ports)}\n`);
  const kept = [redis, clouds].every((how) => how === "kept") ? ", still running" : "";
  return {
    value: standIns,
    summary: `AWS on ${standIns.ports.aws}, Google Cloud on ${standIns.ports.gcp}, Redis on ${redisPort}${kept}`,
  };
}

/** Ports of the stand-ins that run, or undefined. */
export function portsOfRunning(places: Places): CloudPorts | undefined {
  if (findService(places, STAND_INS_SERVICE) === undefined) {
    return undefined;
  }
  try {
    return JSON.parse(readFileSync(portsFile(places), "utf8")) as CloudPorts;
  } catch {
    return undefined;
  }
}

type Spec = Parameters<typeof startService>[1];

type StandInNeeds = Needs<"settings" | "tools" | "pythons" | "providers">;

async function keepOrStart(
  { places, signal }: Needs,
  spec: Spec,
  report: Report,
  ports: readonly { port: number; remedy: string }[],
): Promise<"kept" | "started"> {
  const running = findService(places, spec.name);
  if (running !== undefined) {
    if (running.fingerprint === spec.fingerprint && (await spec.ready())) {
      return "kept";
    }
    report.say(`${spec.name}: starting anew, since it changed`);
    await stopService(places, spec.name, STOP_MS);
  }
  for (const { port, remedy } of ports) {
    await requireFreePort(port, spec.name, remedy);
  }
  report.say(`${spec.name}: starting`);
  await startService(places, spec, signal);
  return "started";
}

function redisService({ env, places, tools }: Needs<"tools">, port: number): Spec {
  const folder = join(places.run, REDIS_SERVICE);
  mkdirSync(folder, { recursive: true });
  const args = ["--bind", LOOPBACK, "--port", String(port), "--dir", folder, "--save", "", "--appendonly", "no"];
  return {
    name: REDIS_SERVICE,
    command: tools.redis,
    args,
    cwd: folder,
    env,
    fingerprint: args.join(" "),
    ready: () => redisAnswers(port),
    readyMs: READY_MS,
  };
}

function cloudService(needs: StandInNeeds, standIns: StandIns): Spec {
  const { env, places, providers, pythons, settings } = needs;
  const source = join(places.project, "local", "standins");
  const { ports, redisPort } = standIns;
  const args = [
    "-m",
    "standins",
    ...["--aws-port", String(ports.aws), "--gcp-port", String(ports.gcp)],
    ...["--redis-host", LOOPBACK, "--redis-port", String(redisPort)],
    ...["--account", settings.accountId],
    ...["--embeddings", `http://${LOOPBACK}:${PRODUCT_INFERENCE_PORT}`],
  ];
  return {
    name: STAND_INS_SERVICE,
    command: pythons.standIns,
    args,
    cwd: places.home,
    env: { ...env, PYTHONPATH: source, PYTHONUNBUFFERED: "1" },
    // What was made without Terraform is in no state, so that the two kinds of deployment need stand-ins of their own.
    fingerprint: createHash("sha256")
      .update(`${args.join(" ")} ${providers.kind === "none"}`)
      .update(sourceHash(source))
      .digest("hex"),
    ready: async () => {
      const answers = [ports.aws, ports.gcp].map((port) => answersOk(`http://${LOOPBACK}:${port}/standins/health`));
      return (await Promise.all(answers)).every(Boolean);
    },
    readyMs: READY_MS,
  };
}

/** A hash of the stand-ins' own code: a run with other code must not be kept. */
function sourceHash(folder: string): string {
  return hashOf(filesBelow(folder, (path) => /\.(py|lock)$/.test(path)));
}

/** Whether a Redis says PONG on that port. */
function redisAnswers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: LOOPBACK, port, timeout: PROBE_MS }, () => socket.write("PING\r\n"));
    const answer = (value: boolean) => {
      socket.destroy();
      resolve(value);
    };
    socket.once("data", (data) => answer(data.toString().startsWith("+PONG")));
    socket.once("error", () => answer(false));
    socket.once("timeout", () => answer(false));
    socket.once("close", () => answer(false));
  });
}

function portsFile(places: Places): string {
  return join(places.run, "ports");
}
