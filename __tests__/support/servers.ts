/** Real servers for tests, each on a free port of loopback: Redis, moto as AWS, and the stand-ins that `npm start` runs. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { endChild } from "../../local/children";
import { type CloudPorts, withoutAccounts } from "../../local/clouds";
import { freePort } from "../../local/ports";
import { has } from "./tools";

export { freePort };

const START_MS = 30_000;
/** Of what a server has written, so much is kept. */
const SAID_CHARACTERS = 8_000;

/** A server that a test has started. */
export interface TestServer {
  readonly port: number;
  /** Ends it, and resolves when it is gone. A second call does nothing. */
  stop(): Promise<void>;
}

/** moto, as AWS. */
export interface Moto extends TestServer {
  /** Value for AWS_ENDPOINT_URL. */
  readonly endpoint: string;
}

/** How Redis is started. */
export interface RedisOptions {
  /** @default - any free one */
  readonly port?: number;
  /** Further arguments of redis-server. @default - none */
  readonly args?: readonly string[];
}

/** Starts redis-server without persistence. */
export async function startRedis({ port, args = [] }: RedisOptions = {}): Promise<TestServer> {
  const own = port ?? (await freePort());
  const quiet = ["--bind", "127.0.0.1", "--port", String(own), "--save", "", "--appendonly", "no"];
  const child = start("redis-server", [...quiet, ...args], "Install Redis (Debian: apt-get install redis-server).");
  // What it says itself: on a port that is taken, another server would answer.
  await said(child, /Ready to accept connections/);
  return { port: own, stop: () => endChild(child.process) };
}

/** Python with moto[server], from NANOGRID_STANDINS_PYTHON or the project's own environment. */
export function standInsPython(): string {
  return resolve(process.env.NANOGRID_STANDINS_PYTHON ?? ".local/venv/standins/bin/python");
}

/** Why moto cannot be started, with the remedy; undefined when it can. */
export function motoMissing(): string | undefined {
  const python = standInsPython();
  const remedy = "Run npm start -- --once, or set NANOGRID_STANDINS_PYTHON to a Python that has moto[server]";
  return existsSync(python) ? undefined : `no stand-in of AWS: ${python} is not there. ${remedy}.`;
}

/**
 * Starts moto, empty.
 *
 * @param env moto's own settings, such as MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS
 */
export async function startMoto(env: NodeJS.ProcessEnv = {}): Promise<Moto> {
  const args = ["-m", "moto.server", "--host", "127.0.0.1", "--port", "0"];
  const child = startPython(args, { S3_IGNORE_SUBDOMAIN_BUCKETNAME: "true", ...env });
  const [, port] = await said(child, /Running on http:\/\/127\.0\.0\.1:(\d+)/);
  return { port: Number(port), endpoint: `http://127.0.0.1:${port}`, stop: () => endChild(child.process) };
}

/** The stand-ins of both clouds: one AWS account. */
export interface StandIns {
  readonly ports: CloudPorts;
  /** The last requests that they answered, a line each, with the time that each took. */
  said(): string;
  /** Ends them, and resolves when they are gone. */
  stop(): Promise<void>;
}

/**
 * Starts the stand-ins, empty, with the AWS account of this id.
 *
 * @param authorizer URL of what is asked about each request of a role; without one, no IAM is enforced
 * @param embeddings URL of what serves embeddings; without one, Bedrock has none
 */
export async function startStandIns(account: string, authorizer?: string, embeddings?: string): Promise<StandIns> {
  const enforced = authorizer === undefined ? [] : ["--authorizer", authorizer];
  const models = embeddings === undefined ? [] : ["--embeddings", embeddings];
  const folder = mkdtempSync(join(tmpdir(), "standins-"));
  // Not a pipe: a test that waits for a program reads none, and they would wait for the test.
  const log = join(folder, "log");
  const logged = ["--verbose", "--log-file", log];
  const ports = ["--aws-port", "0", "--gcp-port", "0"];
  const args = ["-m", "standins", ...ports, "--account", account, ...logged, ...enforced, ...models];
  const child = startPython(args, { PYTHONPATH: resolve("local/standins") });
  const [, aws, gcp] = await said(child, /AWS at http:\/\/[^:]+:(\d+), Google Cloud at http:\/\/[^:]+:(\d+)/);
  return {
    ports: { aws: Number(aws), gcp: Number(gcp) },
    said: () => readFileSync(log, "utf8").slice(-SAID_CHARACTERS),
    stop: async () => {
      await endChild(child.process);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A Terraform provider that runs on between Terraform's runs. */
export interface RunningProvider {
  /** Leads Terraform to it. */
  readonly env: NodeJS.ProcessEnv;
  /** Ends it, and resolves when it is gone. */
  stop(): Promise<void>;
}

/**
 * Starts a provider as for a debugger: Terraform attaches to it, and is spared its start, its checksum (of 900 MB), and the reading of
 * a schema that the provider has at hand. That is half of what a run of Terraform costs. The provider has one configuration at a time, so
 * one stack is worked on at a time, and none with two configurations of it.
 *
 * @param program the provider's program, as `terraform init` has installed it
 * @param options what leads it to the stand-ins, and where it finds files that resources name
 */
export async function startProvider(
  program: string,
  { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<RunningProvider> {
  const child = start(program, ["-debug"], "Run terraform init.", env, cwd);
  const [, TF_REATTACH_PROVIDERS] = await said(child, /TF_REATTACH_PROVIDERS='(.+)'/);
  return { env: { TF_REATTACH_PROVIDERS }, stop: () => endChild(child.process) };
}

/** FerretDB, as MongoDB. */
export interface Ferretdb extends TestServer {
  /** Ends it at once, as a machine that is lost does. */
  kill(): Promise<void>;
}

/**
 * Starts FerretDB.
 *
 * @param program as prepareFerretdb gives it
 * @param folder where it keeps its data
 * @param port default: any free one
 */
export async function startFerretdb(program: string, folder: string, port = 0): Promise<Ferretdb> {
  const child = start(program, [String(port), folder], "Build it with Go.");
  const [, own] = await said(child, /listens at mongodb:\/\/[^:]+:(\d+)/);
  const kill = async () => {
    const gone = once(child.process, "exit");
    child.process.kill("SIGKILL");
    await gone;
  };
  return { port: Number(own), kill, stop: () => endChild(child.process) };
}

/** Waits until `condition` holds. Throws with `what` when it does not in time. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) {
      throw new Error(`after ${timeoutMs} ms, still not so: ${what}`);
    }
    await sleep(50);
  }
}

interface Child {
  readonly process: ChildProcess;
  readonly name: string;
  /** The end of what it has written. */
  said(): string;
}

function startPython(args: readonly string[], env: NodeJS.ProcessEnv): Child {
  const missing = motoMissing();
  if (missing) {
    throw new Error(missing);
  }
  return start(standInsPython(), args, "Run npm start -- --once.", { PYTHONUNBUFFERED: "1", ...env });
}

function start(
  command: string,
  args: readonly string[],
  remedy: string,
  env: NodeJS.ProcessEnv = {},
  cwd?: string,
): Child {
  if (!command.includes("/") && !has(command)) {
    throw new Error(`${command} is not on PATH. ${remedy}`);
  }
  const child = spawn(command, args, {
    cwd,
    env: { ...withoutAccounts(process.env), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-SAID_CHARACTERS);
    });
  }
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
  return { process: child, name: command, said: () => said };
}

/** Waits until a program says that it is ready. */
async function said(child: Child, pattern: RegExp): Promise<RegExpExecArray> {
  const end = Date.now() + START_MS;
  for (;;) {
    const match = pattern.exec(child.said());
    if (match) {
      return match;
    }
    if (child.process.exitCode !== null || Date.now() > end) {
      await endChild(child.process);
      throw new Error(`${child.name} did not say ${pattern}, status ${child.process.exitCode}:\n${child.said()}`);
    }
    await sleep(50);
  }
}
