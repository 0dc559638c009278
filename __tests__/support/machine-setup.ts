/**
 * Gets this machine ready for the tests that run real programs: installs or starts what is missing where it may, as `npm start` does, and
 * leaves to each test, by environment variables, what it found. What cannot be had is said once; the tests that need it say why they are
 * left out.
 */
import { dirname, join } from "node:path";
import { CHECKOV } from "../../commands/support/policy/python";
import { atlasProviderMissing, buildAtlasProvider } from "../../local/atlas-provider/program";
import { withoutAccounts } from "../../local/clouds";
import { buildKubernetes, kubernetesMissing } from "../../local/kubernetes/binaries";
import { nodeRuntimeMissing, prepareNodeRuntime } from "../../local/lambda/node-runtime";
import type { Needs, Report } from "../../local/phase";
import { ENGINE_SERVICE, findEngine } from "../../local/phases/engine";
import { findProviders } from "../../local/phases/providers";
import { preparePython, preparePythons } from "../../local/phases/python";
import { findTools, installPackages, mayInstall, type Tools } from "../../local/phases/tools";
import { logOf, placesOf } from "../../local/places";
import { findService } from "../../local/services";
import { PYTHON_PROJECTS } from "./python-projects";
import { has } from "./tools";

/**
 * Programs that tests need besides, each in the Debian package of its name. debootstrap makes a base for the sandbox images where no image
 * registry answers; the page is looked at in chromium, and espeak-ng
 * speaks what the Music pipeline listens to.
 */
const TEST_TOOLS = ["shellcheck", "cloud-init", "debootstrap", "iptables", "chromium", "cmake", "g++", "espeak-ng"];
/** The fuzzer of the API. */
const FUZZER = { folder: "fuzz", lock: "__tests__/userdata/controller/fuzz/requirements.lock" };
/** How often a build says how far it is. */
const PROGRESS_MS = 15_000;
/** Names the variable that says that the engine was started for this run of tests. */
export const ENGINE_STARTED = "NANOGRID_ENGINE_STARTED";

export default async function prepareMachine(): Promise<void> {
  const report: Report = { say: () => undefined, warn: (text) => console.warn(text) };
  const needs: Needs = {
    options: {
      system: "nanogrid",
      once: true,
      verbose: false,
      install: true,
      terraform: true,
      buildProviders: false,
      awsPort: 0,
      gcpPort: 0,
    },
    places: placesOf(),
    env: withoutAccounts(process.env),
    signal: new AbortController().signal,
  };
  const missing = [...TEST_TOOLS.filter((program) => !has(program)), ...(has("etcd") ? [] : ["etcd-server"])];
  if (missing.length > 0 && mayInstall(needs)) {
    await installPackages(missing, needs, report);
  }
  const { value: tools } = await findTools(needs, report);
  // The compiler has every processor at work, pip one: side by side, neither waits for the other.
  await Promise.all([prepareKubernetes(needs), prepareRuntimes(needs, tools, report)]);
  const ranBefore = findService(needs.places, ENGINE_SERVICE) !== undefined;
  const { value: engine } = await findEngine({ ...needs, tools }, report);
  const { value: providers } = await findProviders({ ...needs, tools }, { ...report, warn: () => undefined });
  process.env.DOCKER_HOST = engine.host;
  if (engine.own && !ranBefore) {
    process.env[ENGINE_STARTED] = "yes";
  }
  if (providers.kind === "none") {
    process.env.NANOGRID_NO_PROVIDERS = providers.reason;
  } else {
    Object.assign(process.env, providers.env);
  }
}

/** Python environments, Lambda's Node.js runtime, and the stand-in of Atlas's provider. */
async function prepareRuntimes(needs: Needs, tools: Tools, report: Report): Promise<void> {
  const { value: pythons } = await preparePythons({ ...needs, tools }, report);
  process.env.NANOGRID_STANDINS_PYTHON = pythons.standIns;
  for (const { name, lock, variable } of PYTHON_PROJECTS) {
    process.env[variable] = (await preparePython({ folder: `${name}-dev`, lock }, { ...needs, tools }, report)).python;
  }
  const fuzzer = await preparePython(FUZZER, { ...needs, tools }, report);
  process.env.NANOGRID_SCHEMATHESIS = join(dirname(fuzzer.python), "schemathesis");
  process.env.NANOGRID_CHECKOV_PYTHON = (await preparePython(CHECKOV, { ...needs, tools }, report)).python;
  if (nodeRuntimeMissing() === undefined) {
    await prepareNodeRuntime();
  }
  const noProvider = atlasProviderMissing();
  if (noProvider === undefined) {
    process.env.NANOGRID_ATLAS_PROVIDER = await buildAtlasProvider();
  } else {
    process.env.NANOGRID_NO_ATLAS_PROVIDER = noProvider;
  }
}

/** Builds Kubernetes' control plane where it is not in the cache: minutes, once, and so with progress. */
async function prepareKubernetes({ env, places, signal }: Needs): Promise<void> {
  const missing = await kubernetesMissing(env);
  if (missing !== undefined) {
    process.env.NANOGRID_NO_KUBERNETES = missing;
    return;
  }
  let told = Date.now();
  const say = (text: string) => {
    if (Date.now() - told > PROGRESS_MS) {
      told = Date.now();
      process.stderr.write(`${text}\n`);
    }
  };
  try {
    await buildKubernetes({ env, log: logOf(places, "kubernetes"), signal, say });
  } catch (error) {
    process.env.NANOGRID_NO_KUBERNETES = error instanceof Error ? error.message : String(error);
  }
}
