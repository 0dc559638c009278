/** This machine's firewall, as far as a container engine of our own changes it: whether it may, and how it is undone. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shell, which } from "../commands/support/shell";
import type { Places } from "./places";

/** Chains of an engine and of userdata/worker/egress-network, and the bridge of the network that the latter makes. */
const CHAIN = /^(DOCKER|NG-EGRESS)/;
const BRIDGE = "ng-egress";
const RULE = new RegExp(`-j (DOCKER|NG-EGRESS)|-[io] ${BRIDGE}\\b|! -o ${BRIDGE}\\b`);
const FORWARDING = "/proc/sys/net/ipv4/ip_forward";
const COMMAND_MS = 15_000;

/** The firewall before an engine changed it. */
interface Before {
  readonly forwarding: string;
  /** What happens to forwarded packets that no rule decides about. */
  readonly policy: string;
}

/** Whether an engine of ours may have the firewall: this user may change it, and no other engine has rules in it, which ours would replace. */
export async function mayUseFirewall(env: NodeJS.ProcessEnv): Promise<boolean> {
  const tools = ["iptables", "iptables-save", "iptables-restore", "ip"];
  if (process.getuid?.() !== 0 || tools.some((tool) => which(tool, env) === undefined)) {
    return false;
  }
  const rules = await shell("iptables-save", [], { env, timeoutMs: COMMAND_MS }).catch(() => undefined);
  return rules !== undefined && !hasEngine(rules);
}

/** Whether our own engine has the firewall. */
export function hasFirewall(places: Places): boolean {
  return existsSync(recordOf(places));
}

/** Whether an engine has made the chain for others' rules. */
export async function hasUserChain(env: NodeJS.ProcessEnv): Promise<boolean> {
  if (process.getuid?.() !== 0 || which("iptables", env) === undefined) {
    return false;
  }
  const listed = await shell("iptables", ["-S", "DOCKER-USER"], { env, timeoutMs: COMMAND_MS }).catch(() => "");
  return listed !== "";
}

/** Remembers the firewall, for {@link restoreFirewall}. */
export async function rememberFirewall(places: Places, env: NodeJS.ProcessEnv): Promise<void> {
  const [policy = ""] = (await shell("iptables", ["-S", "FORWARD"], { env, timeoutMs: COMMAND_MS })).split("\n");
  const before: Before = { forwarding: readFileSync(FORWARDING, "utf8").trim(), policy: policy.split(" ")[2] ?? "" };
  writeFileSync(recordOf(places), `${JSON.stringify(before)}\n`);
}

/**
 * Takes back what our engine and the egress network left in the firewall, when the engine has ended. Without a record nothing was changed.
 */
export async function restoreFirewall(places: Places, env: NodeJS.ProcessEnv): Promise<void> {
  const record = recordOf(places);
  if (!existsSync(record)) {
    return;
  }
  const before = JSON.parse(readFileSync(record, "utf8")) as Before;
  const run = (command: string, ...args: string[]) => shell(command, args, { env, timeoutMs: COMMAND_MS });
  for (const command of ["iptables", "ip6tables"].filter((name) => which(`${name}-save`, env) !== undefined)) {
    const batch = removals(await run(`${command}-save`));
    if (batch !== "") {
      const file = join(places.run, `${command}.rules`);
      writeFileSync(file, batch);
      await run(`${command}-restore`, "--noflush", file);
    }
  }
  if ((await run("ip", "-brief", "link")).split("\n").some((line) => line.startsWith(`${BRIDGE} `))) {
    await run("ip", "link", "delete", BRIDGE);
  }
  await run("iptables", "-P", "FORWARD", before.policy);
  writeFileSync(FORWARDING, before.forwarding);
  rmSync(record);
}

function recordOf(places: Places): string {
  return join(places.run, "firewall");
}

function hasEngine(rules: string): boolean {
  return rules.split("\n").some((line) => line.startsWith(":") && CHAIN.test(line.slice(1)));
}

/** What iptables-restore has to be told to remove an engine's rules and chains from each table of a dump; empty when there are none. */
export function removals(dump: string): string {
  const lines: string[] = [];
  let chains: string[] = [];
  let rules: string[] = [];
  for (const line of dump.split("\n")) {
    if (line.startsWith("*")) {
      lines.push(line);
      chains = [];
      rules = [];
    } else if (line.startsWith(":") && CHAIN.test(line.slice(1))) {
      chains.push(line.slice(1).split(" ")[0] ?? "");
    } else if (line.startsWith("-A") && (RULE.test(line) || chains.some((chain) => line.startsWith(`-A ${chain} `)))) {
      rules.push(line.replace("-A", "-D"));
    } else if (line === "COMMIT") {
      lines.push(...rules, ...chains.map((chain) => `-X ${chain}`), line);
    }
  }
  return lines.some((line) => line.startsWith("-")) ? `${lines.join("\n")}\n` : "";
}
