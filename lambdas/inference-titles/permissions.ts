/** What the function behind POST /carts/{id}/title may do. */
import type { Statement } from "../../constructs/role";
import { invokeModels } from "../inference-shared/permissions";

/**
 * The statements of its role.
 *
 * @param modelArns the model that writes titles, or its inference profile with every model that it leads to
 */
export function titlesStatements(modelArns: readonly string[]): readonly Statement[] {
  return [invokeModels(modelArns)];
}
