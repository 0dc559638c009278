/** What CDK Terrain needs beside the project, from npm, installed once into the user's cache. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shell } from "../shell";

/** The versions that are compared; bindings without a line here are taken in their newest. */
const VERSIONS: Readonly<Record<string, string>> = {
  cdktn: "0.24.0",
  constructs: "10.7.2",
  "@cdktn/provider-aws": "25.7.0",
};
/** Node.js for machines whose own is older than the bindings want; npm has it as a package per platform. */
const NODE_VERSION = "22.23.3";
const NODE_AT_LEAST = [22, 15] as const;
const INSTALL_MS = 600_000;
const ASK_MS = 60_000;

/** What is there to synthesize with. */
export interface CdkTerrain {
  /** Folder whose `node_modules` has the packages. */
  readonly folder: string;
  /** A Node.js that they run on. */
  readonly node: string;
  /** Package and version of all that was installed. */
  readonly versions: Readonly<Record<string, string>>;
  /** Providers whose bindings the registry has, such as `aws`. */
  readonly renamed: readonly string[];
  /** Providers whose bindings it lacks. */
  readonly missing: readonly string[];
}

/**
 * Finds out which bindings there are, and installs them unless the cache has them.
 *
 * @param project the checkout
 * @param cache folder for what is kept between runs
 * @param say told what goes on
 * @throws Problem when npm fails
 */
export async function cdkTerrain(
  project: string,
  cache: string,
  env: NodeJS.ProcessEnv,
  say: (text: string) => void,
): Promise<CdkTerrain> {
  const { cdktn = "", constructs = "" } = VERSIONS;
  const versions: Record<string, string> = { cdktn, constructs };
  const missing: string[] = [];
  const providers = providersOf(project);
  for (const provider of providers) {
    const name = `@cdktn/provider-${provider}`;
    const version = VERSIONS[name] ?? (await newest(name, env));
    if (version === undefined) {
      missing.push(provider);
    } else {
      versions[name] = version;
    }
  }
  const isNew = isAtLeast(process.versions.node);
  const platform = `node-${process.platform}-${process.arch}`;
  const wanted = isNew ? versions : { ...versions, [platform]: NODE_VERSION };
  const folder = join(cache, `cdktn-${Object.values(wanted).join("-")}`);
  if (!existsSync(folder)) {
    await install(folder, wanted, env, say);
  }
  return {
    folder,
    node: isNew ? process.execPath : join(folder, "node_modules", platform, "bin", "node"),
    versions: wanted,
    renamed: providers.filter((provider) => !missing.includes(provider)),
    missing,
  };
}

async function install(
  folder: string,
  dependencies: Readonly<Record<string, string>>,
  env: NodeJS.ProcessEnv,
  say: (text: string) => void,
): Promise<void> {
  const named = Object.entries(dependencies).map(([name, version]) => `${name} ${version}`);
  say(`Installing ${named.join(", ")} (once, some 700 MB)`);
  const work = `${folder}.part`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  writeFileSync(join(work, "package.json"), JSON.stringify({ private: true, dependencies }));
  // Scripts: these packages need none. Engines: what runs them is the Node.js that is installed with them.
  await shell("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-engine-strict"], {
    cwd: work,
    env,
    timeoutMs: INSTALL_MS,
    remedy: "It needs npm and its registry. Run it again: npm keeps what it has downloaded.",
  });
  renameSync(work, folder);
}

/** The providers that the project has CDKTF's bindings of. */
function providersOf(project: string): string[] {
  const { dependencies } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  return Object.keys(dependencies).flatMap((name) => /^@cdktf\/provider-(.+)$/.exec(name)?.[1] ?? []);
}

/** The newest version of a package; undefined where the registry has none. */
async function newest(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  try {
    return (await shell("npm", ["view", name, "version"], { env, timeoutMs: ASK_MS })).trim();
  } catch (error) {
    // A registry that is away fails as a package does that it lacks: only then does this one fail, too.
    await shell("npm", ["view", "cdktn", "version"], { env, timeoutMs: ASK_MS, remedy: String(error) });
    return undefined;
  }
}

function isAtLeast(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [least, leastMinor] = NODE_AT_LEAST;
  return major > least || (major === least && minor >= leastMinor);
}
