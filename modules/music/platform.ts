/** What the Music pipeline's services stand on in the cluster: GPUs, nodes when they are needed, metrics, scaling by them, and Kubeflow Pipelines. */
import { Release } from "@cdktf/provider-helm/lib/release";
import { ConfigMapV1 } from "@cdktf/provider-kubernetes/lib/config-map-v1";
import { NamespaceV1 } from "@cdktf/provider-kubernetes/lib/namespace-v1";
import { StorageClassV1 } from "@cdktf/provider-kubernetes/lib/storage-class-v1";
import type { ITerraformDependable } from "cdktf";
import type { Construct } from "constructs";
import { contract } from "../platform/contract";
import { PlatformStack } from "../platform/platform-stack";
import type { Settings } from "../platform/settings";
import { CHARTS, type Chart } from "./charts";
import { cluster } from "./cluster";
import { pipelineDashboard } from "./dashboard";
import { installPipelines } from "./kubeflow-pipelines";
import { useHelm, useKubernetes } from "./kubernetes";
import { GPU_TAINT, NODE_GROUPS, NODES_LABEL, PLATFORM_NAMESPACES, SERVICE_ACCOUNTS } from "./names";

export const platform = contract("music-platform", {
  prometheusUrl: "URL of Prometheus, inside of the cluster",
  storageClass: "Class of disks that are made for a claim",
});

/** Service that Prometheus' operator makes, whatever the release is called. */
const PROMETHEUS_SERVICE = "prometheus-operated";
const PROMETHEUS_PORT = 9090;
const TIMEOUT_SECONDS = 600;
const HISTORY = 3;
const STORAGE_CLASS = "music-disks";
/** A node without pods of its own goes after that. */
const IDLE_NODE = "10m";
const ON_SYSTEM = { [NODES_LABEL]: NODE_GROUPS.system };
const METRICS_DISK = "20Gi";

export class MusicPlatform extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, platform.stack, settings);
    const values = this.read(cluster);
    useKubernetes(this, settings, values);
    useHelm(this, settings, values);
    const namespace = (name: string) =>
      new NamespaceV1(this, `${name}-namespace`, { metadata: { name } }).metadata.name;
    const [monitoring, keda, gpu] = [
      namespace(PLATFORM_NAMESPACES.monitoring),
      namespace(PLATFORM_NAMESPACES.keda),
      namespace(PLATFORM_NAMESPACES.gpu),
    ];
    const disks = this.createStorageClass();
    this.install("device-plugin", CHARTS.devicePlugin, "nvidia-device-plugin", gpu, {
      // The chart asks for labels of a feature discovery that is not installed: ours say which nodes have GPUs. On others it would only fail.
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              {
                matchExpressions: [
                  { key: NODES_LABEL, operator: "In", values: [NODE_GROUPS.gpuSmall, NODE_GROUPS.gpuLarge] },
                ],
              },
            ],
          },
        },
      },
      tolerations: [{ key: GPU_TAINT, operator: "Exists", effect: "NoSchedule" }],
    });
    this.install("autoscaler", CHARTS.autoscaler, "cluster-autoscaler", SERVICE_ACCOUNTS.autoscaler.namespace, {
      cloudProvider: "aws",
      awsRegion: settings.region,
      autoDiscovery: { clusterName: values.clusterName },
      rbac: { serviceAccount: { name: SERVICE_ACCOUNTS.autoscaler.name } },
      nodeSelector: ON_SYSTEM,
      extraArgs: {
        expander: "least-waste",
        "scale-down-unneeded-time": IDLE_NODE,
        "skip-nodes-with-system-pods": false,
        "balance-similar-node-groups": false,
      },
    });
    const metrics = this.install(
      "prometheus",
      CHARTS.prometheus,
      "prometheus",
      monitoring,
      this.prometheusValues(disks.metadata.name),
    );
    this.install(
      "keda",
      CHARTS.keda,
      "keda",
      keda,
      { nodeSelector: ON_SYSTEM, prometheus: { operator: { enabled: true, serviceMonitor: { enabled: true } } } },
      // Its own metrics are watched, which is a kind that Prometheus' chart brings.
      [metrics],
    );
    installPipelines(this, {
      bucket: values.artifactsBucket,
      region: settings.region,
      storageClass: disks.metadata.name,
      databaseGib: settings.music.platform.pipelineDatabaseGib,
    });
    if (settings.music.platform.grafana) {
      new ConfigMapV1(this, "dashboard", {
        metadata: {
          name: "music-pipeline",
          namespace: monitoring,
          // Grafana's sidecar looks for it.
          labels: { grafana_dashboard: "1" },
        },
        data: { "music-pipeline.json": JSON.stringify(pipelineDashboard()) },
      });
    }
    this.publish(platform, {
      prometheusUrl: `http://${PROMETHEUS_SERVICE}.${monitoring}:${PROMETHEUS_PORT}`,
      storageClass: disks.metadata.name,
    });
  }

  /** Encrypted gp3 disks, made in the zone of the pod that wants one. */
  private createStorageClass(): StorageClassV1 {
    return new StorageClassV1(this, "disks", {
      metadata: { name: STORAGE_CLASS },
      storageProvisioner: "ebs.csi.aws.com",
      parameters: { type: "gp3", encrypted: "true" },
      reclaimPolicy: "Delete",
      volumeBindingMode: "WaitForFirstConsumer",
      allowVolumeExpansion: true,
    });
  }

  private prometheusValues(storageClassName: string): object {
    const { grafana, metricsRetentionDays } = this.settings.music.platform;
    return {
      prometheus: {
        prometheusSpec: {
          retention: `${metricsRetentionDays}d`,
          nodeSelector: ON_SYSTEM,
          // Monitors of all namespaces, not of this release alone.
          serviceMonitorSelectorNilUsesHelmValues: false,
          podMonitorSelectorNilUsesHelmValues: false,
          resources: { requests: { cpu: "100m", memory: "512Mi" }, limits: { memory: "1536Mi" } },
          storageSpec: {
            volumeClaimTemplate: {
              spec: {
                storageClassName,
                accessModes: ["ReadWriteOnce"],
                resources: { requests: { storage: METRICS_DISK } },
              },
            },
          },
        },
      },
      prometheusOperator: { nodeSelector: ON_SYSTEM },
      // The pipeline's alarms are CloudWatch's: they ring also when the cluster does not.
      alertmanager: { enabled: false },
      grafana: { enabled: grafana, nodeSelector: ON_SYSTEM },
      "kube-state-metrics": { nodeSelector: ON_SYSTEM },
      // EKS shows none of these.
      kubeControllerManager: { enabled: false },
      kubeScheduler: { enabled: false },
      kubeEtcd: { enabled: false },
    };
  }

  private install(
    id: string,
    chart: Chart,
    name: string,
    namespace: string,
    values: object,
    dependsOn: readonly ITerraformDependable[] = [],
  ): Release {
    return new Release(this, id, {
      ...chart,
      name,
      namespace,
      values: [JSON.stringify(values)],
      atomic: true,
      maxHistory: HISTORY,
      timeout: TIMEOUT_SECONDS,
      dependsOn: [...dependsOn],
    });
  }
}
