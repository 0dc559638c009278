import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue";
import { WorkQueue } from "../../constructs/work-queue";
import { constructed } from "../support/constructed";
import { jsonencoded, statementsOf } from "../support/expression";

const synthesis = constructed((scope) => {
  new WorkQueue(scope, "queue", {
    name: "tasks",
    visibilityTimeoutSeconds: 60,
    maxReceiveCount: 5,
    retentionSeconds: 86_400,
    alarmActions: ["arn:topic"],
  });
});

const QUEUE = synthesis.one("aws_sqs_queue", { name: "tasks" }).address;
const DEAD_LETTERS = synthesis.one("aws_sqs_queue", { name: "tasks-dlq" }).address;

describe("WorkQueue", () => {
  test("is a standard queue with SSE and long polling", () => {
    expect(synthesis.text).toHaveResourceWithProperties(SqsQueue, {
      name: "tasks",
      visibility_timeout_seconds: 60,
      message_retention_seconds: 86_400,
      receive_wait_time_seconds: 20,
      sqs_managed_sse_enabled: true,
    });
    expect(synthesis.resource("aws_sqs_queue", { name: "tasks" })).not.toHaveProperty("fifo_queue");
  });

  test("a message that fails too often goes to the dead letters, which are kept as long and encrypted too", async () => {
    expect(await jsonencoded(synthesis.resource("aws_sqs_queue", { name: "tasks" }).redrive_policy)).toEqual({
      deadLetterTargetArn: `\${${DEAD_LETTERS}.arn}`,
      maxReceiveCount: 5,
    });
    expect(synthesis.resource("aws_sqs_queue", { name: "tasks-dlq" })).toMatchObject({
      message_retention_seconds: 86_400,
      sqs_managed_sse_enabled: true,
    });
    expect(synthesis.resource("aws_sqs_queue", { name: "tasks-dlq" })).not.toHaveProperty("redrive_policy");
  });

  test("both survive a destroy, with the messages in them", () => {
    for (const name of ["tasks", "tasks-dlq"]) {
      expect(synthesis.resource("aws_sqs_queue", { name }).lifecycle).toEqual({ prevent_destroy: true });
    }
  });

  test("only this queue may feed the dead letters", async () => {
    const allow = synthesis.resource("aws_sqs_queue_redrive_allow_policy");
    expect(allow.queue_url).toBe(`\${${DEAD_LETTERS}.url}`);
    expect(await jsonencoded(allow.redrive_allow_policy)).toEqual({
      redrivePermission: "byQueue",
      sourceQueueArns: [`\${${QUEUE}.arn}`],
    });
  });

  test.each([
    ["the queue", QUEUE],
    ["the dead letters", DEAD_LETTERS],
  ])("%s: nobody gets in without TLS", async (_, address) => {
    const { policy } = synthesis.resource("aws_sqs_queue_policy", { queue_url: `\${${address}.url}` });
    expect(await statementsOf(policy)).toEqual([
      {
        sid: "TlsOnly",
        effect: "Deny",
        principal: "*",
        actions: ["sqs:*"],
        resources: [`\${${address}.arn}`],
        condition: { Bool: { "aws:SecureTransport": "false" } },
      },
    ]);
  });

  test("somebody is told of the first dead letter, and when there is none any more", () => {
    expect(synthesis.resources("aws_cloudwatch_metric_alarm")).toHaveLength(1);
    expect(synthesis.text).toHaveResourceWithProperties(CloudwatchMetricAlarm, {
      namespace: "AWS/SQS",
      metric_name: "ApproximateNumberOfMessagesVisible",
      dimensions: { QueueName: `\${${DEAD_LETTERS}.name}` },
      comparison_operator: "GreaterThanThreshold",
      threshold: 0,
      evaluation_periods: 1,
      treat_missing_data: "notBreaching",
      alarm_actions: ["arn:topic"],
      ok_actions: ["arn:topic"],
    });
  });
});
