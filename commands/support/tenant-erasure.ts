/** Erasing a tenant: in which order, with which waits, and whether nothing is left. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Holding } from "./holdings";
import { explain } from "./problem";

/** Where a tenant has something, in the order in which it has to go. */
export interface TenantHoldings {
  /** Keys go first: nothing new may come. */
  readonly keys: Holding;
  /** Open jobs go next: nothing may be written by what runs. */
  readonly openJobs: Holding;
  /** Everything else, in any order. */
  readonly others: readonly Holding[];
}

/** How long others may go on as before, in milliseconds. */
export interface ErasureWaits {
  /** A controller remembers a key that was deleted. */
  readonly keyMs: number;
  /** A worker finds out that its job is cancelled, and stops. */
  readonly jobMs: number;
}

/** What a place held before, and holds after. */
export interface HoldingReport {
  readonly name: string;
  /** What was there at the beginning; null when it could not be counted. */
  readonly found: number | null;
  readonly erased: number;
  /** What is there at the end; null when it could not be counted. */
  readonly left: number | null;
  /** What went wrong there, with its remedy. */
  readonly problem: string | null;
}

/** Counts what a tenant has, place by place. */
export async function countHoldings(holdings: TenantHoldings): Promise<HoldingReport[]> {
  const reports: HoldingReport[] = [];
  for (const holding of inOrder(holdings)) {
    try {
      const found = await holding.count();
      reports.push({ name: holding.name, found, erased: 0, left: found, problem: null });
    } catch (error) {
      reports.push({ name: holding.name, found: null, erased: 0, left: null, problem: explain(error) });
    }
  }
  return reports;
}

/**
 * Erases everything and looks again. Run again, it goes on where it was: what cannot be erased in one place does not keep it from the
 * next, save that nothing else is touched while keys or open jobs cannot be.
 *
 * @param before what {@link countHoldings} said
 * @param say told about what goes on
 * @throws what deleting keys or open jobs threw
 */
export async function eraseTenant(
  holdings: TenantHoldings,
  before: readonly HoldingReport[],
  waits: ErasureWaits,
  say: (text: string) => void,
): Promise<HoldingReport[]> {
  const erased = new Map<Holding, number>();
  const problems = new Map<Holding, string>();
  const erase = async (holding: Holding) => {
    const found = before.find(({ name }) => name === holding.name)?.found;
    const done = await holding.erase((count) => say(`${holding.name}: ${count}${found ? ` of ${found}` : ""}`));
    erased.set(holding, (erased.get(holding) ?? 0) + done);
    return done;
  };
  const { keys, openJobs, others } = holdings;
  await erase(keys);
  say(`waiting ${waits.keyMs / 1_000} s: controllers remember keys for so long`);
  await sleep(waits.keyMs);
  // One that was made with a remembered key.
  await erase(keys);
  if ((await erase(openJobs)) > 0) {
    say(`waiting ${waits.jobMs / 1_000} s: workers find out that their jobs are cancelled`);
    await sleep(waits.jobMs);
  }
  for (const holding of others) {
    try {
      await erase(holding);
    } catch (error) {
      problems.set(holding, explain(error));
      say(`${holding.name}: not erased, going on with the rest`);
    }
  }
  const after = await countHoldings(holdings);
  return inOrder(holdings).map((holding, index) => ({
    name: holding.name,
    found: before[index]?.found ?? null,
    erased: erased.get(holding) ?? 0,
    left: after[index]?.left ?? null,
    problem: problems.get(holding) ?? after[index]?.problem ?? null,
  }));
}

function inOrder({ keys, openJobs, others }: TenantHoldings): Holding[] {
  return [keys, openJobs, ...others];
}
