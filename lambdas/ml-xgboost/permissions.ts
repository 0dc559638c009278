/** What the function ML-XGBoost may do beside writing its log and sending traces: nothing. Its model is in its image. */
import type { Statement } from "../../constructs/role";

/** The statements of the function's role. */
export function mlXgboostStatements(): readonly Statement[] {
  return [];
}
