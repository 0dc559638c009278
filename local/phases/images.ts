/** The sandbox images that functions run in, built from this checkout, and their place in the registry that the workers' stack reads. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createClients } from "../../commands/support/clients";
import { type Docker, hasImage } from "../../commands/support/registry";
import { buildImage, pushedDigest, putManifest } from "../../commands/support/runtime-images";
import { shell, which } from "../../commands/support/shell";
import { RUNTIMES, type Runtime, runtimeImage, runtimeRepository } from "../../userdata/worker/artifact";
import type { Needs, Outcome, Report } from "../phase";
import { logOf, type Places } from "../places";
import { installPackages, mayInstall } from "./tools";

/** The name under which the engine has each runtime's image. */
export type RuntimeImages = Readonly<Record<Runtime, string>>;

/** The digest under which the registry has each runtime's image; undefined where nothing was deployed. */
export type PublishedImages = Readonly<Record<Runtime, string>> | undefined;

/** Names of the images that builds make: the runtimes', and the bases that are made where no registry answers. */
const MADE_HERE = [...RUNTIMES.map(runtimeRepository), "nanogrid/debian", "nanogrid/debian-node"];

/** Where the images' bases come from; where it does not answer, the build makes a base with debootstrap. */
const REGISTRY = "https://public.ecr.aws/v2/";
const REGISTRY_MS = 5_000;
const PROBE_MS = 20_000;

/** Builds the images that the engine lacks: their tags name their content. */
export async function buildRuntimeImages(
  needs: Needs<"engine" | "tools">,
  report: Report,
): Promise<Outcome<RuntimeImages>> {
  const { env, places, signal } = needs;
  const docker = dockerOf(needs);
  const value = imagesByRuntime(runtimeImage);
  const missing: Runtime[] = [];
  for (const runtime of RUNTIMES) {
    if (!(await hasImage(docker, value[runtime], signal))) {
      missing.push(runtime);
    }
  }
  const summary = Object.values(value).join(", ");
  if (missing.length === 0) {
    return { value, summary: `${summary}, there already` };
  }
  if (which("debootstrap", env) === undefined && mayInstall(needs) && !(await registryAnswers())) {
    await installPackages(["debootstrap"], needs, report);
  }
  const before = await imagesOf(docker);
  const onLine = (line: string) => report.say(line.trim().slice(0, 100));
  for (const runtime of missing) {
    await buildImage(places.project, docker, runtime, { log: logOf(places, "images"), signal, onLine });
  }
  const made = (await imagesOf(docker)).filter((image) => !before.includes(image));
  appendFileSync(recordOf(places), made.map((image) => `${image}\n`).join(""));
  return { value, summary };
}

/** Puts the images' manifests into the stand-in's registry, where the workers' stack looks their digests up. */
export async function publishImages(
  needs: Needs<"engine" | "tools" | "settings" | "foundation" | "images">,
): Promise<Outcome<PublishedImages>> {
  const { foundation, settings } = needs;
  if (foundation.by === "substitute") {
    return { value: undefined, summary: "left out" };
  }
  const { ecr } = createClients(settings, foundation.env);
  const digests: [Runtime, string][] = [];
  let put = 0;
  for (const runtime of RUNTIMES) {
    const there = await pushedDigest(ecr, runtime);
    digests.push([runtime, there ?? (await putManifest(ecr, dockerOf(needs), runtime))]);
    put += Number(there === undefined);
  }
  const value = Object.fromEntries(digests) as Record<Runtime, string>;
  return { value, summary: put === 0 ? "there already" : `${put} manifests put` };
}

/** The images that were built here, as against those that the engine had. */
export function builtImages(places: Places): string[] {
  const file = recordOf(places);
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
}

function recordOf(places: Places): string {
  return join(places.run, "images");
}

function dockerOf({ engine, env, tools }: Needs<"engine" | "tools">): Docker {
  return { program: tools.docker, env: { ...env, DOCKER_HOST: engine.host } };
}

function imagesByRuntime(name: (runtime: Runtime) => string): RuntimeImages {
  return Object.fromEntries(RUNTIMES.map((runtime) => [runtime, name(runtime)])) as Record<Runtime, string>;
}

async function imagesOf({ env, program }: Docker): Promise<string[]> {
  const list = ["images", "--format", "{{.Repository}}:{{.Tag}}"];
  const images = (await shell(program, list, { env, timeoutMs: PROBE_MS })).split("\n");
  return images.filter((image) => MADE_HERE.includes(image.split(":")[0] ?? ""));
}

/** Whether the registry answers, be it with a demand for a token. */
async function registryAnswers(): Promise<boolean> {
  try {
    const answer = await fetch(REGISTRY, { signal: AbortSignal.timeout(REGISTRY_MS) });
    await answer.body?.cancel();
    return true;
  } catch {
    return false;
  }
}
