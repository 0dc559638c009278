/** The worker as an artifact: the Python package, its locked requirements, its unit, and the sandbox runtimes. */
import { type Artifact, buildArtifact, filesBelow, hashOf } from "../../modules/platform/artifact";

const FOLDER = "userdata/worker";

/** Packs the worker. */
export function workerArtifact(): Artifact {
  const files = filesBelow(FOLDER, isProgram);
  return buildArtifact("worker", files, () => files);
}

/** Tag of the Python sandbox image: the content of what it is built from. */
export function pythonRuntimeImage(): string {
  const content = hashOf(filesBelow(`${FOLDER}/runtimes/python`, isShipped));
  return `nanogrid/runtime-python:${content.slice(0, 16)}`;
}

function isProgram(path: string): boolean {
  const isPart = /^(nanogrid_worker|runtimes)\//.test(path);
  return isShipped(path) && (isPart || ["pyproject.toml", "requirements.lock", "worker.service"].includes(path));
}

/** Nothing that Python or a package manager leaves behind, and nothing hidden. */
function isShipped(path: string): boolean {
  return !/__pycache__|(^|\/)\.|\.egg-info/.test(path);
}
