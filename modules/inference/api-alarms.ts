/** The alarms of the API and its functions. Each names the page of docs/operations that says what to do. */
import type { Construct } from "constructs";
import { Alarm, sumOf } from "../../constructs/alarm";
import type { NodeFunction } from "../../constructs/node-function";
import type { Settings } from "../platform/settings";

const ERROR_MINUTES = 5;
/** A function that fails is Lambda's word for one that threw: what it answers itself is the API's. */
const FAILING_MINUTES = 3;

/** What the alarms look at. */
export interface ApiMetrics {
  readonly topicArn: string;
  readonly apiId: string;
  readonly functions: readonly NodeFunction[];
  /** Name of the queue of batches. */
  readonly queueName: string;
}

/** Errors of the API, functions that fail or are throttled, and products that wait. */
export function apiAlarms(scope: Construct, { inference }: Settings, metrics: ApiMetrics): void {
  const { errorRatePercent, queueMinutes } = inference.api;
  const { topicArn } = metrics;
  const api = (id: string, metric: string) => sumOf(id, "AWS/ApiGateway", metric, { ApiId: metrics.apiId });
  new Alarm(scope, "errors-alarm", {
    name: "inference-api-error-rate",
    description: `More than ${errorRatePercent} % of the API's answers are 5xx`,
    runbook: "inference-api-errors",
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
  const counted = metrics.functions.flatMap((fn, index) =>
    ["Errors", "Throttles"].map((metric) =>
      sumOf(`${metric.toLowerCase()}${index}`, "AWS/Lambda", metric, { FunctionName: fn.name }),
    ),
  );
  new Alarm(scope, "functions-alarm", {
    name: "inference-function-errors",
    description: "A function of the inference cluster fails, or is throttled",
    runbook: "inference-functions",
    topicArn,
    minutes: FAILING_MINUTES,
    threshold: 0,
    treatMissingData: "notBreaching",
    metricQuery: [
      ...counted,
      {
        id: "failed",
        label: "failed",
        expression: counted.map(({ id }) => `FILL(${id}, 0)`).join(" + "),
        returnData: true,
      },
    ],
  });
  new Alarm(scope, "queue-alarm", {
    name: "inference-batches-wait",
    description: `A product has waited in the queue for more than ${queueMinutes} minutes`,
    runbook: "inference-batches",
    topicArn,
    minutes: ERROR_MINUTES,
    namespace: "AWS/SQS",
    metricName: "ApproximateAgeOfOldestMessage",
    dimensions: { QueueName: metrics.queueName },
    statistic: "Maximum",
    threshold: queueMinutes * 60,
    treatMissingData: "notBreaching",
  });
}
