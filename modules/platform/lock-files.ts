/**
 * Keeps a stack's output folder fit for Terraform between synths.
 *
 * `cdktf.out` is generated, yet two files in it outlive a synth: the dependency lock and `.terraform`, which remembers the backend. The
 * committed locks are copied in, and what another environment left behind is taken away, so that switching ENVIRONMENT needs no flag.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { App, type TerraformStack } from "cdktf";

/** Committed dependency locks, one `<stack>.hcl` each, made where the Terraform registry is reachable. */
const LOCKS = "locks";

/**
 * @param stack the stack that is synthesized
 * @param stateKey key of its state
 * @param useCommitted whether the committed lock applies: providers of a home-built mirror have other checksums
 */
export function settleStackFolder(stack: TerraformStack, stateKey: string, useCommitted: boolean): void {
  const folder = join(App.of(stack).outdir, "stacks", stack.node.id);
  const pointer = join(folder, ".terraform", "terraform.tfstate");
  const lock = join(folder, ".terraform.lock.hcl");
  if (existsSync(pointer) && keyOf(pointer) !== stateKey) {
    rmSync(pointer);
    rmSync(lock, { force: true });
  }
  const committed = join(LOCKS, `${stack.node.id}.hcl`);
  if (useCommitted && existsSync(committed)) {
    mkdirSync(folder, { recursive: true });
    copyFileSync(committed, lock);
  }
}

function keyOf(pointer: string): string | undefined {
  const { backend } = JSON.parse(readFileSync(pointer, "utf8")) as { backend?: { config?: { key?: string } } };
  return backend?.config?.key;
}
