import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Problem } from "../../commands/support/problem";
import { findService, identityOf, recordedServices, startService, stopService } from "../../local/services";
import { removeScratch, scratchPlaces } from "./scratch";

const NEVER = new AbortController().signal;
const SLEEPER = "setInterval(() => {}, 1000)";

afterEach(removeScratch);

function nodeService(name: string, script: string, ready: () => Promise<boolean> = async () => true) {
  return {
    name,
    command: process.execPath,
    args: ["-e", script],
    cwd: process.cwd(),
    env: process.env,
    fingerprint: "one",
    ready,
    readyMs: 10_000,
  };
}

test("local: a process that took over the number of one of ours is not signalled", async () => {
  const places = scratchPlaces();
  const stranger = spawn(process.execPath, ["-e", SLEEPER]);
  await once(stranger, "spawn");
  mkdirSync(places.run, { recursive: true });
  const record = { name: "redis", pid: stranger.pid, identity: "an earlier boot:1234", fingerprint: "" };
  writeFileSync(join(places.run, "redis.json"), JSON.stringify(record));
  try {
    expect(await stopService(places, "redis", 1_000)).toBe(false);

    await sleep(300);
    expect(identityOf(stranger.pid ?? 0)).toBeDefined();
    expect(recordedServices(places)).toEqual([]);
  } finally {
    stranger.kill("SIGKILL");
  }
});

test("local: a service that was started is found by the next run, until it is stopped", async () => {
  const places = scratchPlaces();
  const started = await startService(places, nodeService("sleeper", SLEEPER), NEVER);

  expect(findService(places, "sleeper")).toEqual(started);
  expect(await stopService(places, "sleeper", 5_000)).toBe(true);
  expect(findService(places, "sleeper")).toBeUndefined();
  expect(identityOf(started.pid)).toBeUndefined();
});

test("local: a service that ends while it starts is reported with the end of its log", async () => {
  const places = scratchPlaces();
  const script = 'setTimeout(() => { console.error("no such database"); process.exit(3); }, 300)';

  const failure = await startService(
    places,
    nodeService("broken", script, async () => false),
    NEVER,
  ).catch((error: unknown) => error);

  expect(failure).toBeInstanceOf(Problem);
  const { log = "", what } = failure as Problem;
  expect(what).toBe("broken ended while it started: exit code 3.");
  expect(readFileSync(log, "utf8")).toContain("no such database");
  expect(recordedServices(places)).toEqual([]);
});

test("local: a service that ignores its end is killed after its grace, and its children with it", async () => {
  const places = scratchPlaces();
  const child = join(places.project, "child");
  const script = `
    process.on("SIGTERM", () => {});
    const { pid } = require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(SLEEPER)}]);
    require("node:fs").writeFileSync(${JSON.stringify(child)}, String(pid));
    ${SLEEPER}`;
  const { pid } = await startService(
    places,
    nodeService("stubborn", script, async () => existsSync(child)),
    NEVER,
  );
  const childPid = Number(readFileSync(child, "utf8"));

  await stopService(places, "stubborn", 500);

  await sleep(200);
  expect([identityOf(pid), identityOf(childPid)]).toEqual([undefined, undefined]);
});

test("local: starting a service ends with the run when the person at the keyboard ends it", async () => {
  const places = scratchPlaces();
  const ending = new AbortController();
  setTimeout(() => ending.abort(), 300);

  await expect(
    startService(
      places,
      nodeService("slow", SLEEPER, async () => false),
      ending.signal,
    ),
  ).rejects.toThrow("aborted");

  expect(recordedServices(places)).toEqual([]);
});
