/** A container engine: the one that is there, or one of our own below `.local/docker`. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Problem } from "../../commands/support/problem";
import { shell, which } from "../../commands/support/shell";
import { hasUserChain, mayUseFirewall, rememberFirewall, restoreFirewall } from "../firewall";
import type { Needs, Outcome, Report } from "../phase";
import { logOf, type Places } from "../places";
import { findService, startService, stopService } from "../services";
import { installPackages, mayInstall } from "./tools";

/** An engine that answers. */
export interface Engine {
  /** Its address, as DOCKER_HOST. */
  readonly host: string;
  /** Whether it was started here, and goes with `npm run local:down`. */
  readonly own: boolean;
}

/** Name of our own engine among the services. */
export const ENGINE_SERVICE = "docker";

const PROBE_MS = 10_000;
const START_MS = 60_000;
const STOP_MS = 30_000;
/** The engine chooses first; the last one works on every file system, at the price of space. */
const STORAGE_DRIVERS = [undefined, "vfs"] as const;

/** Takes the engine that the shell points at; starts one where there is none and this user may. */
export async function findEngine(needs: Needs<"tools">, report: Report): Promise<Outcome<Engine>> {
  const outcome = await findOrStart(needs, report);
  mkdirSync(needs.places.run, { recursive: true });
  writeFileSync(recordOf(needs.places), `${JSON.stringify(outcome.value)}\n`);
  return outcome;
}

/** The engines that may have containers of ours: that of the last run, and our own if an earlier run started it. */
export function enginesInUse(places: Places): Engine[] {
  const own = findService(places, ENGINE_SERVICE) === undefined ? [] : [{ host: ownHost(places), own: true }];
  const last = recordedEngine(places);
  // An engine of our own that has ended took its containers with it; its data goes with the folder.
  return last === undefined || last.own ? own : [last, ...own];
}

function recordedEngine(places: Places): Engine | undefined {
  try {
    return JSON.parse(readFileSync(recordOf(places), "utf8")) as Engine;
  } catch {
    return undefined;
  }
}

/** Ends our own engine, and takes back what it changed of this machine. @returns whether there was one */
export async function stopEngine(places: Places, env: NodeJS.ProcessEnv): Promise<boolean> {
  const stopped = await stopService(places, ENGINE_SERVICE, STOP_MS);
  await restoreFirewall(places, env);
  return stopped;
}

function recordOf(places: Places): string {
  return join(places.run, "engine");
}

async function findOrStart(needs: Needs<"tools">, report: Report): Promise<Outcome<Engine>> {
  const { env, places, tools } = needs;
  const own = ownHost(places);
  if ((env.DOCKER_HOST || own) === own && findService(places, ENGINE_SERVICE) !== undefined) {
    const version = await versionOf(tools.docker, own, env);
    if (version !== undefined) {
      return { value: { host: own, own: true }, summary: `our own, ${version}, still running` };
    }
  }
  const host = await pointedAt(tools.docker, env);
  const version = await versionOf(tools.docker, host, env);
  if (version !== undefined) {
    return { value: { host, own: false }, summary: `${version} at ${host}` };
  }
  const dockerd = tools.dockerd ?? (await installEngine(needs, report));
  if (process.getuid?.() !== 0 || dockerd === undefined) {
    throw new Problem(
      `No Docker engine answers at ${host}, and none could be started.`,
      "Start it (sudo systemctl start docker), let this user reach it (sudo usermod -aG docker $USER, then log in again), or set DOCKER_HOST.",
    );
  }
  const installed = tools.dockerd === undefined ? await versionOf(tools.docker, host, env) : undefined;
  if (installed !== undefined) {
    return { value: { host, own: false }, summary: `${installed} at ${host}` };
  }
  report.say("starting an engine");
  await startEngine(needs, dockerd);
  return { value: { host: own, own: true }, summary: `our own, ${await versionOf(tools.docker, own, env)}` };
}

/** A machine may have Docker's command without its engine. @returns the engine's program, or undefined where it may not be installed */
async function installEngine(needs: Needs, report: Report): Promise<string | undefined> {
  if (!mayInstall(needs)) {
    return undefined;
  }
  await installPackages(["docker.io"], needs, report);
  return which("dockerd", needs.env);
}

/** The address of an engine of our own. */
function ownHost(places: Places): string {
  return `unix://${join(places.sockets, "docker.sock")}`;
}

async function startEngine({ env, places, signal, tools }: Needs<"tools">, dockerd: string): Promise<void> {
  mkdirSync(places.docker, { recursive: true });
  mkdirSync(places.sockets, { recursive: true, mode: 0o700 });
  const configuration = join(places.docker, "daemon.json");
  // One of ours that was killed has left its rules.
  await restoreFirewall(places, env);
  const firewall = await mayUseFirewall(env);
  if (firewall) {
    mkdirSync(places.run, { recursive: true });
    await rememberFirewall(places, env);
  }
  for (const driver of STORAGE_DRIVERS) {
    const settings = {
      hosts: [ownHost(places)],
      "data-root": join(places.docker, "data"),
      "exec-root": join(places.sockets, "docker"),
      pidfile: join(places.docker, "docker.pid"),
      // The one network is that of functions with egress; it has no IPv6. Without the firewall there is none, and nothing is touched.
      bridge: "none",
      iptables: firewall,
      ip6tables: false,
      "ip-forward": firewall,
      "log-level": "warn",
      ...(driver === undefined ? {} : { "storage-driver": driver }),
    };
    writeFileSync(configuration, `${JSON.stringify(settings, null, 2)}\n`);
    const spec = {
      name: ENGINE_SERVICE,
      command: dockerd,
      args: ["--config-file", configuration],
      cwd: places.docker,
      env,
      fingerprint: "",
      ready: async () => (await versionOf(tools.docker, ownHost(places), env)) !== undefined,
      readyMs: START_MS,
    };
    try {
      await startService(places, spec, signal);
      if (firewall && !(await hasUserChain(env))) {
        await makeUserChain(tools.docker, ownHost(places), env);
      }
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (driver === STORAGE_DRIVERS.at(-1)) {
        throw new Problem(
          "A Docker engine could not be started here.",
          "Start one by other means and set DOCKER_HOST; in a container, that container needs --privileged.",
          logOf(places, ENGINE_SERVICE),
          { cause: error },
        );
      }
    }
  }
}

/** Docker makes the chain for others' rules with a network, and on the data of an earlier run of it there may be none to make. */
async function makeUserChain(docker: string, host: string, env: NodeJS.ProcessEnv): Promise<void> {
  for (const verb of ["create", "rm"]) {
    await shell(docker, ["--host", host, "network", verb, "nanogrid-first"], { env, timeoutMs: PROBE_MS });
  }
}

/** The engine that the command line would use: DOCKER_HOST, else the chosen context's. */
async function pointedAt(docker: string, env: NodeJS.ProcessEnv): Promise<string> {
  if (env.DOCKER_HOST) {
    return env.DOCKER_HOST;
  }
  const inspect = ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"];
  const host = await shell(docker, inspect, { env, timeoutMs: PROBE_MS }).catch(() => "");
  return host.trim() || "unix:///var/run/docker.sock";
}

async function versionOf(docker: string, host: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const args = ["--host", host, "version", "--format", "{{.Server.Version}}"];
  const version = await shell(docker, args, { env, timeoutMs: PROBE_MS }).catch(() => "");
  return version.trim() || undefined;
}
