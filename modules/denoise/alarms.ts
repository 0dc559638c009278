/** The alarms of the service and of the API. Each names the page of docs/operations that says what to do. */
import type { Construct } from "constructs";
import { Alarm, loadBalancerErrorPercent, sumOf } from "../../constructs/alarm";
import type { Settings } from "../platform/settings";
import { METRICS_NAMESPACE, PENDING_REQUESTS } from "./names";

/** A load that scaling should have answered by then. */
const BACKLOG_MINUTES = 10;
const ERROR_MINUTES = 5;
/** Beyond a new task's grace: what is unhealthy then does not get well by waiting. */
const MINUTES_AFTER_GRACE = 5;

/** What the service's alarms look at: dimensions of metrics. */
export interface ServiceMetrics {
  readonly topicArn: string;
  readonly loadBalancer: string;
  readonly targetGroup: string;
  readonly cluster: string;
  readonly service: string;
}

/** What the API's alarms look at. */
export interface ApiMetrics {
  readonly topicArn: string;
  readonly apiId: string;
  readonly functionName: string;
}

/** Unhealthy tasks, errors, and requests that wait. */
export function serviceAlarms(scope: Construct, { denoise }: Settings, metrics: ServiceMetrics): void {
  const { errorRatePercent, pendingRequests } = denoise.alarms;
  const { topicArn } = metrics;
  new Alarm(scope, "unhealthy-alarm", {
    name: "ddn-unhealthy-tasks",
    description: "A task cannot take requests, for longer than one takes to start",
    runbook: "denoise-unhealthy",
    topicArn,
    minutes: Math.ceil(denoise.service.graceSeconds / 60) + MINUTES_AFTER_GRACE,
    namespace: "AWS/ApplicationELB",
    metricName: "UnHealthyHostCount",
    dimensions: { LoadBalancer: metrics.loadBalancer, TargetGroup: metrics.targetGroup },
    statistic: "Maximum",
    threshold: 0,
    treatMissingData: "notBreaching",
  });
  new Alarm(scope, "errors-alarm", {
    name: "ddn-error-rate",
    description: `More than ${errorRatePercent} % of answers are 5xx`,
    runbook: "denoise-errors",
    topicArn,
    minutes: ERROR_MINUTES,
    threshold: errorRatePercent,
    treatMissingData: "notBreaching",
    metricQuery: loadBalancerErrorPercent(metrics.loadBalancer),
  });
  new Alarm(scope, "backlog-alarm", {
    name: "ddn-backlog",
    description: `More than ${pendingRequests} requests wait in each task`,
    runbook: "denoise-backlog",
    topicArn,
    minutes: BACKLOG_MINUTES,
    namespace: METRICS_NAMESPACE,
    metricName: PENDING_REQUESTS,
    dimensions: { ClusterName: metrics.cluster, ServiceName: metrics.service },
    statistic: "Average",
    threshold: pendingRequests,
    treatMissingData: "notBreaching",
  });
}

/** Errors of the function behind /presign, and of the API itself. */
export function apiAlarms(
  scope: Construct,
  { denoise }: Settings,
  { topicArn, apiId, functionName }: ApiMetrics,
): void {
  const { errorRatePercent } = denoise.alarms;
  const lambda = (id: string, metric: string) => sumOf(id, "AWS/Lambda", metric, { FunctionName: functionName });
  const api = (id: string, metric: string) => sumOf(id, "AWS/ApiGateway", metric, { ApiId: apiId });
  new Alarm(scope, "presign-alarm", {
    name: "ddn-presign-errors",
    description: "The function behind /presign fails, or is throttled",
    runbook: "denoise-presign",
    topicArn,
    minutes: 1,
    threshold: 0,
    treatMissingData: "notBreaching",
    metricQuery: [
      lambda("errors", "Errors"),
      lambda("throttles", "Throttles"),
      { id: "failed", label: "failed", expression: "FILL(errors, 0) + FILL(throttles, 0)", returnData: true },
    ],
  });
  new Alarm(scope, "api-errors-alarm", {
    name: "ddn-api-error-rate",
    description: `More than ${errorRatePercent} % of the HTTP API's answers are 5xx`,
    runbook: "denoise-errors",
    topicArn,
    minutes: ERROR_MINUTES,
    threshold: errorRatePercent,
    treatMissingData: "notBreaching",
    metricQuery: [
      api("failed", "5xx"),
      api("requests", "Count"),
      { id: "rate", label: "5xx %", expression: "100 * FILL(failed, 0) / requests", returnData: true },
    ],
  });
}
