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
