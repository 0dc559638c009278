/** The tables of the Denoise benchmarks. */
import { z } from "zod";
import { groupsOf, median, spread, spreadOf } from "./report";

/** What the server has to reach of what ONNX Runtime does by itself, at whichever concurrency suits it. */
export const LIMIT = 0.85;

/** A line of the load generator: a closed loop of some seconds. */
export const measurement = z.object({
  model: z.string(),
  tile: z.number(),
  /** ONNX Runtime itself, with its threads spinning or parked between runs, with one tile or eight; Triton with dynamic batching, and without. */
  kind: z.enum(["direct", "direct-parked", "direct-batch", "batching", "plain"]),
  concurrency: z.number(),
  tilesPerSecond: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
});

/** What one closed loop came to. */
export type Measurement = z.output<typeof measurement>;

const TITLES = {
  direct: "ONNX Runtime as it comes, one tile a call",
  "direct-parked": "ONNX Runtime as the server has it, one tile a call",
  "direct-batch": "the same, eight tiles a call",
  batching: "Triton, dynamic batching",
  plain: "Triton, without",
} as const;

/** What the server is held against: the faster of them. */
const PEERS: readonly string[] = ["direct", "direct-parked"];

/** One table for each model and tile, and whether the server reaches its limit. */
export function loadTable(measurements: readonly Measurement[]): string {
  return groupsOf(measurements, ({ model, tile }) => `\`${model}\`, tiles of ${tile} × ${tile}`)
    .map(([title, own]) => tableOf(title, own))
    .join("\n\n");
}

function tableOf(title: string, measurements: readonly Measurement[]): string {
  const rows = groupsOf(measurements, ({ concurrency, kind }) => `${kind} ${concurrency}`).map(([, own]) => own);
  const peer = fastest(rows.filter((own) => PEERS.includes(own[0]?.kind ?? "")));
  const ratiosOf = (own: readonly Measurement[]) =>
    own.map(({ tilesPerSecond }, round) => tilesPerSecond / (peer[round]?.tilesPerSecond ?? Number.NaN));
  const cellsOf = (own: readonly Measurement[]) => [
    TITLES[own[0]?.kind ?? "direct"],
    own[0]?.kind.startsWith("direct") ? "" : String(own[0]?.concurrency),
    spread(throughputs(own), 1),
    spread(ratiosOf(own), 2),
    milliseconds(own.map(({ p50Ms }) => p50Ms)),
    milliseconds(own.map(({ p99Ms }) => p99Ms)),
  ];
  const best = median(ratiosOf(fastest(rows.filter((own) => own[0]?.kind === "batching"))));
  return [
    `| ${title} | in flight | tiles/s | ratio | p50 ms | p99 ms |`,
    "|---|---:|---:|---:|---:|---:|",
    ...rows.map((own) => `| ${cellsOf(own).join(" | ")} |`),
    "",
    `At its best the server reaches ${best.toFixed(2)} × of the faster of the first two (limit: ≥ ${LIMIT}).`,
  ].join("\n");
}

/** The row whose median is the highest. */
function fastest(rows: readonly (readonly Measurement[])[]): readonly Measurement[] {
  return rows.reduce((a, b) => (median(throughputs(b)) > median(throughputs(a)) ? b : a));
}

function throughputs(own: readonly Measurement[]): number[] {
  return own.map(({ tilesPerSecond }) => tilesPerSecond);
}

function milliseconds(values: readonly number[]): string {
  return spreadOf(values, (value) => value.toFixed(value < 100 ? 1 : 0));
}

/** A frame that went through the whole service. */
export interface FrameRun {
  readonly model: string;
  /** Milliseconds of each step, in the service's order. */
  readonly steps: Readonly<Record<string, number>>;
  /** Seconds from the request to its end, as a client sees it. */
  readonly seconds: number;
}

/** What a frame takes, by step. @param machine what it ran on */
export function serviceTable(frames: readonly FrameRun[], side: number, machine: string): string {
  const models = groupsOf(frames, ({ model }) => model);
  const steps = [...new Set(frames.flatMap((frame) => Object.keys(frame.steps)))];
  const row = (title: string, pick: (frame: FrameRun) => number) =>
    `| ${[title, ...models.map(([, own]) => spread(own.map(pick), 2))].join(" | ")} |`;
  return [
    `A frame of ${side} × ${side}, 16 bits, on ${machine}, without a GPU. Seconds, median (minimum – maximum) of ${models[0]?.[1].length ?? 0}. S3 is the stand-in, on the same machine.`,
    "",
    `| step | ${models.map(([model]) => `\`${model}\``).join(" | ")} |`,
    `|---|${"---:|".repeat(models.length)}`,
    ...steps.map((step) => row(step, (frame) => (frame.steps[step] ?? 0) / 1_000)),
    row("from the request to its end", ({ seconds }) => seconds),
  ].join("\n");
}

/** A line of the measurement on a GPU. */
export const gpuMeasurement = z.object({
  device: z.string(),
  provider: z.string(),
  model: z.string(),
  side: z.number(),
  imagesPerSecond: z.number(),
  rooflineImagesPerSecond: z.number(),
  /** What the device reaches in a matrix product. */
  multiplyAddsPerSecond: z.number(),
});

/** Images a second on a GPU. */
export type GpuMeasurement = z.output<typeof gpuMeasurement>;

/** What a GPU reaches, against what its matrix product would allow. */
export function gpuTable(measurements: readonly GpuMeasurement[]): string {
  const rows = measurements.map(({ imagesPerSecond, model, provider, rooflineImagesPerSecond: bound, side }) => {
    const under = provider.replace("ExecutionProvider", "");
    const cells = [`\`${model}\``, `${side} × ${side}`, under, imagesPerSecond.toFixed(1), bound.toFixed(1)];
    return `| ${[...cells, (imagesPerSecond / bound).toFixed(2)].join(" | ")} |`;
  });
  const peaks = groupsOf(measurements, ({ provider }) => provider).map(
    ([, [first]]) => `${((first?.multiplyAddsPerSecond ?? 0) / 1e12).toFixed(1)} · 10¹²`,
  );
  return [
    `One ${measurements[0]?.device}, float32, input and output on the device. Its matrix product reaches ${peaks.join(" and ")} multiplications with addition a second.`,
    "",
    "| model | image | under | images/s | roofline | ratio |",
    "|---|---:|---|---:|---:|---:|",
    ...rows,
  ].join("\n");
}
