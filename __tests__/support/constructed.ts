/** What one construct emits, alone in a stack. */
import { join } from "node:path";
import { TerraformStack, Testing } from "cdktf";
import { setupJest } from "cdktf/lib/testing/adapters/jest";
import type { Construct } from "constructs";
import { runFolder, Synthesis } from "./synth";

setupJest();

/**
 * Like `Testing.synthScope`, but leaves no folder behind.
 *
 * @param build makes the construct in the scope that it is given
 */
export function constructed(build: (scope: Construct) => void): Synthesis {
  const stack = new TerraformStack(Testing.app({ outdir: join(runFolder(), "constructs") }), "stack");
  build(stack);
  return new Synthesis(Testing.synth(stack));
}
