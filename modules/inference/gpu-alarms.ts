/** The alarms of the GPU tier. Each names the page of docs/operations that says what to do. */
import type { Construct } from "constructs";
import { Alarm, loadBalancerErrorPercent } from "../../constructs/alarm";
import type { InferenceSettings } from "./settings";

const ERROR_MINUTES = 5;
/** A load that scaling should have answered by then: an instance takes some minutes to come. */
const SLOW_MINUTES = 15;
/** Beyond a new task's grace: what is unhealthy then does not get well by waiting. */
const MINUTES_AFTER_GRACE = 5;

/** What the alarms look at: dimensions of metrics. */
export interface GpuMetrics {
  readonly topicArn: string;
  readonly loadBalancer: string;
  readonly targetGroup: string;
}

/** Unhealthy tasks, errors, and requests that take too long. */
export function gpuAlarms(scope: Construct, { gpu }: InferenceSettings, metrics: GpuMetrics): void {
  const { errorRatePercent, slowSeconds } = gpu.alarms;
  const { topicArn } = metrics;
  const target = { LoadBalancer: metrics.loadBalancer, TargetGroup: metrics.targetGroup };
  new Alarm(scope, "unhealthy-alarm", {
    name: "inference-gpu-unhealthy-tasks",
    description: "A task cannot take requests, for longer than one takes to start",
    runbook: "inference-gpu-unhealthy",
    topicArn,
    minutes: Math.ceil(gpu.service.graceSeconds / 60) + MINUTES_AFTER_GRACE,
    namespace: "AWS/ApplicationELB",
    metricName: "UnHealthyHostCount",
    dimensions: target,
    statistic: "Maximum",
    threshold: 0,
    treatMissingData: "notBreaching",
  });
  new Alarm(scope, "errors-alarm", {
    name: "inference-gpu-error-rate",
    description: `More than ${errorRatePercent} % of answers are 5xx`,
    runbook: "inference-gpu-errors",
    topicArn,
    minutes: ERROR_MINUTES,
    threshold: errorRatePercent,
    treatMissingData: "notBreaching",
    metricQuery: loadBalancerErrorPercent(metrics.loadBalancer),
  });
  new Alarm(scope, "slow-alarm", {
    name: "inference-gpu-slow",
    description: `5 % of requests take longer than ${slowSeconds} s`,
    runbook: "inference-gpu-slow",
    topicArn,
    minutes: SLOW_MINUTES,
    threshold: slowSeconds,
    treatMissingData: "notBreaching",
    metricQuery: [
      {
        id: "p95",
        label: "95 % within, s",
        metric: {
          namespace: "AWS/ApplicationELB",
          metricName: "TargetResponseTime",
          dimensions: target,
          period: 60,
          stat: "p95",
        },
        returnData: true,
      },
    ],
  });
}
