/** What music-platform installs from elsewhere, charts and images: each in one version, which changes here and nowhere else. */

/** A chart of a repository. */
export interface Chart {
  readonly repository: string;
  readonly chart: string;
  readonly version: string;
}

export const CHARTS = {
  /** Registers `nvidia.com/gpu` with each node that has one. */
  devicePlugin: {
    repository: "https://nvidia.github.io/k8s-device-plugin",
    chart: "nvidia-device-plugin",
    version: "0.17.2",
  },
  /** Starts a node for a pod that finds none, and ends one that nobody uses. This version of it is made for Kubernetes 1.35. */
  autoscaler: { repository: "https://kubernetes.github.io/autoscaler", chart: "cluster-autoscaler", version: "9.59.0" },
  /** Prometheus with its operator, Grafana, and metrics of Kubernetes' objects. */
  prometheus: {
    repository: "https://prometheus-community.github.io/helm-charts",
    chart: "kube-prometheus-stack",
    version: "88.4.0",
  },
  /** Scales Deployments by metrics, from none and to none. */
  keda: { repository: "https://kedacore.github.io/charts", chart: "keda", version: "2.21.0" },
} as const satisfies Readonly<Record<string, Chart>>;

const KUBEFLOW_PIPELINES = "2.16.0";
/** The version that Kubeflow Pipelines is released with. */
const ARGO_WORKFLOWS = "v3.7.3";

/** Images of `charts/kubeflow-pipelines`, by the names of its values. */
export const PIPELINE_IMAGES = {
  server: `ghcr.io/kubeflow/kfp-api-server:${KUBEFLOW_PIPELINES}`,
  persistenceAgent: `ghcr.io/kubeflow/kfp-persistence-agent:${KUBEFLOW_PIPELINES}`,
  scheduledWorkflow: `ghcr.io/kubeflow/kfp-scheduled-workflow-controller:${KUBEFLOW_PIPELINES}`,
  driver: `ghcr.io/kubeflow/kfp-driver:${KUBEFLOW_PIPELINES}`,
  launcher: `ghcr.io/kubeflow/kfp-launcher:${KUBEFLOW_PIPELINES}`,
  metadata: "gcr.io/tfx-oss-public/ml_metadata_store_server:1.14.0",
  workflowController: `quay.io/argoproj/workflow-controller:${ARGO_WORKFLOWS}`,
  executor: `quay.io/argoproj/argoexec:${ARGO_WORKFLOWS}`,
  // 8.4 is the last version with the way to log in that the metadata server's client needs.
  database: "public.ecr.aws/docker/library/mysql:8.4.11",
} as const;
