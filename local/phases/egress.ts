/** The network of functions that may reach out, with its firewall, where this machine's engine and this user allow it. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shell } from "../../commands/support/shell";
import { hasFirewall, hasUserChain } from "../firewall";
import type { Needs, Outcome } from "../phase";
import { logOf, type Places } from "../places";

/** Name of the network; empty where functions have none. */
export type Egress = string;

/** The network's name, as its script has it. */
const NETWORK = "nanogrid-egress";
const SCRIPT_MS = 60_000;

/** Makes the network with the script that instances run; one that is there already stays whose it is. */
export async function openEgress({
  engine,
  env,
  places,
  settings,
  signal,
}: Needs<"engine" | "settings">): Promise<Outcome<Egress>> {
  const { allowedCidrs, enabled } = settings.nanogrid.workers.egress;
  if (!enabled) {
    return { value: "", summary: "none, as the settings say" };
  }
  if (!(engine.own ? hasFirewall(places) : await hasUserChain(env))) {
    return { value: "", summary: "none: it takes root and an engine with this machine's firewall" };
  }
  const how = {
    env: { ...env, DOCKER_HOST: engine.host, EGRESS_NETWORK: NETWORK, EGRESS_ALLOWED_CIDRS: allowedCidrs.join(",") },
    log: logOf(places, "egress"),
    timeoutMs: SCRIPT_MS,
    signal,
  };
  const script = scriptOf(places);
  const there = await shell(script, ["check"], how).then(
    () => true,
    () => false,
  );
  signal.throwIfAborted();
  if (there) {
    return { value: NETWORK, summary: `${NETWORK}, there already` };
  }
  // The record comes first, so that what an interrupted run made is found.
  writeFileSync(recordOf(places), engine.host);
  await shell(script, ["up"], how);
  return { value: NETWORK, summary: NETWORK };
}

/** Removes the network where a run made it. Nothing of ours may be in it any more. */
export async function closeEgress(places: Places, env: NodeJS.ProcessEnv): Promise<void> {
  if (existsSync(recordOf(places))) {
    const host = readFileSync(recordOf(places), "utf8");
    const how = { env: { ...env, DOCKER_HOST: host, EGRESS_NETWORK: NETWORK }, timeoutMs: SCRIPT_MS };
    await shell(scriptOf(places), ["down"], how);
  }
}

function scriptOf(places: Places): string {
  return join(places.project, "userdata", "worker", "egress-network");
}

function recordOf(places: Places): string {
  return join(places.run, "egress");
}
