/** Charts that music-platform installs from elsewhere: each in one version, which changes here and nowhere else. */

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
  /** Starts a node for a pod that finds none, and ends one that nobody uses. */
  autoscaler: { repository: "https://kubernetes.github.io/autoscaler", chart: "cluster-autoscaler", version: "9.46.6" },
  /** Prometheus with its operator, Grafana, and metrics of Kubernetes' objects. */
  prometheus: {
    repository: "https://prometheus-community.github.io/helm-charts",
    chart: "kube-prometheus-stack",
    version: "88.4.0",
  },
  /** Scales Deployments by metrics, from none and to none. */
  keda: { repository: "https://kedacore.github.io/charts", chart: "keda", version: "2.21.1" },
} as const satisfies Readonly<Record<string, Chart>>;
