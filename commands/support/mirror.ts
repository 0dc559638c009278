/** What a filesystem mirror of Terraform's providers lacks for a stack. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const REGISTRY = "registry.terraform.io";

/**
 * Providers of a stack that a mirror does not hold, such as `mongodb/mongodbatlas`.
 *
 * @param mirror folder of the mirror, with Terraform's registry below it
 * @param stackFile the stack's `cdk.tf.json`
 */
export function missingProviders(mirror: string, stackFile: string): string[] {
  const { terraform } = JSON.parse(readFileSync(stackFile, "utf8")) as {
    terraform?: { required_providers?: Record<string, { source: string }> };
  };
  return Object.values(terraform?.required_providers ?? {})
    .map(({ source }) => (source.includes("/") ? source : `hashicorp/${source}`))
    .filter((source) => !existsSync(join(mirror, REGISTRY, source)));
}
