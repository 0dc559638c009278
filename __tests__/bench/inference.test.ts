/** The inference benchmark: its table, and its Python, which is linted and typed in the environment of the service. */
import { type InferenceMeasurement, inferenceTable } from "../../bench/support/inference-tables";
import { productInferencePython } from "../../local/product-inference";
import { run } from "../support/run";

const CHECK_MS = 120_000;

function measured(kind: InferenceMeasurement["kind"], items: number, itemsPerSecond: number): InferenceMeasurement {
  return { items, kind, callers: kind === "float" ? 4 : 1, itemsPerSecond, p50Ms: 10, p99Ms: 120 };
}

test("bench: a ratio is of the same round and of the faster way to run the model, and the verdict names what falls short", () => {
  const round = (...speeds: readonly [number, number, number, number, number, number]) => [
    measured("direct", 1, speeds[0]),
    measured("parked", 1, speeds[1]),
    measured("float", 1, speeds[2]),
    measured("direct", 8, speeds[3]),
    measured("parked", 8, speeds[4]),
    measured("float", 8, speeds[5]),
  ];

  const table = inferenceTable([...round(100, 50, 60, 100, 200, 190), ...round(200, 100, 160, 200, 400, 380)]);

  expect(table).toContain("| 1 | the service, numbers | 4 | 110 (60 – 160) | 0.70 (0.60 – 0.80) | 10.0 | 120 |");
  expect(table).toContain("| 8 | the model called directly, threads parked |  | 300 (200 – 400) | 1.00 | 10.0 | 120 |");
  expect(table).toContain(
    "| 8 | the model called directly, threads spinning |  | 150 (100 – 200) | 0.50 | 10.0 | 120 |",
  );
  expect(table).toContain(
    "1: 0.70 ×, 8: 0.95 × of the faster way to call the model directly (limit: ≥ 0.85). It falls short with 1 texts a call.",
  );
});

test(
  "bench: ruff and mypy have nothing to say about its Python",
  () => {
    const options = { cwd: "bench/inference", timeoutMs: CHECK_MS };
    for (const args of [
      ["ruff", "check", "."],
      ["ruff", "format", "--check", "."],
      ["mypy", "."],
    ]) {
      run(productInferencePython(), ["-m", ...args], options);
    }
  },
  CHECK_MS,
);
