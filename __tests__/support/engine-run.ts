/**
 * Starts a container engine of our own with the network of functions, ends it, and prints what of both is left in this network namespace.
 * For a namespace of its own: `unshare --net --mount node --import tsx __tests__/support/engine-run.ts <folder> end|kill`.
 */
import { execSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Needs, Report } from "../../local/phase";
import { closeEgress, openEgress } from "../../local/phases/egress";
import { findEngine, stopEngine } from "../../local/phases/engine";
import { findTools } from "../../local/phases/tools";
import { placesOf } from "../../local/places";
import { loadSettings } from "../../modules/platform/settings";

const [folder = "", how] = process.argv.slice(2);
const report: Report = { say: () => undefined, warn: () => undefined };

/** Chains, rules and interfaces: tables that are empty say nothing. */
function left(): string[] {
  const dump = execSync("iptables-save; ip6tables-save; ip -brief link; cat /proc/sys/net/ipv4/ip_forward", {
    encoding: "utf8",
  });
  return dump
    .split("\n")
    .map((line) => line.replace(/\[\d+:\d+\]/, "").trim())
    .filter((line) => line !== "" && !/^(#|\*|COMMIT|:[A-Z]+ ACCEPT)/.test(line));
}

async function startAndEnd(): Promise<void> {
  execSync("ip link set lo up");
  const places = { ...placesOf(folder), project: process.cwd() };
  mkdirSync(places.run, { recursive: true });
  const options = { install: false, terraform: false };
  const basis = {
    options,
    places,
    env: { ...process.env, DOCKER_HOST: undefined },
    signal: new AbortController().signal,
  };
  const needs = { ...basis, settings: loadSettings("local") } as unknown as Needs<"settings">;
  const before = left();
  const { value: tools } = await findTools(needs, report);
  const { value: engine } = await findEngine({ ...needs, tools }, report);
  const { value: network } = await openEgress({ ...needs, engine });
  const during = left();
  if (how === "kill") {
    process.kill(Number(readFileSync(join(places.docker, "docker.pid"), "utf8")), "SIGKILL");
  } else {
    await closeEgress(places, needs.env);
  }
  await stopEngine(places, needs.env);
  process.stdout.write(`${JSON.stringify({ own: engine.own, network, before, during, after: left() })}\n`);
}

void startAndEnd();
