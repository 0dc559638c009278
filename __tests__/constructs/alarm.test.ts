import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { Alarm, type AlarmProps } from "../../constructs/alarm";
import { constructed } from "../support/constructed";

const TOPIC = "arn:aws:sns:ap-northeast-2:000000000000:alarms";

function alarm(props: Partial<AlarmProps> = {}) {
  return constructed((scope) => {
    new Alarm(scope, "alarm", {
      name: "too-old",
      description: "A job waits too long",
      runbook: "oldest-message",
      topicArn: TOPIC,
      minutes: 5,
      namespace: "AWS/SQS",
      metricName: "ApproximateAgeOfOldestMessage",
      statistic: "Maximum",
      threshold: 900,
      treatMissingData: "notBreaching",
      ...props,
    });
  });
}

describe("Alarm", () => {
  test("rings above its threshold after that many minutes in a row, and says when it is over", () => {
    expect(alarm().text).toHaveResourceWithProperties(CloudwatchMetricAlarm, {
      alarm_name: "too-old",
      comparison_operator: "GreaterThanThreshold",
      threshold: 900,
      period: 60,
      evaluation_periods: 5,
      statistic: "Maximum",
      treat_missing_data: "notBreaching",
      alarm_actions: [TOPIC],
      ok_actions: [TOPIC],
    });
  });

  test("its description says what is wrong and which page to read", () => {
    expect(alarm().resource("aws_cloudwatch_metric_alarm").alarm_description).toBe(
      "A job waits too long. See docs/operations/oldest-message.md",
    );
  });

  test("rings below its threshold when asked to", () => {
    expect(alarm({ below: true }).resource("aws_cloudwatch_metric_alarm").comparison_operator).toBe(
      "LessThanThreshold",
    );
  });

  test("metric math has no period of its own: CloudWatch refuses both", () => {
    const body = alarm({
      namespace: undefined,
      metricName: undefined,
      statistic: undefined,
      metricQuery: [{ id: "rate", expression: "1 / 2", returnData: true }],
    }).resource("aws_cloudwatch_metric_alarm");
    expect(body.metric_query).toEqual([{ id: "rate", expression: "1 / 2", return_data: true }]);
    expect(body).not.toHaveProperty("period");
    expect(body).not.toHaveProperty("metric_name");
  });
});
