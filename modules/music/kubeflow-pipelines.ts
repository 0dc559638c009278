/** The backend of Kubeflow Pipelines: what runs the compiled pipeline that `back` hands in. */
import { NamespaceV1 } from "@cdktf/provider-kubernetes/lib/namespace-v1";
import type { Construct } from "constructs";
import { LocalChart } from "../../constructs/local-chart";
import { NAME_LABEL } from "../../constructs/workload";
import { PIPELINE_IMAGES } from "./charts";
import {
  NAMESPACE,
  NODE_GROUPS,
  NODES_LABEL,
  PIPELINE_SERVER,
  PLATFORM_NAMESPACES,
  PORTS,
  SERVICE_ACCOUNTS,
  STEP_LABEL,
} from "./names";

/** MySQL makes its databases, and the server its tables, before the release counts as installed. */
const TIMEOUT_SECONDS = 900;

export interface PipelinesProps {
  /** Bucket of what runs leave. */
  readonly bucket: string;
  /** Region of the bucket. */
  readonly region: string;
  /** Class of the database's disk. */
  readonly storageClass: string;
  /** Size of the database's disk, in GiB. */
  readonly databaseGib: number;
}

/** Installs the backend, its database and Argo Workflows in a namespace of their own, by a chart of this repository. */
export function installPipelines(scope: Construct, props: PipelinesProps): void {
  const namespace = new NamespaceV1(scope, "kubeflow-namespace", {
    metadata: {
      name: PLATFORM_NAMESPACES.kubeflow,
      labels: {
        // What a run's pods ask for is for the server to compile. Its own pods, and a run's with the chart's defaults, keep to "restricted".
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/warn": "restricted",
      },
    },
  }).metadata.name;
  new LocalChart(scope, "pipelines", {
    chart: "modules/music/charts/kubeflow-pipelines",
    name: "kubeflow-pipelines",
    namespace,
    values: {
      images: PIPELINE_IMAGES,
      bucket: props.bucket,
      region: props.region,
      runner: SERVICE_ACCOUNTS.pipelineRunner.name,
      server: PIPELINE_SERVER,
      nodeLabels: { [NODES_LABEL]: NODE_GROUPS.system },
      stepLabels: STEP_LABEL,
      databaseClaim: {
        storageClassName: props.storageClass,
        accessModes: ["ReadWriteOnce"],
        resources: { requests: { storage: `${props.databaseGib}Gi` } },
      },
      clients: {
        namespace: NAMESPACE,
        caller: { [NAME_LABEL]: "back" },
        asked: (["first-stage", "second-stage"] as const).map((stage) => ({
          labels: { [NAME_LABEL]: stage },
          port: PORTS[stage],
        })),
      },
    },
    timeoutSeconds: TIMEOUT_SECONDS,
  });
}
