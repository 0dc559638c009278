/** The three containers of the task: Triton with the GPU, the API in front of it, and the sidecar that publishes metrics. */
import type { ContainerProps } from "../../constructs/ecs-task";
import { DENOISE_COMMANDS, DENOISE_HEALTH_CHECKS, DENOISE_PORTS } from "../../containers/denoise/image";
import type { ValuesOf } from "../platform/contract";
import type { Settings } from "../platform/settings";
import { CLUSTER, CONTAINERS, METRICS_NAMESPACE, SERVICE } from "./names";
import { SIDECAR_MIB } from "./settings";
import type { storage } from "./storage";

/** How long the API waits for Triton: TensorRT builds its engines when the models are loaded. */
export const TRITON_START_SECONDS = 600;
/** ECS counts no failure of a health check in the first five minutes at most. */
const LONGEST_START_SECONDS = 300;
const TRITON_CHECK_SECONDS = 30;
/** Shares of four vCPUs, the fewest that an instance has; what is left is the agent's. */
const CPU = { triton: 2048, api: 1536, metrics: 128 } as const;
/** Of what a spot instance has left when it is taken back, two minutes, some is for Triton and the agent. */
const API_STOP_SECONDS = 90;
const STOP_SECONDS = 30;
const LOOPBACK = "127.0.0.1";

/**
 * The containers, in their start order.
 *
 * @param settings the environment's settings
 * @param stored what denoise-storage publishes
 */
export function denoiseContainers(settings: Settings, stored: ValuesOf<typeof storage>): readonly ContainerProps[] {
  const { region, accountId } = settings;
  const { service: own } = settings.denoise;
  const address = (port: number) => `${LOOPBACK}:${port}`;
  return [
    {
      name: CONTAINERS.triton,
      command: DENOISE_COMMANDS.triton,
      // The image is read-only: what CUDA compiles goes below the home folder, where the container may write.
      environment: { HOME: "/tmp" },
      memoryMib: own.tritonMemoryMib,
      cpuUnits: CPU.triton,
      gpus: 1,
      healthCheck: {
        command: DENOISE_HEALTH_CHECKS.triton,
        intervalSeconds: TRITON_CHECK_SECONDS,
        timeoutSeconds: 10,
        retries: (TRITON_START_SECONDS - LONGEST_START_SECONDS) / TRITON_CHECK_SECONDS,
        startSeconds: LONGEST_START_SECONDS,
      },
      startTimeoutSeconds: TRITON_START_SECONDS,
      stopTimeoutSeconds: STOP_SECONDS,
    },
    {
      name: CONTAINERS.api,
      command: DENOISE_COMMANDS.api,
      environment: {
        AWS_REGION: region,
        ACCOUNT_ID: accountId,
        DDN_IN_BUCKET: stored.inBucket,
        DDN_OUT_BUCKET: stored.outBucket,
        DDN_PORT: String(DENOISE_PORTS.api),
        DDN_TRITON_PROTOCOL: own.tritonProtocol,
        DDN_TRITON_HTTP: address(DENOISE_PORTS.tritonHttp),
        DDN_TRITON_GRPC: address(DENOISE_PORTS.tritonGrpc),
        DDN_MAX_PIXELS: String(own.maxPixels),
        DDN_INLINE_SECONDS: String(own.inlineSeconds),
        DDN_CONCURRENCY: String(own.concurrency),
        DDN_LOG_LEVEL: own.logLevel,
      },
      memoryMib: own.apiMemoryMib,
      cpuUnits: CPU.api,
      port: DENOISE_PORTS.api,
      healthCheck: {
        command: DENOISE_HEALTH_CHECKS.api,
        intervalSeconds: 15,
        timeoutSeconds: 5,
        retries: 3,
        startSeconds: 60,
      },
      after: { [CONTAINERS.triton]: "HEALTHY" },
      stopTimeoutSeconds: API_STOP_SECONDS,
    },
    {
      name: CONTAINERS.metrics,
      command: DENOISE_COMMANDS.metrics,
      environment: {
        AWS_REGION: region,
        DDN_METRICS_NAMESPACE: METRICS_NAMESPACE,
        DDN_TRITON_METRICS: `http://${address(DENOISE_PORTS.tritonMetrics)}/metrics`,
        DDN_ECS_CLUSTER: CLUSTER,
        DDN_ECS_SERVICE: SERVICE,
        DDN_METRICS_INTERVAL_SECONDS: String(own.metricsIntervalSeconds),
        DDN_LOG_LEVEL: own.logLevel,
      },
      memoryMib: SIDECAR_MIB,
      cpuUnits: CPU.metrics,
      // Denoising goes on without figures.
      essential: false,
      after: { [CONTAINERS.triton]: "START" },
      stopTimeoutSeconds: STOP_SECONDS,
    },
  ];
}
