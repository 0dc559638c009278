/** Real servers for tests, each on a free port of loopback: Redis, moto as AWS, and the stand-ins that `npm start` runs. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type CloudPorts, withoutAccounts } from "../../local/clouds";
import { has } from "./tools";

const START_MS = 30_000;
const STOP_MS = 5_000;

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
  return { port: own, stop: () => stop(child.process) };
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
  return { port: Number(port), endpoint: `http://127.0.0.1:${port}`, stop: () => stop(child.process) };
}

/** The stand-ins of both clouds: one AWS account. */
export interface StandIns {
  readonly ports: CloudPorts;
  /** Ends them, and resolves when they are gone. */
  stop(): Promise<void>;
}

/** Starts the stand-ins, empty, with the AWS account of this id. */
export async function startStandIns(account: string): Promise<StandIns> {
  const args = ["-m", "standins", "--aws-port", "0", "--gcp-port", "0", "--account", account];
  const child = startPython(args, { PYTHONPATH: resolve("local/standins") });
  const [, aws, gcp] = await said(child, /AWS at http:\/\/[^:]+:(\d+), Google Cloud at http:\/\/[^:]+:(\d+)/);
  return { ports: { aws: Number(aws), gcp: Number(gcp) }, stop: () => stop(child.process) };
}

/** A port of loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
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

function start(command: string, args: readonly string[], remedy: string, env: NodeJS.ProcessEnv = {}): Child {
  if (!command.includes("/") && !has(command)) {
    throw new Error(`${command} is not on PATH. ${remedy}`);
  }
  const child = spawn(command, args, {
    env: { ...withoutAccounts(process.env), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4_000);
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
      await stop(child.process);
      throw new Error(`${child.name} did not say ${pattern}, status ${child.process.exitCode}:\n${child.said()}`);
    }
    await sleep(50);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await exited;
  clearTimeout(timer);
}
