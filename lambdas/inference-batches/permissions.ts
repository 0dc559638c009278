/** What the function that stores queued products may do; its event source adds the queue. */
import type { Statement } from "../../constructs/role";
import { invokeModels } from "../inference-shared/permissions";

/**
 * The statements of its role.
 *
 * @param modelArns models that make vectors; none where the GPU tier makes them
 */
export function batchesStatements(modelArns: readonly string[]): readonly Statement[] {
  return modelArns.length > 0 ? [invokeModels(modelArns)] : [];
}
