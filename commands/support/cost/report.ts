/** A cost estimate for a person. */
import { table } from "../table";
import { ASSUMPTIONS, sum } from "./assumptions";
import type { CostLine, StackCost } from "./estimate";
import type { Confidence } from "./prices";

/** How many drivers are named. */
const DRIVERS = 10;

/** US dollars: with cents below a hundred. */
export function dollars(usd: number): string {
  const digits = Math.abs(usd) < 100 ? 2 : 0;
  return usd.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A difference in US dollars with its sign. */
export function signed(usd: number): string {
  return `${usd < 0 ? "−" : "+"}$${dollars(Math.abs(usd))}`;
}

/** Stacks with what they cost a month, and the sum. */
export function costTable(costs: readonly StackCost[]): string {
  const row = (name: string, levels: StackCost["total"]) => [
    name,
    ...[levels.idle, levels.low, levels.typical, levels.high].map(dollars),
  ];
  return table(
    ["USD a month", "idle", "low", "typical", "high"],
    [...costs.map(({ stack, total }) => row(stack, total)), row("together", sum(costs.map(({ total }) => total)))],
  );
}

/** The dearest resources at typical use: address, US dollars a month, share of the whole. */
export function drivers(costs: readonly StackCost[], count = DRIVERS): Driver[] {
  const lines = costs.flatMap(({ lines: own }) => own);
  const total = lines.reduce((all, { usd }) => all + usd.typical, 0);
  const byResource = new Map<string, CostLine[]>();
  for (const line of lines) {
    const key = `${line.stack}: ${line.address}`;
    byResource.set(key, [...(byResource.get(key) ?? []), line]);
  }
  return [...byResource]
    .map(([resource, own]) => {
      const [dearest] = [...own].sort((a, b) => b.usd.typical - a.usd.typical);
      const usd = own.reduce((all, line) => all + line.usd.typical, 0);
      return { resource, what: dearest?.what ?? "", usd, share: total === 0 ? 0 : usd / total };
    })
    .sort((a, b) => b.usd - a.usd)
    .slice(0, count);
}

/** One of the dearest resources. */
export interface Driver {
  /** `<stack>: <type>.<name>` */
  readonly resource: string;
  /** What most of it is for. */
  readonly what: string;
  /** US dollars a month at typical use. */
  readonly usd: number;
  /** Of the whole. */
  readonly share: number;
}

/** The dearest resources as a table. */
export function driverTable(costs: readonly StackCost[]): string {
  const rows = drivers(costs).map(({ resource, what, usd, share }) => [
    resource,
    what,
    dollars(usd),
    `${Math.round(share * 100)} %`,
  ]);
  return table(["what drives it", "mostly", "typical", "share"], rows, { words: 2 });
}

/** Every charge. */
export function lineTable(costs: readonly StackCost[]): string {
  const rows = costs.flatMap(({ lines }) =>
    lines.map(({ stack, address, what, price, usage, usd }) => [
      `${stack}: ${address}`,
      `${what}${usage ? " (by use)" : ""}`,
      price,
      ...[usd.idle, usd.low, usd.typical, usd.high].map(dollars),
    ]),
  );
  return table(["resource", "what", "price", "idle", "low", "typical", "high"], rows, { words: 3 });
}

/** What is assumed of use. */
export function assumptionTable(): string {
  const rows = Object.entries(ASSUMPTIONS).map(([name, { what, unit, idle, low, typical, high }]) => [
    name,
    what,
    unit,
    ...[idle, low, typical, high].map(String),
  ]);
  return table(["assumption, a month", "what", "unit", "idle", "low", "typical", "high"], rows, { words: 3 });
}

/** How much of the typical cost comes from prices of which confidence, in percent. */
export function confidenceOf(costs: readonly StackCost[]): Record<Confidence, number> {
  const lines = costs.flatMap(({ lines: own }) => own);
  const total = lines.reduce((all, { usd }) => all + usd.typical, 0) || 1;
  const share = (wanted: Confidence) =>
    Math.round(
      (100 * lines.filter(({ confidence }) => confidence === wanted).reduce((all, { usd }) => all + usd.typical, 0)) /
        total,
    );
  return { high: share("high"), medium: share("medium"), low: share("low") };
}

/** A paragraph for each accelerated resource; empty when there is none. */
export function gpuText(costs: readonly StackCost[]): string {
  return costs
    .filter(({ gpu }) => gpu.length > 0)
    .map(({ stack, total, gpu }) =>
      [
        `${stack} has GPUs: an idle day of the stack costs $${dollars((total.idle * 12) / 365)}.`,
        ...gpu.map(
          ({ address, instanceType, idleDayUsd, typicalDayUsd, pause }) =>
            `  ${address} (${instanceType}): $${dollars(idleDayUsd)} an idle day, $${dollars(typicalDayUsd)} a typical one.\n  To pause it: ${pause}.`,
        ),
      ].join("\n"),
    )
    .join("\n\n");
}
