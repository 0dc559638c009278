/** What each Python project has to pass: ruff, mypy, and its tests by pytest, in the environment that its lock describes. */
import { resolve } from "node:path";
import { PYTHON_PROJECTS } from "./python-projects";
import { run } from "./run";

const CHECK_MS = 120_000;
const TESTS_MS = 900_000;

/**
 * Declares the checks of one project. Each project has a file of its own in __tests__/python, so that they run side by side.
 *
 * @param name a project of {@link PYTHON_PROJECTS}
 */
export function checkPythonProject(name: string): void {
  describe(name, () => checks(name));
}

function checks(name: string): void {
  const { folder, tests, variable } = PYTHON_PROJECTS.find((each) => each.name === name) ?? missing(name);
  const module = (program: string, args: readonly string[], timeoutMs: number) =>
    run(process.env[variable] ?? "", ["-m", program, ...args], { cwd: folder, timeoutMs });
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
}

function missing(name: string): never {
  throw new Error(`There is no Python project ${name} in python-projects.ts.`);
}
