/** `npm run local:down`: ends everything that `npm start` started, and removes everything that it made. */
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { Problem, runCommand } from "../commands/support/problem";
import { shell, which } from "../commands/support/shell";
import { closeEgress } from "./phases/egress";
import { ENGINE_SERVICE, recordedEngine, stopEngine } from "./phases/engine";
import { builtImages } from "./phases/images";
import { PROGRAM_SERVICES } from "./phases/programs";
import { RUN_SERVICE } from "./phases/settings";
import { ENVIRONMENT } from "./phases/synth";
import { type Places, placesOf } from "./places";
import { findService, identityOf, recordedServices, stopService } from "./services";

/** Time to end, in milliseconds, of what needs more than the others: a run of `npm start` ends its programs first. */
const GRACE_MS: Readonly<Record<string, number>> = { [RUN_SERVICE]: 90_000 };
const DEFAULT_GRACE_MS = 15_000;
/** Label of sandboxes: which worker's they are. */
const WORKER_LABEL = "nanogrid.worker";
const DOCKER_MS = 60_000;
const UMOUNT_MS = 10_000;

async function down(): Promise<void> {
  const places = placesOf();
  const ended: string[] = [];
  const end = async (name: string) => {
    if (await stopService(places, name, GRACE_MS[name] ?? DEFAULT_GRACE_MS)) {
      ended.push(name);
    }
  };
  await end(RUN_SERVICE);
  await Promise.all(PROGRAM_SERVICES.map(end));
  await removeContainers(places);
  if (await stopEngine(places, process.env)) {
    ended.push(ENGINE_SERVICE);
  }
  await Promise.all(recordedServices(places).map(end));
  await unmount(places);
  const removed = removeFiles(places);
  process.stdout.write(
    `Ended: ${ended.join(", ") || "nothing was running"}.\nRemoved: ${removed.join(", ") || "nothing was there"}.\n`,
  );
}

/** Removes the containers. From an engine that is not ours, only those of workers that are gone, and the images that were built here. */
async function removeContainers(places: Places): Promise<void> {
  const engine = recordedEngine(places);
  const docker = which("docker", process.env);
  // An engine of our own that has ended took its containers with it; its data goes with the folder.
  const hasEnded = engine?.own && findService(places, ENGINE_SERVICE) === undefined;
  if (engine === undefined || hasEnded || docker === undefined) {
    return;
  }
  const env = { ...process.env, DOCKER_HOST: engine.host };
  const run = async (...args: string[]) => {
    const output = await shell(docker, args, { env, timeoutMs: DOCKER_MS });
    return output.split("\n").filter(Boolean);
  };
  try {
    const workers = ["--filter", `label=${WORKER_LABEL}`, "--format", `{{.ID}} {{.Label "${WORKER_LABEL}"}}`];
    const containers = engine.own
      ? await run("ps", "--all", "--quiet")
      : (await run("ps", "--all", ...workers))
          .map((line) => line.split(" "))
          .flatMap(([id = "", life = ""]) => (isAlive(life) ? [] : [id]));
    if (containers.length > 0) {
      await run("rm", "--force", "--volumes", ...containers);
    }
    await closeEgress(places, process.env);
    const images = engine.own ? [] : builtImages(places);
    if (images.length > 0) {
      await run("image", "rm", ...images);
    }
  } catch (error) {
    process.stderr.write(`! The engine at ${engine.host} could not be cleaned: ${(error as Error).message}\n`);
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
function removeFiles(places: Places): string[] {
  const files = [
    places.home,
    places.sockets,
    ...localStates(places),
    ...(isSynthesizedForLocal(places) ? [places.output] : []),
  ];
  const present = files.filter((file) => existsSync(file));
  for (const file of present) {
    rmSync(file, { recursive: true, force: true });
  }
  removeIfEmpty(places.bootstrap);
  return present.map((file) => file.replace(`${places.project}/`, ""));
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
