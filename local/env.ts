/**
 * `eval "$(npm run --silent local:env)"`: leads this shell's terraform, cdktf, aws and nanogrid to what runs on this machine, as an
 * operator's shell would lead to an account.
 */
import { existsSync, readFileSync } from "node:fs";
import { Problem, runCommand } from "../commands/support/problem";
import { loadSettings } from "../modules/platform/settings";
import { programClouds, terraformClouds, withoutAccounts } from "./clouds";
import { portsOfRunning } from "./phases/stand-ins";
import { ENVIRONMENT } from "./phases/synth";
import { keyFile, type Places, placesOf } from "./places";
import { LOOPBACK } from "./ports";
import { chooseProviders, PROVIDERS, terraformPlatform } from "./providers";

async function printEnvironment(): Promise<void> {
  const places = placesOf();
  const ports = portsOfRunning(places);
  if (ports === undefined) {
    throw new Problem("The stand-ins do not run.", "Start them: npm start");
  }
  const { nanogrid, region } = loadSettings(ENVIRONMENT);
  const providers = await chooseProviders({
    env: process.env,
    platform: terraformPlatform(),
    providers: PROVIDERS,
    registryAnswers: async () => false,
    build: undefined,
    warn: () => undefined,
  });
  const variables = {
    ENVIRONMENT,
    ...programClouds(ports, region),
    ...terraformClouds(ports, region),
    ...(providers.kind === "none" ? {} : providers.env),
    NANOGRID_URL: `http://${LOOPBACK}:${nanogrid.controllers.port}`,
    ...apiKey(places),
  };
  const kept = withoutAccounts(process.env);
  const unset = Object.keys(process.env).filter((name) => !(name in kept) && !(name in variables));
  const lines = [
    ...unset.map((name) => `unset ${name}`),
    ...Object.entries(variables).map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'`),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** The admin key of the tenant `default`, once a start has made one. */
function apiKey(places: Places): Record<string, string> {
  const file = keyFile(places);
  return existsSync(file) ? { NANOGRID_API_KEY: readFileSync(file, "utf8").trim() } : {};
}

void runCommand(printEnvironment);
