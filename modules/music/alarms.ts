/** The alarms of the Music pipeline's cluster. Each names the page of docs/operations that says what to do. */
import type { Construct } from "constructs";
import { Alarm } from "../../constructs/alarm";
import type { Settings } from "../platform/settings";

/** An upgrade of the control plane answers 5xx for a moment. */
const API_MINUTES = 10;
const API_ERRORS_A_MINUTE = 10;
/** etcd of EKS takes 8 GiB, and is read-only when it is full. */
const ETCD_BYTES = 6 * 1024 ** 3;
const STORE_MINUTES = 15;
/** Percent of the operations that a file system in general purpose mode can do. */
const IO_PERCENT = 90;

/** What the alarms look at. */
export interface ClusterMetrics {
  readonly topicArn: string;
  readonly clusterName: string;
  readonly fileSystemId: string;
}

/** Pods that find no node, an API that fails, a store that fills up, and files that are slow. */
export function clusterAlarms(scope: Construct, { music }: Settings, metrics: ClusterMetrics): void {
  const { topicArn, clusterName, fileSystemId } = metrics;
  const cluster = { namespace: "AWS/EKS", dimensions: { ClusterName: clusterName }, topicArn } as const;
  new Alarm(scope, "unschedulable-alarm", {
    ...cluster,
    name: "music-pods-unschedulable",
    description: `Pods find no node for longer than ${music.alarms.unschedulableMinutes} minutes`,
    runbook: "music-unschedulable",
    minutes: music.alarms.unschedulableMinutes,
    metricName: "scheduler_pending_pods_UNSCHEDULABLE",
    statistic: "Minimum",
    threshold: 0,
    treatMissingData: "notBreaching",
  });
  new Alarm(scope, "api-errors-alarm", {
    ...cluster,
    name: "music-api-server-errors",
    description: `The Kubernetes API answers more than ${API_ERRORS_A_MINUTE} requests a minute with 5xx`,
    runbook: "music-control-plane",
    minutes: API_MINUTES,
    metricName: "apiserver_request_total_5XX",
    statistic: "Sum",
    threshold: API_ERRORS_A_MINUTE,
    treatMissingData: "notBreaching",
  });
  new Alarm(scope, "store-alarm", {
    ...cluster,
    name: "music-control-plane-storage",
    description: "What Kubernetes keeps nears the 8 GiB at which it becomes read-only",
    runbook: "music-control-plane",
    minutes: STORE_MINUTES,
    metricName: "apiserver_storage_size_bytes",
    statistic: "Maximum",
    threshold: ETCD_BYTES,
    treatMissingData: "notBreaching",
  });
  new Alarm(scope, "files-alarm", {
    name: "music-files-busy",
    description: `The shared files do more than ${IO_PERCENT} % of the operations that they can`,
    runbook: "music-files",
    topicArn,
    minutes: STORE_MINUTES,
    namespace: "AWS/EFS",
    dimensions: { FileSystemId: fileSystemId },
    metricName: "PercentIOLimit",
    statistic: "Average",
    threshold: IO_PERCENT,
    treatMissingData: "notBreaching",
  });
}
