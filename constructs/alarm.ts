/** An alarm that tells one topic, and says in its description what to read. */
import {
  CloudwatchMetricAlarm,
  type CloudwatchMetricAlarmConfig,
} from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { Construct } from "constructs";

export interface AlarmProps
  extends Pick<
    CloudwatchMetricAlarmConfig,
    "namespace" | "metricName" | "dimensions" | "statistic" | "metricQuery" | "threshold" | "treatMissingData"
  > {
  /** Physical name. */
  readonly name: string;
  /** What is wrong when it rings. */
  readonly description: string;
  /** Page of docs/operations that says what to do, without its ending. */
  readonly runbook: string;
  /** Topic that is told when it rings and when it is over. */
  readonly topicArn: string;
  /** Minutes in a row that must breach. */
  readonly minutes: number;
  /** Whether falling below the threshold is what rings. @default false - rising above it is */
  readonly below?: boolean;
}

/** A metric alarm over periods of one minute. */
export class Alarm extends Construct {
  constructor(scope: Construct, id: string, props: AlarmProps) {
    super(scope, id);
    const { name, description, runbook, topicArn, minutes, below, ...metric } = props;
    new CloudwatchMetricAlarm(this, "Resource", {
      ...metric,
      alarmName: name,
      alarmDescription: `${description}. See docs/operations/${runbook}.md`,
      period: metric.metricQuery ? undefined : 60,
      evaluationPeriods: minutes,
      comparisonOperator: below ? "LessThanThreshold" : "GreaterThanThreshold",
      alarmActions: [topicArn],
      okActions: [topicArn],
    });
  }
}

type Query = NonNullable<AlarmProps["metricQuery"]>;

/** The sum of a metric a minute, as a part of a metric query that is not returned itself. */
export function sumOf(id: string, namespace: string, metricName: string, dimensions: Readonly<Record<string, string>>) {
  return { id, metric: { namespace, metricName, dimensions: { ...dimensions }, period: 60, stat: "Sum" } };
}

/**
 * The percentage of a load balancer's answers that are 5xx, its own included.
 *
 * @param loadBalancer suffix of its ARN
 */
export function loadBalancerErrorPercent(loadBalancer: string): Query {
  const count = (id: string, metricName: string) =>
    sumOf(id, "AWS/ApplicationELB", metricName, { LoadBalancer: loadBalancer });
  return [
    count("target", "HTTPCode_Target_5XX_Count"),
    count("own", "HTTPCode_ELB_5XX_Count"),
    count("requests", "RequestCount"),
    { id: "rate", label: "5xx %", expression: "100 * (FILL(target, 0) + FILL(own, 0)) / requests", returnData: true },
  ];
}
