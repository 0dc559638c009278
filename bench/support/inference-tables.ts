/** The table of the inference benchmark. */
import { z } from "zod";
import { groupsOf, median, spread, spreadOf } from "./report";

/** What the service has to reach of what the model does by itself with as many texts a call. */
export const LIMIT = 0.85;

/** A line of the load generator: a closed loop of some seconds. */
export const inferenceMeasurement = z.object({
  /** Texts of a call. */
  items: z.number(),
  /** The model by itself, its threads spinning or parked between runs; the service with its answers in JSON's numbers or in base64. */
  kind: z.enum(["direct", "parked", "float", "base64"]),
  callers: z.number(),
  itemsPerSecond: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
});

/** What one closed loop came to. */
export type InferenceMeasurement = z.output<typeof inferenceMeasurement>;

/** The rounds of one row. */
type Own = readonly InferenceMeasurement[];

const TITLES = {
  direct: "the model called directly, threads spinning",
  parked: "the model called directly, threads parked",
  float: "the service, numbers",
  base64: "the service, base64",
} as const;

/** What the service is held against: the faster of them. */
const PEERS: readonly string[] = ["direct", "parked"];

/** A row for each way to ask, beside the faster way to run the model alone with as many texts a call, and whether the service reaches its limit at each size. */
export function inferenceTable(measurements: readonly InferenceMeasurement[]): string {
  const sizes = groupsOf(measurements, ({ items }) => String(items));
  const parts = sizes.map(([items, own]) => sizeOf(Number(items), own));
  const short = parts.filter(({ best }) => best < LIMIT).map(({ items }) => items);
  const verdict =
    short.length === 0
      ? "At every size the service reaches it."
      : `It falls short with ${short.join(" and ")} texts a call.`;
  return [
    "| texts a call | | callers | texts/s | ratio | p50 ms | p99 ms |",
    "|---:|---|---:|---:|---:|---:|---:|",
    ...parts.flatMap(({ rows }) => rows),
    "",
    `At its best, by texts a call: ${parts.map(({ items, best }) => `${items}: ${best.toFixed(2)} ×`).join(", ")} of the faster way to call ` +
      `the model directly (limit: ≥ ${LIMIT}). ${verdict}`,
  ].join("\n");
}

function sizeOf(items: number, measurements: Own) {
  const ways = groupsOf(measurements, ({ kind, callers }) => `${kind} ${callers}`).map(([, own]) => own);
  const peer = PEERS.map<Own>((peerKind) => measurements.filter(({ kind }) => kind === peerKind)).reduce(faster);
  const ratiosOf = (own: Own) =>
    own.map(({ itemsPerSecond }, round) => itemsPerSecond / (peer[round]?.itemsPerSecond ?? Number.NaN));
  const rows = ways.map((own) => {
    const [{ kind, callers }] = own as [InferenceMeasurement];
    const cells = [
      String(items),
      TITLES[kind],
      PEERS.includes(kind) ? "" : String(callers),
      spread(
        own.map(({ itemsPerSecond }) => itemsPerSecond),
        0,
      ),
      spread(ratiosOf(own), 2),
      milliseconds(own.map(({ p50Ms }) => p50Ms)),
      milliseconds(own.map(({ p99Ms }) => p99Ms)),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const best = Math.max(
    ...ways.filter((own) => own.some(({ kind }) => !PEERS.includes(kind))).map((own) => median(ratiosOf(own))),
  );
  return { items, rows, best };
}

function faster(a: Own, b: Own): Own {
  const rate = (own: Own) => median(own.map(({ itemsPerSecond }) => itemsPerSecond));
  return b.length > 0 && rate(b) > rate(a) ? b : a;
}

function milliseconds(values: readonly number[]): string {
  return spreadOf(values, (value) => value.toFixed(value < 100 ? 1 : 0));
}
