/** The worker as an artifact: the Python package, its locked requirements, its units, and the sandbox runtimes. */
import { type Artifact, buildArtifact, filesBelow, hashOf } from "../../modules/platform/artifact";

const FOLDER = "userdata/worker";

/** Files at the top of the folder that belong to the program. */
const TOP = [
  "egress-network",
  "nanogrid-egress.service",
  "pyproject.toml",
  "requirements.lock",
  "worker.service",
] as readonly string[];

/** What functions are written in; each has a sandbox image of its own. */
export const RUNTIMES = ["python", "node"] as const;

/** A language that functions are written in. */
export type Runtime = (typeof RUNTIMES)[number];

/** Packs the worker. */
export function workerArtifact(): Artifact {
  const files = filesBelow(FOLDER, isProgram);
  return buildArtifact("worker", files, () => files);
}

/** Tag of a sandbox image: 16 hex digits of the content that it is built from, as runtimes/build computes them too. */
export function runtimeTag(runtime: Runtime): string {
  const isPart = (path: string) => path === "build" || path.startsWith(`${runtime}/`);
  return hashOf(filesBelow(`${FOLDER}/runtimes`, (path) => isShipped(path) && isPart(path))).slice(0, 16);
}

/** Repository of a runtime's sandbox images. */
export function runtimeRepository(runtime: Runtime): string {
  return `nanogrid/runtime-${runtime}`;
}

/** Name of the sandbox image that this checkout builds for a runtime: repository and tag. */
export function runtimeImage(runtime: Runtime): string {
  return `${runtimeRepository(runtime)}:${runtimeTag(runtime)}`;
}

function isProgram(path: string): boolean {
  const isPart = /^(nanogrid_worker|runtimes)\//.test(path);
  return isShipped(path) && (isPart || TOP.includes(path));
}

/** Nothing that Python or a package manager leaves behind, and nothing hidden. */
function isShipped(path: string): boolean {
  return !/__pycache__|(^|\/)\.|\.egg-info/.test(path);
}
