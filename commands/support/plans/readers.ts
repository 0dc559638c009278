/** Which outputs of which stacks a stack reads, as its synthesized Terraform says. */
import { z } from "zod";
import type { TerraformJson } from "../synthesis";

const remoteState = z.object({ config: z.looseObject({ key: z.string() }) });

/** Outputs of one producer that a stack reads. */
export interface Reading {
  /** Name of the producer. */
  readonly producer: string;
  readonly outputs: readonly string[];
}

/**
 * What a stack reads of other states.
 *
 * @param stack its Terraform
 * @param stackOfKey name of the stack that keeps its state under a key; undefined for one of another project
 */
export function readingsOf(stack: TerraformJson, stackOfKey: (key: string) => string | undefined): Reading[] {
  const text = JSON.stringify(stack);
  return Object.entries(stack.data?.terraform_remote_state ?? {}).flatMap(([name, source]) => {
    const producer = stackOfKey(remoteState.parse(source).config.key);
    const read = new RegExp(`data\\.terraform_remote_state\\.${name}\\.outputs\\.(\\w+)`, "g");
    const outputs = [...new Set([...text.matchAll(read)].map(([, output = ""]) => output))];
    return producer === undefined ? [] : [{ producer, outputs }];
  });
}
