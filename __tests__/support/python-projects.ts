/** The Python projects of this repository, and the variables through which tests learn of their interpreters. */

/** A project with its tests. */
export interface PythonProject {
  readonly name: string;
  /** Folder of its pyproject.toml. */
  readonly folder: string;
  /** Lock of what its tests and linters need. */
  readonly lock: string;
  /** Folder of its tests. */
  readonly tests: string;
  /** Names the interpreter that has all that the lock lists. */
  readonly variable: string;
}

export const PYTHON_PROJECTS: readonly PythonProject[] = [
  {
    name: "standins",
    folder: "local/standins",
    lock: "local/standins/requirements-dev.lock",
    tests: "__tests__/local/standins",
    variable: "NANOGRID_STANDINS_DEV_PYTHON",
  },
  {
    name: "worker",
    folder: "userdata/worker",
    lock: "userdata/worker/requirements-dev.lock",
    tests: "__tests__/userdata/worker",
    variable: "NANOGRID_WORKER_DEV_PYTHON",
  },
];
