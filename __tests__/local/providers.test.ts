import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { chooseProviders, PROVIDERS, type Provider, type ProviderQuestion } from "../../local/providers";
import { removeScratch, scratchFolder } from "./scratch";

const PLATFORM = "linux_amd64";
const HOSTNAME = "registry.terraform.io";

afterEach(removeScratch);

/** A question in a home of its own, where nothing is to be had. */
function question(
  changes: Partial<ProviderQuestion> = {},
): ProviderQuestion & { readonly home: string; readonly warnings: string[] } {
  const home = scratchFolder();
  const warnings: string[] = [];
  return {
    home,
    warnings,
    platform: PLATFORM,
    providers: PROVIDERS,
    registryAnswers: async () => false,
    build: undefined,
    warn: (text) => warnings.push(text),
    ...changes,
    env: { HOME: home, XDG_DATA_DIRS: join(home, "share"), ...changes.env },
  };
}

function touch(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "");
}

/** Lays out a provider as Terraform unpacks it. */
function unpacked(mirror: string, name: string, version: string): void {
  touch(join(mirror, HOSTNAME, "hashicorp", name, version, PLATFORM, `terraform-provider-${name}_v${version}`));
}

function ownMirror(home: string): string {
  return join(home, ".cache", "terraform-provider-mirror");
}

test("providers: the configuration that TF_CLI_CONFIG_FILE names comes first", async () => {
  const asked = question({ registryAnswers: async () => true });
  const file = join(asked.home, "my.tfrc");
  touch(file);
  unpacked(ownMirror(asked.home), "aws", "6.47.1");
  unpacked(ownMirror(asked.home), "google", "8.0.0");

  const choice = await chooseProviders({ ...asked, env: { ...asked.env, TF_CLI_CONFIG_FILE: file } });

  expect(choice).toMatchObject({ kind: "configured", env: { TF_CLI_CONFIG_FILE: file } });
});

test("providers: a TF_CLI_CONFIG_FILE that does not exist is warned about and passed over", async () => {
  const asked = question();
  unpacked(ownMirror(asked.home), "aws", "6.47.1");
  unpacked(ownMirror(asked.home), "google", "8.0.0");

  const choice = await chooseProviders({ ...asked, env: { ...asked.env, TF_CLI_CONFIG_FILE: "/nonexistent/tfrc" } });

  const configuration = join(ownMirror(asked.home), "terraformrc");
  expect(choice).toMatchObject({ kind: "mirror", env: { TF_CLI_CONFIG_FILE: configuration } });
  expect(readFileSync(configuration, "utf8")).toContain(`path    = "${ownMirror(asked.home)}"`);
  expect(asked.warnings).toEqual([expect.stringContaining("/nonexistent/tfrc, which does not exist")]);
});

test("providers: a mirror without an accepted version of every provider is passed over", async () => {
  const asked = question();
  unpacked(ownMirror(asked.home), "aws", "6.46.9");
  unpacked(ownMirror(asked.home), "google", "8.0.0");

  expect(await chooseProviders(asked)).toMatchObject({
    kind: "none",
    reason: expect.stringContaining("registry does not answer"),
  });
});

test("providers: a packed mirror in a folder that Terraform looks into by itself needs no configuration", async () => {
  const asked = question();
  const plugins = join(asked.home, "share", "terraform", "plugins", HOSTNAME, "hashicorp");
  touch(join(plugins, "aws", `terraform-provider-aws_6.50.0_${PLATFORM}.zip`));
  touch(join(plugins, "google", `terraform-provider-google_7.1.0_${PLATFORM}.zip`));

  expect(await chooseProviders(asked)).toEqual({
    kind: "mirror",
    env: {},
    from: join(asked.home, "share", "terraform", "plugins"),
  });
});

test("providers: the registry, where it answers, fills one cache for all stacks", async () => {
  const asked = question({ registryAnswers: async () => true });

  const cache = join(asked.home, ".terraform.d", "plugin-cache");
  expect(await chooseProviders(asked)).toMatchObject({ kind: "registry", env: { TF_PLUGIN_CACHE_DIR: cache } });
  expect(existsSync(cache)).toBe(true);
});

test("providers: they are built only when nothing else has them and it was asked for", async () => {
  const builds: string[] = [];
  const build = async (mirror: string) => {
    builds.push(mirror);
  };
  const answering = question({ registryAnswers: async () => true, build });
  expect(await chooseProviders(answering)).toMatchObject({ kind: "registry" });
  expect(builds).toEqual([]);

  const alone = question({ build });
  expect(await chooseProviders(alone)).toMatchObject({
    kind: "built",
    env: { TF_CLI_CONFIG_FILE: join(ownMirror(alone.home), "terraformrc") },
  });
  expect(builds).toEqual([ownMirror(alone.home)]);
});

test("providers: what the mirror is built with is what the stacks accept", () => {
  const fits = ({ atLeast, below, version }: Provider) =>
    version.localeCompare(atLeast, "en", { numeric: true }) >= 0 &&
    version.localeCompare(below, "en", { numeric: true }) < 0;
  expect(PROVIDERS.filter((provider) => !fits(provider))).toEqual([]);
});
