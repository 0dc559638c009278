/** Where Terraform gets its providers from: a mirror that is there, the registry, a build from source, or nowhere. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A provider that the stacks need, and how it is built where no registry can be reached. */
export interface Provider {
  readonly name: string;
  /** Oldest version that the stacks accept. */
  readonly atLeast: string;
  /** First version that they do not accept any more. */
  readonly below: string;
  /** Go module that it is built from. */
  readonly module: string;
  readonly moduleVersion: string;
  /** What the module's version file says. */
  readonly version: string;
  /** How long a build takes on two cores, in minutes. */
  readonly buildMinutes: number;
}

/** Every provider of the stacks. The bounds are those of `required_providers` in modules/. */
export const PROVIDERS: readonly Provider[] = [
  {
    name: "aws",
    atLeast: "6.47.0",
    below: "7.0.0",
    module: "github.com/hashicorp/terraform-provider-aws",
    moduleVersion: "v1.60.1-0.20260602190131-5f2286d6d836",
    version: "6.47.1",
    buildMinutes: 38,
  },
  {
    name: "google",
    atLeast: "6.50.0",
    below: "9.0.0",
    module: "github.com/hashicorp/terraform-provider-google",
    moduleVersion: "v1.20.1-0.20260828184646-f3721fb45fa3",
    version: "8.0.0",
    buildMinutes: 5,
  },
];

/** Where the providers come from. */
export type ProviderChoice =
  | {
      readonly kind: "configured" | "mirror" | "registry" | "built";
      /** What Terraform's environment needs for it. */
      readonly env: Readonly<Record<string, string>>;
      /** The source in words. */
      readonly from: string;
    }
  | {
      readonly kind: "none";
      /** Why there are none. */
      readonly reason: string;
    };

/** What the choice depends on. */
export interface ProviderQuestion {
  /** The shell's environment: HOME, XDG_* and TF_CLI_CONFIG_FILE are read. */
  readonly env: NodeJS.ProcessEnv;
  /** Terraform's name of this platform, e.g. `linux_amd64`. */
  readonly platform: string;
  readonly providers: readonly Provider[];
  /** Whether the Terraform registry answers. */
  readonly registryAnswers: () => Promise<boolean>;
  /** Builds the providers into a mirror; undefined where that was not asked for. */
  readonly build: ((mirror: string) => Promise<void>) | undefined;
  readonly warn: (text: string) => void;
}

const REGISTRY_HOST = "registry.terraform.io";
const CONFIGURATION = "terraformrc";

/** Chooses the first source that has every provider. */
export async function chooseProviders(question: ProviderQuestion): Promise<ProviderChoice> {
  return (
    configured(question) ??
    ownMirror(question) ??
    impliedMirror(question) ??
    (await registry(question)) ??
    (await built(question)) ?? { kind: "none", reason: "no mirror has them and the Terraform registry does not answer" }
  );
}

/** The registry's folder of a provider below a mirror. */
export function providerFolder(mirror: string, name: string): string {
  return join(mirror, REGISTRY_HOST, "hashicorp", name);
}

/** Terraform's name of the platform that this runs on. */
export function terraformPlatform(): string {
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  return `${process.platform}_${architecture}`;
}

/** Whether the registry answers a discovery request in time. */
export async function registryAnswers(timeoutMs = 4_000): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    return (await fetch(`https://${REGISTRY_HOST}/.well-known/terraform.json`, { signal })).ok;
  } catch {
    return false;
  }
}

/** The person's own configuration decides, where it exists. */
function configured({ env, warn }: ProviderQuestion): ProviderChoice | undefined {
  const file = env.TF_CLI_CONFIG_FILE;
  if (file) {
    if (existsSync(file)) {
      return { kind: "configured", env: { TF_CLI_CONFIG_FILE: file }, from: `TF_CLI_CONFIG_FILE (${file})` };
    }
    warn(`TF_CLI_CONFIG_FILE names ${file}, which does not exist: it is left out. Unset it, or create the file.`);
    return undefined;
  }
  const personal = join(env.HOME ?? "", ".terraformrc");
  if (existsSync(personal) && readFileSync(personal, "utf8").includes("provider_installation")) {
    return { kind: "configured", env: { TF_CLI_CONFIG_FILE: personal }, from: personal };
  }
  return undefined;
}

/** The mirror in the user's cache, where builds are kept as well. */
function ownMirror({ env, platform, providers }: ProviderQuestion): ProviderChoice | undefined {
  const mirror = mirrorIn(env);
  if (!holdsAll(mirror, providers, platform)) {
    return undefined;
  }
  const file = join(mirror, CONFIGURATION);
  if (!existsSync(file)) {
    writeConfiguration(mirror, providers);
  }
  return { kind: "mirror", env: { TF_CLI_CONFIG_FILE: file }, from: mirror };
}

/** A folder that Terraform looks into by itself. */
function impliedMirror({ env, platform, providers }: ProviderQuestion): ProviderChoice | undefined {
  const home = env.HOME ?? "";
  const shared = [
    env.XDG_DATA_HOME || join(home, ".local", "share"),
    ...(env.XDG_DATA_DIRS || "/usr/local/share:/usr/share").split(":"),
  ];
  const folders = [
    join(home, ".terraform.d", "plugins"),
    ...shared.map((folder) => join(folder, "terraform", "plugins")),
  ];
  const mirror = folders.find((folder) => holdsAll(folder, providers, platform));
  return mirror === undefined ? undefined : { kind: "mirror", env: {}, from: mirror };
}

async function registry({ env, registryAnswers }: ProviderQuestion): Promise<ProviderChoice | undefined> {
  if (!(await registryAnswers())) {
    return undefined;
  }
  // One cache for all stacks, or each of them would download 700 MB.
  const cache = env.TF_PLUGIN_CACHE_DIR || join(env.HOME ?? "", ".terraform.d", "plugin-cache");
  mkdirSync(cache, { recursive: true });
  return { kind: "registry", env: { TF_PLUGIN_CACHE_DIR: cache }, from: REGISTRY_HOST };
}

async function built({ build, env, providers }: ProviderQuestion): Promise<ProviderChoice | undefined> {
  if (build === undefined) {
    return undefined;
  }
  const mirror = mirrorIn(env);
  await build(mirror);
  return { kind: "built", env: { TF_CLI_CONFIG_FILE: writeConfiguration(mirror, providers) }, from: mirror };
}

function mirrorIn(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CACHE_HOME || join(env.HOME ?? "", ".cache"), "terraform-provider-mirror");
}

/** Writes the configuration of Terraform that takes these providers from the mirror and all others from the registry. */
function writeConfiguration(mirror: string, providers: readonly Provider[]): string {
  const names = providers.map(({ name }) => JSON.stringify(`${REGISTRY_HOST}/hashicorp/${name}`)).join(", ");
  const file = join(mirror, CONFIGURATION);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(
    file,
    `disable_checkpoint = true
provider_installation {
  filesystem_mirror {
    path    = ${JSON.stringify(mirror)}
    include = [${names}]
  }
  direct {
    exclude = [${names}]
  }
}
`,
  );
  return file;
}

function holdsAll(mirror: string, providers: readonly Provider[], platform: string): boolean {
  return providers.every((provider) => holds(mirror, provider, platform));
}

/** Whether a mirror has an accepted version, unpacked (`<version>/<platform>/`) or packed (`…_<version>_<platform>.zip`). */
export function holds(mirror: string, { name, atLeast, below }: Provider, platform: string): boolean {
  const folder = providerFolder(mirror, name);
  const packed = new RegExp(`^terraform-provider-${name}_(.+)_${platform}\\.zip$`);
  return namesIn(folder).some((entry) => {
    const version = packed.exec(entry)?.[1] ?? (namesIn(join(folder, entry, platform)).length > 0 ? entry : undefined);
    return version !== undefined && compareVersions(version, atLeast) >= 0 && compareVersions(version, below) < 0;
  });
}

function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
