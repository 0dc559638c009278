/** The controller and one worker, as background processes, with the environment that their cloud-init renders. */
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Problem } from "../../commands/support/problem";
import { programClouds } from "../clouds";
import type { Needs, Outcome, Report } from "../phase";
import { logOf, type Places } from "../places";
import { LOOPBACK, requireFreePort } from "../ports";
import { answersOk, startService, stopService } from "../services";

/** Programs that run. */
export interface Programs {
  /** Where the API answers. */
  readonly url: string;
  /** Environment of the controller, and of operator commands that act on its tables. */
  readonly controllerEnv: NodeJS.ProcessEnv;
}

/** Names of the programs among the services, in the order in which they stop. */
export const PROGRAM_SERVICES = ["worker", "controller"] as const;

const READY_MS = 60_000;
/** Time to finish what runs, and to archive what is owed; the queue gives the rest to another worker. */
const STOP_MS = 30_000;
/** A worker ends after its poll: Ctrl-C should not take the 20 s of a long one. */
const POLL_WAIT_S = 2;
/** What the worker logs when it polls. */
const WORKER_READY = "worker is ready";

type ProgramNeeds = Needs<
  "handover" | "standIns" | "settings" | "engine" | "egress" | "pythons" | "images" | "published"
>;

/** Starts both and waits until the controller says that it can accept work and the worker that it polls. */
export async function startPrograms(needs: ProgramNeeds, report: Report): Promise<Outcome<Programs>> {
  const { env, handover, places, settings, signal, standIns } = needs;
  requireSameImages(needs);
  await stopPrograms(places);
  const clouds = programClouds(standIns.ports, settings.region);
  const port = Number(handover.controllerEnv.PORT ?? settings.nanogrid.controllers.port);
  await requireFreePort(
    port,
    "the controller",
    "set context.environments.local.nanogrid.controllers.port in cdktf.json",
  );
  const controllerEnv = {
    ...env,
    ...handover.controllerEnv,
    ...clouds,
    HOST: LOOPBACK,
    LOG_FILE: logOf(places, "controller"),
  };
  const url = `http://${LOOPBACK}:${port}`;

  report.say("controller: starting");
  const controller = {
    name: "controller",
    command: process.execPath,
    args: ["--import", "tsx", join("userdata", "controller", "src", "main.ts")],
    cwd: places.project,
    env: controllerEnv,
    fingerprint: "",
    ready: () => answersOk(`${url}/health`),
    readyMs: READY_MS,
  };
  const worker = workerService(needs, clouds);
  await Promise.all([startService(places, controller, signal), startService(places, worker, signal)]);
  return { value: { url, controllerEnv }, summary: url };
}

/** Ends both, the worker first, so that no job starts while the controller goes. */
export async function stopPrograms(places: Places): Promise<void> {
  for (const name of PROGRAM_SERVICES) {
    await stopService(places, name, STOP_MS);
  }
}

/** The digests in the workers' environment have to be those of the images that were built: a run takes time, and sources change. */
function requireSameImages({ handover, published }: ProgramNeeds): void {
  for (const [runtime, digest] of Object.entries(published ?? {})) {
    const asked = handover.workerEnv[imageVariable(runtime)] ?? "";
    if (!asked.endsWith(`@${digest}`)) {
      throw new Problem(
        `The workers ask for the ${runtime} image ${asked}, and this run has put ${digest} into the registry.`,
        "The sources changed during the run: start again.",
      );
    }
  }
}

/** Variable that names a runtime's image to the worker. */
function imageVariable(runtime: string): string {
  return `RUNTIME_IMAGE_${runtime.toUpperCase()}`;
}

function workerService(
  { egress, engine, env, handover, images, places, pythons }: ProgramNeeds,
  clouds: Record<string, string>,
) {
  const runDir = join(places.sockets, "worker");
  const cacheDir = join(places.run, "worker-cache");
  mkdirSync(runDir, { recursive: true, mode: 0o700 });
  mkdirSync(cacheDir, { recursive: true });
  const log = logOf(places, "worker");
  const alreadyLogged = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  return {
    name: "worker",
    command: pythons.worker,
    args: ["-m", "nanogrid_worker"],
    cwd: places.run,
    env: {
      ...env,
      ...handover.workerEnv,
      ...clouds,
      ...Object.fromEntries(Object.entries(images).map(([runtime, image]) => [imageVariable(runtime), image])),
      EGRESS_NETWORK: egress,
      // This machine is in no group, and its engine maps no users.
      ASG_NAME: "",
      REQUIRE_USER_NAMESPACES: "false",
      PYTHONPATH: join(places.project, "userdata", "worker"),
      PYTHONUNBUFFERED: "1",
      DOCKER_HOST: engine.host,
      RUN_DIR: runDir,
      CACHE_DIR: cacheDir,
      LOG_FILE: log,
      POLL_WAIT_S: String(POLL_WAIT_S),
    },
    fingerprint: "",
    ready: async () => readFrom(log, alreadyLogged).includes(WORKER_READY),
    readyMs: READY_MS,
  };
}

function readFrom(file: string, offset: number): string {
  return existsSync(file) ? readFileSync(file).subarray(offset).toString("utf8") : "";
}
