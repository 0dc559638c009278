/** What each service of the pipeline is told, gets, and where it runs. */
import type { Mount, Placement, Resources, WorkloadProps } from "../../constructs/workload";
import { FIRST_STAGE } from "../../containers/music/first-stage/image";
import { MUSIC_DATA_PATH, MUSIC_MODELS_PATH } from "../../containers/music/program";
import { SECOND_STAGE } from "../../containers/music/second-stage/image";
import type { Settings } from "../platform/settings";
import type { ClusterValues } from "./kubernetes";
import {
  GPU_RESOURCE,
  GPU_TAINT,
  NAMESPACE,
  NODE_GROUPS,
  NODES_LABEL,
  PIPELINE_SERVER,
  PLATFORM_NAMESPACES,
  PORTS,
  SESSION,
  type ServiceName,
} from "./names";

/** One service. */
export interface Program {
  readonly image: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets?: WorkloadProps["secrets"];
  readonly resources: Resources;
  readonly placement: Placement;
  readonly mounts: readonly Mount[];
  /** How many pods there may be, that of a rollout among them. */
  readonly mostPods: number;
  readonly replicas: number | "scaled-elsewhere";
  /** Longest time until it takes its first request, in seconds. */
  readonly startSeconds: number;
  /** How long it may finish what it does, in seconds. */
  readonly stopSeconds: number;
}

/** Claim on the shared files. */
export const CLAIM = "files";
const ONE_GPU = { resource: GPU_RESOURCE, count: 1 };
/** Weights of 10 GB and more are read from the shared files. */
const MODEL_START_SECONDS = 900;
/** One piece of work of a stage counts as stuck after ten minutes. */
const WORK_SECONDS = 600;
const QUICK_SECONDS = 60;
const REQUEST_SECONDS = 30;
/** What a program takes to end once its work has. */
const END_SECONDS = 15;
const MIB = 1024 ** 2;

/**
 * All services by name.
 *
 * @param settings the environment's settings
 * @param values what music-cluster publishes
 */
export function programs(settings: Settings, values: ClusterValues): Readonly<Record<ServiceName, Program>> {
  const { services, nodes } = settings.music;
  const { logLevel } = services;
  const secrets = { MUSIC_SESSION_KEY: { name: SESSION.secret, key: SESSION.key } };
  const url = (service: ServiceName) => `http://${service}.${NAMESPACE}:${PORTS[service]}`;
  const common = (service: ServiceName) => ({ MUSIC_PORT: String(PORTS[service]), MUSIC_LOG_LEVEL: logLevel });
  const onSystem: Placement = { nodeLabels: { [NODES_LABEL]: NODE_GROUPS.system } };
  const onGpu = (group: string): Placement => ({ nodeLabels: { [NODES_LABEL]: group }, tolerates: [GPU_TAINT] });
  const data: Mount = { claim: CLAIM, path: MUSIC_DATA_PATH, folder: "data" };
  const models: Mount = { claim: CLAIM, path: MUSIC_MODELS_PATH, folder: "models", readOnly: true };
  const stage = {
    replicas: "scaled-elsewhere",
    mounts: [data, models],
    startSeconds: MODEL_START_SECONDS,
    stopSeconds: WORK_SECONDS + END_SECONDS,
  } as const;
  const stageEnvironment = { MUSIC_DATA: data.path, MUSIC_DRAIN_SECONDS: String(WORK_SECONDS) };
  return {
    front: {
      image: values.frontImageUri,
      environment: { ...common("front"), MUSIC_BACK: url("back"), MUSIC_DRAIN_SECONDS: String(REQUEST_SECONDS) },
      secrets,
      resources: { cpuMillis: 50, memoryMib: 192, scratchMib: 64 },
      placement: onSystem,
      mounts: [],
      replicas: services.frontReplicas,
      mostPods: services.frontReplicas + 1,
      startSeconds: QUICK_SECONDS,
      stopSeconds: REQUEST_SECONDS + END_SECONDS,
    },
    back: {
      image: values.backImageUri,
      environment: {
        ...common("back"),
        MUSIC_DATA: data.path,
        MUSIC_DRAIN_SECONDS: String(REQUEST_SECONDS),
        MUSIC_KUBEFLOW: `http://${PIPELINE_SERVER.name}.${PLATFORM_NAMESPACES.kubeflow}:${PIPELINE_SERVER.port}`,
        MUSIC_PIPELINE_IMAGE: values.stepImageUri,
        MUSIC_FIRST_STAGE: url("first-stage"),
        MUSIC_SECOND_STAGE: url("second-stage"),
        MUSIC_MAX_UPLOAD_BYTES: String(services.maxUploadMib * MIB),
        MUSIC_MAX_RECORDING_SECONDS: String(services.maxSeconds),
        // A run's candidates are made side by side, each on a GPU of its own.
        MUSIC_GPU_QUOTA: String(nodes.gpuLarge.max),
      },
      secrets,
      resources: { cpuMillis: 250, memoryMib: 512, scratchMib: 2 * services.maxUploadMib + 64 },
      placement: onSystem,
      mounts: [data],
      replicas: services.backReplicas,
      mostPods: services.backReplicas + 1,
      startSeconds: QUICK_SECONDS,
      stopSeconds: REQUEST_SECONDS + END_SECONDS,
    },
    "first-stage": {
      ...stage,
      image: values.firstStageImageUri,
      environment: { ...FIRST_STAGE.environment, ...common("first-stage"), ...stageEnvironment },
      // Of the smallest type with such a GPU: 4 vCPU and 16 GiB, less what the node keeps.
      resources: { cpuMillis: 2000, memoryMib: 10 * 1024, scratchMib: 2048, gpus: ONE_GPU },
      placement: onGpu(NODE_GROUPS.gpuSmall),
      mostPods: nodes.gpuSmall.max,
    },
    "second-stage": {
      ...stage,
      image: values.secondStageImageUri,
      environment: { ...SECOND_STAGE.environment, ...common("second-stage"), ...stageEnvironment },
      // Of the smallest type with such a GPU: 4 vCPU and 32 GiB.
      resources: { cpuMillis: 3000, memoryMib: 24 * 1024, scratchMib: 2048, gpus: ONE_GPU },
      placement: onGpu(NODE_GROUPS.gpuLarge),
      mostPods: nodes.gpuLarge.max,
    },
  };
}
