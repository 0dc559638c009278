/** What a deployment has to know of each of the Music pipeline's programs. `<program>/image.ts` has them, one each. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ArtifactFile, filesBelow } from "../../modules/platform/artifact";
import { isShipped } from "../../modules/platform/image-source";

/** Where the programs are. */
export const MUSIC_FOLDER = "containers/music";

/** Where the shared volume is mounted, in each service but the front: MUSIC_DATA. */
export const MUSIC_DATA_PATH = "/data";
/** Where the large models' weights are mounted, read-only, in the stages. */
export const MUSIC_MODELS_PATH = "/models";
/** User and group that all containers run as; the volume is theirs. */
export const MUSIC_USER_ID = 1000;
/** Seconds that work may go on after SIGTERM; give a pod ten more. */
export const MUSIC_DRAIN_SECONDS = 60;

/** Paths of HTTP that the kubelet and Prometheus ask for. */
export const MUSIC_PATHS = {
  /** 503: start the process again. A stage whose work is stuck says so here. */
  live: "/livez",
  /** 503: send no requests. Until it is 200 first, a stage loads its model: minutes, for the large ones. */
  ready: "/readyz",
  /** Prometheus; the front has none. */
  metrics: "/metrics",
} as const;

/** Metrics that scaling and dashboards look at. */
export const MUSIC_METRICS = {
  /** Gauge by `state` (queued, running), of the back: runs. */
  queueDepth: "music_queue_depth",
  /** Gauge by `stage` (first-stage, second-stage), of the back: pieces of work before a stage. KEDA scales the stages on it. */
  backlog: "music_stage_backlog",
  /** Histogram by `step`, of the stages: seconds with the model. */
  stageSeconds: "music_stage_seconds",
  /** Counter by `step` and `outcome`, of the stages. */
  stageWork: "music_stage_work_total",
  /** Gauge by `gpu`, of the stages: share of the last second. */
  gpuUse: "music_gpu_use_ratio",
  /** Gauge by `gpu`, of the stages. */
  gpuMemory: "music_gpu_memory_bytes",
  /** Gauge, of the back. */
  volumeFree: "music_volume_free_bytes",
} as const;

/** A program as its container runs it. */
export interface MusicProgram {
  /** Name of its image, its Deployment and its Service. */
  readonly name: string;
  readonly port: number;
  readonly command: readonly string[];
  /** Variables that have to be set where the default does not fit; each program's settings have them all. */
  readonly environment: Readonly<Record<string, string>>;
  /** Variables that come from a Secret. */
  readonly secrets: readonly string[];
}

/**
 * The files of a Python program's context.
 *
 * @param dockerfile name of its Dockerfile in {@link MUSIC_FOLDER}
 * @param locks locks of its packages
 * @param packages its packages: folders, relative to {@link MUSIC_FOLDER}
 */
export function pythonFiles(
  dockerfile: string,
  locks: readonly string[],
  packages: readonly string[],
): readonly ArtifactFile[] {
  const content = (name: string) => readFileSync(join(MUSIC_FOLDER, name));
  return [
    { path: "Dockerfile", content: content(dockerfile) },
    ...locks.map((path) => ({ path, content: content(path) })),
    ...packages.flatMap((folder) =>
      filesBelow(join(MUSIC_FOLDER, folder), isShipped).map((file) => ({
        ...file,
        path: `program/${folder.split("/").at(-1)}/${file.path}`,
      })),
    ),
  ];
}
