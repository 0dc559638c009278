/** Whether an environment stays within what its settings allow. */
import { Problem } from "../problem";
import { sum } from "./assumptions";
import type { StackCost } from "./estimate";
import { dollars, drivers } from "./report";

/** How many drivers the sentence names. */
const NAMED = 5;

/**
 * What is over the budget, or not known.
 *
 * @param environment its name
 * @param monthlyUsd the setting `budget.monthlyUsd`
 * @param costs every stack's cost
 */
export function checkBudget(environment: string, monthlyUsd: number, costs: readonly StackCost[]): Problem[] {
  const unknown = costs.flatMap((cost) => cost.unknown);
  const { typical } = sum(costs.map(({ total }) => total));
  const names = drivers(costs, NAMED).map(({ resource, what, usd }) => `${resource} (${what}) $${dollars(usd)}`);
  return [
    ...unknown.map(
      ({ stack, address, reason }) =>
        new Problem(
          `${stack}: what ${address} costs is not known: ${reason}.`,
          "Price its type in commands/support/cost/types, name it as free in types/free.ts, or add the price: docs/costs.md says how.",
        ),
    ),
    ...(typical > monthlyUsd
      ? [
          new Problem(
            `Environment "${environment}" costs $${dollars(typical)} in a typical month, over its budget of $${dollars(monthlyUsd)}. Most of it: ${names.join("; ")}.`,
            `Make it smaller, or raise context.environments.${environment}.budget.monthlyUsd in cdktf.json.`,
          ),
        ]
      : []),
  ];
}
