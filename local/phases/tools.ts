/** The tools that the embedded default runs on: found, installed where that may be done, or named with what to run. */
import { platform } from "node:os";
import { Problem, Problems } from "../../commands/support/problem";
import { shell, which } from "../../commands/support/shell";
import type { Needs, Outcome, Report } from "../phase";
import { logOf } from "../places";
import { fetchTerraform, TERRAFORM_PAGE } from "../terraform-download";

/** Programs by their full path. */
export interface Tools {
  /** Terraform, or undefined where it is left out. */
  readonly terraform: string | undefined;
  readonly python: string;
  readonly redis: string;
  readonly docker: string;
  /** The Docker engine's program, for an engine of our own. */
  readonly dockerd: string | undefined;
  /** The quick installer of Python packages, where there is one. */
  readonly uv: string | undefined;
}

const MIN_TERRAFORM = [1, 11] as const;
const MIN_PYTHON = [3, 11] as const;
const PYTHONS = ["python3", "python3.13", "python3.12", "python3.11"];
const PROBE_MS = 20_000;
const APT_MS = 600_000;

/** A tool that has to be there. */
interface Tool {
  readonly name: string;
  readonly why: string;
  readonly find: (env: NodeJS.ProcessEnv) => Promise<string | undefined>;
  /** Debian and Ubuntu packages that bring it. */
  readonly packages: readonly string[];
  /** What to run elsewhere. */
  readonly elsewhere: string;
}

const TOOLS = {
  python: {
    name: `python >= ${MIN_PYTHON.join(".")}`,
    why: "the stand-ins and the worker run on it",
    find: findPython,
    packages: ["python3", "python3-venv"],
    elsewhere: "install it from https://www.python.org/downloads/",
  },
  redis: {
    name: "redis-server",
    why: "job status and results pass through it",
    find: async (env) => which("redis-server", env),
    packages: ["redis-server"],
    elsewhere: "brew install redis",
  },
  docker: {
    name: "docker",
    why: "functions run in containers",
    find: async (env) => which("docker", env),
    packages: ["docker.io"],
    elsewhere: "install it from https://docs.docker.com/engine/install/",
  },
} satisfies Record<string, Tool>;

/** Finds every tool; installs what is missing where it may; otherwise one error names them all. */
export async function findTools({ env, options, places, signal }: Needs, report: Report): Promise<Outcome<Tools>> {
  const needs = { env, options, places, signal };
  let missing = await lacking(env);
  if (missing.length > 0 && mayInstall(needs)) {
    const packages = missing.flatMap((tool) => tool.packages);
    await installPackages(packages, needs, report);
    missing = await lacking(env);
  }
  if (missing.length > 0) {
    throw new Problems(missing.map((tool) => new Problem(`${tool.name} is missing: ${tool.why}.`, howToInstall(tool))));
  }
  const found = {
    terraform: options.terraform ? await findTerraform(needs, report) : undefined,
    python: (await TOOLS.python.find(env)) ?? "",
    redis: (await TOOLS.redis.find(env)) ?? "",
    docker: (await TOOLS.docker.find(env)) ?? "",
    dockerd: which("dockerd", env),
    uv: which("uv", env),
  };
  const names = Object.entries(found).flatMap(([name, path]) => (path === undefined ? [] : [name]));
  return { value: found, summary: names.join(", ") };
}

async function lacking(env: NodeJS.ProcessEnv): Promise<Tool[]> {
  const tools: Tool[] = Object.values(TOOLS);
  const found = await Promise.all(tools.map((tool) => tool.find(env)));
  return tools.filter((_, index) => found[index] === undefined);
}

/** Whether packages can be installed here, and were not forbidden. */
export function mayInstall({ env, options }: Pick<Needs, "env" | "options">): boolean {
  return options.install && process.getuid?.() === 0 && which("apt-get", env) !== undefined;
}

/** Installs packages of Debian or Ubuntu. */
export async function installPackages(
  packages: readonly string[],
  { env, places, signal }: Needs,
  report: Report,
): Promise<void> {
  report.say(`installing ${packages.join(", ")}`);
  const log = logOf(places, "apt");
  const apt = { env: { ...env, DEBIAN_FRONTEND: "noninteractive" }, log, timeoutMs: APT_MS, signal };
  await shell("apt-get", ["update"], apt);
  await shell("apt-get", ["install", "--yes", "--no-install-recommends", ...packages], apt);
}

function howToInstall(tool: Tool): string {
  return platform() === "linux"
    ? `On Debian or Ubuntu: sudo apt-get install --yes ${tool.packages.join(" ")}`
    : `To get it: ${tool.elsewhere}`;
}

/** Terraform on PATH, fetched before, or fetched now; undefined, with a warning, where none can be had. */
async function findTerraform({ env, options, places, signal }: Needs, report: Report): Promise<string | undefined> {
  const needed = `Terraform >= ${MIN_TERRAFORM.join(".")}`;
  const own = `${places.bin}/terraform`;
  for (const candidate of [which("terraform", env), which("terraform", { PATH: places.bin })]) {
    if (candidate !== undefined && isAtLeast(await terraformVersion(candidate, env), MIN_TERRAFORM)) {
      return candidate;
    }
  }
  if (options.install) {
    try {
      report.say("fetching Terraform");
      await fetchTerraform(own, signal);
      return own;
    } catch (error) {
      signal.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      report.warn(`${needed} is missing and could not be fetched (${reason}). Install it from ${TERRAFORM_PAGE}.`);
      return undefined;
    }
  }
  report.warn(`${needed} is missing. Install it from ${TERRAFORM_PAGE}.`);
  return undefined;
}

async function terraformVersion(terraform: string, env: NodeJS.ProcessEnv): Promise<string> {
  const quiet = { ...env, TF_CLI_CONFIG_FILE: undefined, CHECKPOINT_DISABLE: "1" };
  const output = await shell(terraform, ["version", "-json"], { env: quiet, timeoutMs: PROBE_MS });
  return (JSON.parse(output) as { terraform_version: string }).terraform_version;
}

/** The newest Python that is new enough, by its full path, or undefined. */
export async function findPython(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const candidate of PYTHONS.map((name) => which(name, env)).filter((path) => path !== undefined)) {
    const script = "import platform, sys; print(platform.python_version(), sys.executable)";
    const output = await shell(candidate, ["-c", script], { env, timeoutMs: PROBE_MS }).catch(() => "");
    const [version = "", executable = ""] = output.split(" ");
    if (isAtLeast(version, MIN_PYTHON)) {
      return executable;
    }
  }
  return undefined;
}

/** Whether `1.11.4` is at least `[1, 11]`. */
function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}
