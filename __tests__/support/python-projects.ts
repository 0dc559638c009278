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
  {
    name: "denoise-training",
    folder: "containers/denoise/training",
    lock: "containers/denoise/training/requirements-dev.lock",
    tests: "__tests__/containers/denoise",
    variable: "NANOGRID_DENOISE_DEV_PYTHON",
  },
  {
    name: "triton-cpu",
    folder: "local/triton",
    lock: "local/triton/requirements-dev.lock",
    tests: "__tests__/local/triton",
    variable: "NANOGRID_TRITON_CPU_DEV_PYTHON",
  },
  {
    name: "denoise-service",
    folder: "containers/denoise/service",
    lock: "containers/denoise/service/requirements-dev.lock",
    tests: "__tests__/containers/denoise-service",
    variable: "NANOGRID_DENOISE_SERVICE_DEV_PYTHON",
  },
  {
    name: "product-inference",
    folder: "containers/product-inference/service",
    lock: "containers/product-inference/service/requirements-dev.lock",
    tests: "__tests__/containers/product-inference",
    variable: "NANOGRID_PRODUCT_INFERENCE_DEV_PYTHON",
  },
  {
    name: "ml-xgboost",
    folder: "lambdas/ml-xgboost",
    lock: "lambdas/ml-xgboost/requirements-dev.lock",
    tests: "__tests__/lambdas/ml-xgboost",
    variable: "NANOGRID_ML_XGBOOST_DEV_PYTHON",
  },
  {
    name: "music",
    folder: "containers/music",
    lock: "containers/music/requirements-dev.lock",
    tests: "__tests__/containers/music",
    variable: "NANOGRID_MUSIC_DEV_PYTHON",
  },
];
