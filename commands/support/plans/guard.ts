/** No data is destroyed unless each resource that holds it was named. */
import { Problem } from "../problem";
import type { Change, Summary } from "./summary";

/** A resource whose data would be lost. */
export type Loss = Summary["refused"][number];

/**
 * Resources with data that a plan destroys or replaces and that nobody named.
 *
 * @param plans each stack's changes
 * @param allowed addresses that may go: `<address>`, or `<stack>:<address>` where several stacks destroy one of that address
 */
export function lossesOf(
  plans: readonly { readonly stack: string; readonly changes: readonly Change[] }[],
  allowed: readonly string[],
): Loss[] {
  const losses = plans.flatMap(({ stack, changes }) =>
    changes.flatMap(({ address, loses }) => (loses === undefined ? [] : [{ stack, address, loses }])),
  );
  const isAlone = ({ address }: Loss) => losses.filter((other) => other.address === address).length === 1;
  return losses.filter(
    (loss) => !allowed.includes(`${loss.stack}:${loss.address}`) && !(isAlone(loss) && allowed.includes(loss.address)),
  );
}

/** The refusal, as the sentence that a person reads; undefined where nothing is lost. */
export function refusalOf(losses: readonly Loss[]): Problem | undefined {
  if (losses.length === 0) {
    return undefined;
  }
  const named = losses.map(({ stack, address, loses }) => `${stack}: ${address} (${loses})`);
  const several = new Set(losses.map(({ address }) => address)).size < losses.length;
  const arguments_ = losses.map(({ stack, address }) => (several ? `${stack}:${address}` : address));
  return new Problem(
    `This would destroy data: ${named.join("; ")}.`,
    `Change the code so that it stays, or, once a copy is safe, name each: --allow-destroy ${arguments_.map(quoted).join(" ")}`,
  );
}

/** For a shell: keys of `for_each` have quotes of their own. */
function quoted(argument: string): string {
  return /^[\w.:-]+$/.test(argument) ? argument : `'${argument}'`;
}
