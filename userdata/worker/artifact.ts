/** The worker as an artifact: the Python package, its locked requirements, its unit, and the sandbox runtimes. */
import { type Artifact, buildArtifact, filesBelow, hashOf } from "../../modules/platform/artifact";

const FOLDER = "userdata/worker";

/** Packs the worker. */
export function workerArtifact(): Artifact {
  const files = filesBelow(FOLDER, isShipped);
  return buildArtifact("worker", files, () => files);
}

/** Tag of the Python sandbox image: the content of what it is built from. */
export function pythonRuntimeImage(): string {
  const content = hashOf(filesBelow(`${FOLDER}/runtimes/python`));
  return `nanogrid/runtime-python:${content.slice(0, 16)}`;
}

function isShipped(path: string): boolean {
  const isGenerated = path.includes("__pycache__") || /(^|\/)\.|\.egg-info/.test(path);
  const isProgram = /^(nanogrid_worker|runtimes)\//.test(path);
  return !isGenerated && (isProgram || ["pyproject.toml", "requirements.lock", "worker.service"].includes(path));
}
