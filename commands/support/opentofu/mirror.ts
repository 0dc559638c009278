/**
 * Providers for OpenTofu from a mirror that was made for Terraform. OpenTofu looks for `hashicorp/aws` under its own registry's address,
 * where such a mirror has nothing; the provider itself is the same program.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const TERRAFORM = "registry.terraform.io";
const OPENTOFU = "registry.opentofu.org";

/**
 * @param folder where the configuration goes
 * @param env the shell's environment: TF_CLI_CONFIG_FILE names Terraform's configuration
 * @returns what OpenTofu's environment needs; nothing where no mirror is configured, and OpenTofu asks its registry
 */
export function providersForOpenTofu(folder: string, env: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  const mirror = configuredMirror(env);
  if (mirror === undefined) {
    return {};
  }
  const own = join(folder, "mirror");
  for (const file of providersIn(join(mirror, TERRAFORM))) {
    const target = join(own, OPENTOFU, file);
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(join(mirror, TERRAFORM, file), target);
  }
  const configuration = join(folder, "tofu.rc");
  writeFileSync(
    configuration,
    `provider_installation {\n  filesystem_mirror {\n    path = ${JSON.stringify(own)}\n  }\n}\n`,
  );
  return { TF_CLI_CONFIG_FILE: configuration };
}

/** The first mirror in Terraform's configuration. */
export function configuredMirror({ TF_CLI_CONFIG_FILE, HOME = "" }: NodeJS.ProcessEnv): string | undefined {
  const file = TF_CLI_CONFIG_FILE || join(HOME, ".terraformrc");
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const [, path] = /filesystem_mirror\s*\{[^}]*?path\s*=\s*("[^"]+")/s.exec(text) ?? [];
  return path === undefined ? undefined : (JSON.parse(path) as string);
}

/** `<namespace>/<type>/<version>/<platform>`, or the packed form of three parts. OpenTofu follows links at that depth only. */
function providersIn(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return files.filter((file) => /^[^/]+\/[^/]+\/(?:[^/]+\/[^/]+|[^/]+\.zip)$/.test(file));
}
