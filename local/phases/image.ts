/** The sandbox image that functions run in, built from this checkout under the tag that the workers ask for. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { shell, which } from "../../commands/support/shell";
import { pythonRuntimeImage } from "../../userdata/worker/artifact";
import type { Needs, Outcome, Report } from "../phase";
import { logOf, type Places } from "../places";
import { installPackages, mayInstall } from "./tools";

/** Names of the images that a build makes. */
const REPOSITORIES = ["nanogrid/runtime-python", "nanogrid/debian-python"];

/** Where the image's base comes from; where it does not answer, the build makes a base with debootstrap. */
const REGISTRY = "https://public.ecr.aws/v2/";
const REGISTRY_MS = 5_000;
const BUILD_MS = 900_000;
const PROBE_MS = 20_000;

/** Builds the image unless the engine has it: the tag names its content. */
export async function buildRuntimeImage(needs: Needs<"engine" | "tools">, report: Report): Promise<Outcome<string>> {
  const { engine, env, places, signal, tools } = needs;
  const tag = pythonRuntimeImage();
  const engineEnv = { ...env, DOCKER_HOST: engine.host };
  const inspect = ["image", "inspect", "--format", "{{.Id}}", tag];
  const present = await shell(tools.docker, inspect, { env: engineEnv, timeoutMs: PROBE_MS, signal }).then(
    () => true,
    () => false,
  );
  signal.throwIfAborted();
  if (present) {
    return { value: tag, summary: `${tag}, there already` };
  }
  if (which("debootstrap", env) === undefined && mayInstall(needs) && !(await registryAnswers())) {
    await installPackages(["debootstrap"], needs, report);
  }
  const before = await imagesOf(tools.docker, engineEnv);
  const build = join(places.project, "userdata", "worker", "runtimes", "python", "build");
  await shell(build, ["--tag", tag], {
    cwd: places.project,
    env: engineEnv,
    log: logOf(places, "image"),
    timeoutMs: BUILD_MS,
    signal,
    onLine: (line) => report.say(line.trim().slice(0, 100)),
  });
  const made = (await imagesOf(tools.docker, engineEnv)).filter((image) => !before.includes(image));
  appendFileSync(recordOf(places), made.map((image) => `${image}\n`).join(""));
  return { value: tag, summary: tag };
}

/** The images that were built here, as against those that the engine had. */
export function builtImages(places: Places): string[] {
  const file = recordOf(places);
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
}

function recordOf(places: Places): string {
  return join(places.run, "images");
}

async function imagesOf(docker: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const list = ["images", "--format", "{{.Repository}}:{{.Tag}}"];
  const images = (await shell(docker, list, { env, timeoutMs: PROBE_MS })).split("\n");
  return images.filter((image) => REPOSITORIES.includes(image.split(":")[0] ?? ""));
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
