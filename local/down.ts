/** `npm run local:down`: ends everything that `npm start` and the `npm run local:…` of the other systems started, and removes what they made. */
import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { Problem, runCommand } from "../commands/support/problem";
import { shell, which } from "../commands/support/shell";
import { DENOISE_SERVICES } from "./phases/denoise-programs";
import { closeEgress } from "./phases/egress";
import { ENGINE_SERVICE, type Engine, enginesInUse, stopEngine } from "./phases/engine";
import { builtImages } from "./phases/images";
import { INFERENCE_SERVICES } from "./phases/inference-programs";
import { ML_FUNCTION_SERVICE } from "./phases/ml-function";
import { PROGRAM_SERVICES } from "./phases/programs";
import { RUN_SERVICE } from "./phases/settings";
import { ENVIRONMENT } from "./phases/synth";
import { type Places, placesOf } from "./places";
import { identityOf, recordedServices, stopService } from "./services";

/** Time to end, in milliseconds, of what needs more than the others: a run of `npm start` ends its programs first. */
const GRACE_MS: Readonly<Record<string, number>> = { [RUN_SERVICE]: 90_000 };
const DEFAULT_GRACE_MS = 15_000;
/** Label of sandboxes: which worker's they are. */
const WORKER_LABEL = "nanogrid.worker";
const DOCKER_MS = 60_000;
const UMOUNT_MS = 10_000;
/** Tries to remove a folder that something else still writes into, and the pause between them, in milliseconds. */
const REMOVALS = 10;
const PAUSE_MS = 300;

async function down(): Promise<void> {
  const places = placesOf();
  const ended: string[] = [];
  const end = async (name: string) => {
    if (await stopService(places, name, GRACE_MS[name] ?? DEFAULT_GRACE_MS)) {
      ended.push(name);
    }
  };
  await end(RUN_SERVICE);
  const services = [...PROGRAM_SERVICES, ...DENOISE_SERVICES, ...INFERENCE_SERVICES, ML_FUNCTION_SERVICE];
  await Promise.all(services.map(end));
  await cleanEngines(places);
  if (await stopEngine(places, process.env)) {
    ended.push(ENGINE_SERVICE);
  }
  await Promise.all(recordedServices(places).map(end));
  await unmount(places);
  const removed = await removeFiles(places);
  process.stdout.write(
    `Ended: ${ended.join(", ") || "nothing was running"}.\nRemoved: ${removed.join(", ") || "nothing was there"}.\n`,
  );
}

/**
 * Removes the containers, then the network of functions, then the images. From an engine that is not ours, only containers of workers that
 * are gone, and images that were built here.
 */
async function cleanEngines(places: Places): Promise<void> {
  const docker = which("docker", process.env);
  const engines = docker === undefined ? [] : enginesInUse(places);
  const each = async (clean: (engine: Engine, run: Docker) => Promise<void>) => {
    for (const engine of engines) {
      const env = { ...process.env, DOCKER_HOST: engine.host };
      const run = async (...args: string[]) => {
        const output = await shell(docker ?? "", args, { env, timeoutMs: DOCKER_MS });
        return output.split("\n").filter(Boolean);
      };
      await clean(engine, run).catch((error: Error) => {
        process.stderr.write(`! The engine at ${engine.host} could not be cleaned: ${error.message}\n`);
      });
    }
  };
  await each(removeContainers);
  if (engines.length > 0) {
    await closeEgress(places, process.env).catch((error: Error) => {
      process.stderr.write(`! The network of functions was not removed: ${error.message}\n`);
    });
  }
  const images = builtImages(places);
  await each(async ({ own }, run) => {
    if (!own && images.length > 0) {
      await run("image", "rm", ...images);
    }
  });
}

/** Runs Docker's command line against one engine. @returns its output's lines */
type Docker = (...args: string[]) => Promise<string[]>;

async function removeContainers({ own }: Engine, run: Docker): Promise<void> {
  const workers = ["--filter", `label=${WORKER_LABEL}`, "--format", `{{.ID}} {{.Label "${WORKER_LABEL}"}}`];
  const containers = own
    ? await run("ps", "--all", "--quiet")
    : (await run("ps", "--all", ...workers))
        .map((line) => line.split(" "))
        .flatMap(([id = "", life = ""]) => (isAlive(life) ? [] : [id]));
  if (containers.length > 0) {
    await run("rm", "--force", "--volumes", ...containers);
  }
}

/** Whether the worker still runs that a container's label names by its process id and start time. */
function isAlive(life: string): boolean {
  const [pid, ticks] = life.split("-");
  return identityOf(Number(pid))?.endsWith(`:${ticks}`) ?? false;
}

/** What an engine that was killed left mounted would keep its folders from being removed. */
async function unmount(places: Places): Promise<void> {
  const mounts = existsSync("/proc/mounts") ? readFileSync("/proc/mounts", "utf8").split("\n") : [];
  const ours = mounts
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => [places.home, places.sockets].some((folder) => path.startsWith(`${folder}/`)));
  for (const path of ours.reverse()) {
    await shell("umount", [path], { env: process.env, timeoutMs: UMOUNT_MS }).catch((error: unknown) => {
      throw new Problem(`${path} is still mounted and cannot be released.`, `As root: umount ${path}`, undefined, {
        cause: error,
      });
    });
  }
}

/** @returns what was removed, relative to the checkout where it is inside */
async function removeFiles(places: Places): Promise<string[]> {
  const files = [
    places.home,
    places.sockets,
    ...localStates(places),
    ...(isSynthesizedForLocal(places) ? [places.output] : []),
  ];
  const present = files.filter((file) => existsSync(file));
  for (const file of present) {
    await remove(file);
  }
  removeIfEmpty(places.bootstrap);
  return present.map((file) => file.replace(`${places.project}/`, ""));
}

/**
 * Removes a file or folder. A program that is about to end may still write into it, so it is tried again for a while.
 *
 * @throws Problem that names what writes, when it does not end
 */
async function remove(path: string): Promise<void> {
  for (let tried = 1; ; tried++) {
    try {
      rmSync(path, { recursive: true, force: true });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOTEMPTY") {
        throw error;
      }
      if (tried === REMOVALS) {
        const users = usersOf(path);
        throw new Problem(
          `${path} cannot be removed: ${users.join(", ") || "something"} still writes into it.`,
          "End that, then run npm run local:down again.",
          undefined,
          { cause: error },
        );
      }
      await sleep(PAUSE_MS);
    }
  }
}

/** Processes that run in a folder or have a file of it open, as `name (pid 1)`. Empty where the system does not tell. */
function usersOf(folder: string): string[] {
  const isBelow = (link: string) => {
    try {
      return `${readlinkSync(link)}/`.startsWith(`${folder}/`);
    } catch {
      return false;
    }
  };
  const entries = (path: string) => {
    try {
      return readdirSync(path);
    } catch {
      return [];
    }
  };
  return entries("/proc")
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .filter((pid) => {
      const files = join("/proc", pid, "fd");
      return isBelow(join("/proc", pid, "cwd")) || entries(files).some((file) => isBelow(join(files, file)));
    })
    .map((pid) => `${nameOf(pid)} (pid ${pid})`);
}

function nameOf(pid: string): string {
  try {
    return readFileSync(join("/proc", pid, "comm"), "utf8").trim();
  } catch {
    return "a program that has ended since";
  }
}

/** Other environments' first states may be in it. */
function removeIfEmpty(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) {
    rmdirSync(folder);
  }
}

function localStates(places: Places): string[] {
  const file = join(places.bootstrap, `${ENVIRONMENT}.tfstate`);
  return [file, `${file}.backup`];
}

/** Whether `cdktf.out` was last synthesized for the stand-ins: what it points to is gone then. */
function isSynthesizedForLocal(places: Places): boolean {
  try {
    const stacks = join(places.output, "stacks");
    return readdirSync(stacks).some((stack) =>
      readFileSync(join(stacks, stack, "cdk.tf.json"), "utf8").includes(`/${ENVIRONMENT}/${stack}.tfstate`),
    );
  } catch {
    return false;
  }
}

const program = new Command("npm run local:down --")
  .description("Ends everything that npm start started, and removes everything that it made.")
  .option("--verbose", "print stack traces")
  .action(async (options: { verbose?: boolean }) => {
    await runCommand(down, options.verbose);
  });

void program.parseAsync();
