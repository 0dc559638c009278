/** The Python projects: linted, typed, and tested by pytest, each in the environment that its lock describes. */
import { resolve } from "node:path";
import { PYTHON_PROJECTS } from "../support/python-projects";
import { run } from "../support/run";

const CHECK_MS = 120_000;
const TESTS_MS = 900_000;

describe.each(PYTHON_PROJECTS)("$name", ({ folder, tests, variable }) => {
  const module = (name: string, args: readonly string[], timeoutMs: number) =>
    run(process.env[variable] ?? "", ["-m", name, ...args], { cwd: folder, timeoutMs });
  const testFolder = resolve(tests);

  test(
    "ruff has nothing to say",
    () => {
      module("ruff", ["check", ".", testFolder], CHECK_MS);
      module("ruff", ["format", "--check", ".", testFolder], CHECK_MS);
    },
    CHECK_MS,
  );

  test(
    "mypy has nothing to say",
    () => {
      module("mypy", ["."], CHECK_MS);
    },
    CHECK_MS,
  );

  test(
    "its tests pass",
    () => {
      const report = module("pytest", [testFolder], TESTS_MS);
      // Tests that were left out say why; a run without any test is an error of pytest's own.
      process.stdout.write(report.slice(-4_000));
    },
    TESTS_MS,
  );
});
