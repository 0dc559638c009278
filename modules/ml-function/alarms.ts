/** The alarms of the function. Each names the page of docs/operations that says what to do. */
import type { Construct } from "constructs";
import { Alarm, sumOf } from "../../constructs/alarm";
import type { Settings } from "../platform/settings";

/** A throttled minute is what the limit is for; some in a row are a limit that is too low. */
const THROTTLED_MINUTES = 3;
const SLOW_MINUTES = 3;

/** What the alarms look at. */
export interface FunctionMetrics {
  readonly topicArn: string;
  readonly functionName: string;
  /** Timeout of the function. */
  readonly timeoutSeconds: number;
}

/** Errors, throttles, and requests that come near to the timeout. */
export function functionAlarms(
  scope: Construct,
  { mlFunction }: Settings,
  { topicArn, functionName, timeoutSeconds }: FunctionMetrics,
): void {
  const { durationPercent } = mlFunction.alarms;
  const dimensions = { FunctionName: functionName };
  const sum = (id: string, metric: string) => sumOf(id, "AWS/Lambda", metric, dimensions);
  new Alarm(scope, "errors-alarm", {
    name: "ml-function-errors",
    description: "The function fails, or its URL answers 5xx",
    runbook: "ml-function-errors",
    topicArn,
    minutes: 1,
    threshold: 0,
    treatMissingData: "notBreaching",
    metricQuery: [
      sum("errors", "Errors"),
      // A problem document with 500 is no error of the function to Lambda.
      sum("answers", "Url5xxCount"),
      { id: "failed", label: "failed", expression: "FILL(errors, 0) + FILL(answers, 0)", returnData: true },
    ],
  });
  new Alarm(scope, "throttles-alarm", {
    name: "ml-function-throttles",
    description: "Requests are refused: as many run at once as are reserved",
    runbook: "ml-function-throttles",
    topicArn,
    minutes: THROTTLED_MINUTES,
    namespace: "AWS/Lambda",
    metricName: "Throttles",
    dimensions,
    statistic: "Sum",
    threshold: 0,
    treatMissingData: "notBreaching",
  });
  new Alarm(scope, "duration-alarm", {
    name: "ml-function-duration",
    description: `A request takes more than ${durationPercent} % of the ${timeoutSeconds} s that it may`,
    runbook: "ml-function-duration",
    topicArn,
    minutes: SLOW_MINUTES,
    namespace: "AWS/Lambda",
    metricName: "Duration",
    dimensions,
    statistic: "Maximum",
    threshold: (timeoutSeconds * 1_000 * durationPercent) / 100,
    treatMissingData: "notBreaching",
  });
}
