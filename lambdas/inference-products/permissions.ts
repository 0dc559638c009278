/** What the function behind POST /products may do. */
import type { Statement } from "../../constructs/role";
import { invokeModels, sendMessages } from "../inference-shared/permissions";

/** ARNs of what it uses. */
export interface ProductsResources {
  /** Models that make vectors; none where the GPU tier makes them. */
  readonly modelArns: readonly string[];
  readonly queueArn: string;
}

/** The statements of its role. */
export function productsStatements({ modelArns, queueArn }: ProductsResources): readonly Statement[] {
  return [...(modelArns.length > 0 ? [invokeModels(modelArns)] : []), sendMessages(queueArn)];
}
