/** What tests of local/ and commands/ run in: folders of their own, free ports, and stand-ins of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { type CloudPorts, withoutAccounts } from "../../local/clouds";
import { type Places, placesOf } from "../../local/places";

/** The checkout that is tested. */
export const PROJECT = join(__dirname, "..", "..");
/** Time for stand-ins to start on a busy machine. */
export const SETUP_MS = 60_000;

const LEFT_OUT = new Set(["node_modules", ".git", ".local", ".state-backend", "cdktf.out", "coverage"]);
const START_MS = 30_000;
const POLL_MS = 200;
/** A folder that is removed by {@link removeScratch}. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "nanogrid-test-"));
  folders.push(folder);
  return folder;
}

/** Places in a folder of their own. */
export function scratchPlaces(): Places {
  const places = placesOf(scratchFolder());
  folders.push(places.sockets);
  return places;
}

/** A copy of this checkout's sources, with its node_modules. */
export function scratchCheckout(): string {
  const folder = scratchFolder();
  cpSync(PROJECT, folder, {
    recursive: true,
    filter: (path) => !LEFT_OUT.has(relative(PROJECT, path).split(sep)[0] ?? "") && !path.includes("__pycache__"),
  });
  symlinkSync(join(PROJECT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

const folders: string[] = [];

/** Removes every folder that was made here. */
export function removeScratch(): void {
  for (const folder of folders.splice(0)) {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A TCP port on loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Stand-ins that one test file has for itself. */
export interface OwnStandIns {
  readonly ports: CloudPorts;
  stop(): Promise<void>;
}

/** Starts stand-ins, which are one AWS account, on free ports. */
export async function startOwnStandIns(account: string): Promise<OwnStandIns> {
  const python = standInsPython();
  const child = spawn(python, ["-m", "standins", "--aws-port", "0", "--gcp-port", "0", "--account", account], {
    env: { ...withoutAccounts(process.env), PYTHONPATH: join(PROJECT, "local", "standins"), PYTHONUNBUFFERED: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  return { ports: await portsOf(child), stop: () => end(child) };
}

/**
 * Starts moto alone on a free port: it has many accounts, 123456789012 for any key, and others for the keys of assumed roles, and a
 * bucket is only for its own.
 */
export async function startMoto(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const python = standInsPython();
  const port = await freePort();
  const child = spawn(python, ["-m", "moto.server", "--host", "127.0.0.1", "--port", String(port)], {
    env: { ...withoutAccounts(process.env), MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS: "false" },
    stdio: "ignore",
  });
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + START_MS;
  while (
    !(await fetch(`${url}/moto-api/data.json`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`moto does not answer at ${url}`);
    }
    await sleep(POLL_MS);
  }
  return { url, stop: () => end(child) };
}

/** The interpreter that machine-setup.ts prepared. */
function standInsPython(): string {
  const python = process.env.NANOGRID_STANDINS_PYTHON;
  if (python === undefined) {
    throw new Error("NANOGRID_STANDINS_PYTHON is not set: run the tests with npm test, whose setup prepares it");
  }
  return python;
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill();
  });
}

/** Reads the line that the stand-ins print when they answer. */
async function portsOf(child: ChildProcess): Promise<CloudPorts> {
  if (child.stdout) {
    for await (const line of createInterface({ input: child.stdout })) {
      const [, aws, gcp] = /AWS at http:\/\/[^:]+:(\d+), Google Cloud at http:\/\/[^:]+:(\d+)/.exec(line) ?? [];
      if (aws !== undefined && gcp !== undefined) {
        return { aws: Number(aws), gcp: Number(gcp) };
      }
    }
  }
  throw new Error("the stand-ins ended before they answered");
}
