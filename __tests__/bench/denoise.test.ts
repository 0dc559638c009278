/** The Denoise benchmark: its tables, and its Python, which is linted and typed in the environment of local/triton. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { loadTable, type Measurement, serviceTable } from "../../bench/support/denoise-tables";
import { run } from "../support/run";

const CHECK_MS = 120_000;
const PYTHON = resolve(process.env.NANOGRID_TRITON_CPU_DEV_PYTHON ?? ".local/venv/triton-cpu-dev/bin/python");
const DOCS_PYTHON = resolve(process.env.NANOGRID_DENOISE_DEV_PYTHON ?? ".local/venv/denoise-training-dev/bin/python");

function measured(kind: Measurement["kind"], concurrency: number, tilesPerSecond: number): Measurement {
  return { model: "efficient", tile: 256, kind, concurrency, tilesPerSecond, p50Ms: 10, p99Ms: 120 };
}

test("bench: a ratio is of the same round, and of the faster way to run ONNX Runtime by itself", () => {
  const slowRound = [measured("direct", 1, 10), measured("direct-parked", 1, 20), measured("batching", 4, 18)];
  const fastRound = [measured("direct", 1, 30), measured("direct-parked", 1, 40), measured("batching", 4, 36)];

  const table = loadTable([...slowRound, ...fastRound]);

  expect(table).toContain("| `efficient`, tiles of 256 × 256 | in flight | tiles/s | ratio | p50 ms | p99 ms |");
  expect(table).toContain("| Triton, dynamic batching | 4 | 27.0 (18.0 – 36.0) | 0.90 | 10.0 | 120 |");
  expect(table).toContain("| ONNX Runtime as it comes, one tile a call |  | 20.0 (10.0 – 30.0) | 0.63 (0.50 – 0.75) |");
  expect(table).toContain("At its best the server reaches 0.90 × of the faster of the first two (limit: ≥ 0.85).");
});

test("bench: the steps of a frame are columns by model, in the service's order", () => {
  const frame = (model: string, denoise: number) => ({ model, steps: { download: 500, denoise }, seconds: 9 });

  const table = serviceTable([frame("efficient", 4_000), frame("powerful", 8_000)], 3_072, "2 cores");

  expect(table).toMatch(
    /download \| 0\.50 \| 0\.50 \|\n\| denoise \| 4\.00 \| 8\.00 \|\n\| from the request to its end \| 9\.00/,
  );
});

test(
  "bench: ruff and mypy have nothing to say about its Python",
  () => {
    const check = (...args: string[]) => run(PYTHON, ["-m", ...args], { cwd: "bench/denoise", timeoutMs: CHECK_MS });
    check("ruff", "check", ".");
    check("ruff", "format", "--check", ".");
    check("mypy", ".");
  },
  CHECK_MS,
);

test(
  "bench: the docs' picture of before and after is what the models give",
  () => {
    expect(existsSync(DOCS_PYTHON)).toBe(true);
    run(DOCS_PYTHON, ["bench/denoise/pictures.py", "--check"], { timeoutMs: CHECK_MS });
  },
  CHECK_MS,
);
