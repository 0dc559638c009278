/** A queue of work with its dead letters and the alarm that says there are some. */
import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue";
import { SqsQueuePolicy } from "@cdktf/provider-aws/lib/sqs-queue-policy";
import { SqsQueueRedriveAllowPolicy } from "@cdktf/provider-aws/lib/sqs-queue-redrive-allow-policy";
import { Fn } from "cdktf";
import { Construct } from "constructs";
import { policyDocument } from "./role";

/** SQS's longest wait of one receive call, in seconds. */
const LONG_POLL_SECONDS = 20;

export interface WorkQueueProps {
  /** Physical name; the dead-letter queue appends `-dlq`. */
  readonly name: string;
  /** How long a received message stays hidden, in seconds. */
  readonly visibilityTimeoutSeconds: number;
  /** Receives after which a message is moved to the dead-letter queue. */
  readonly maxReceiveCount: number;
  /** How long a message is kept, in seconds, in both queues. */
  readonly retentionSeconds: number;
  /** ARNs told when the dead-letter queue holds a message, and when it is empty again. */
  readonly alarmActions: readonly string[];
  /** Protects both queues, and the messages in them, from destruction. @default true */
  readonly protect?: boolean;
}

/** A standard queue: SSE, long polling, TLS only, and a dead-letter queue that only it feeds. */
export class WorkQueue extends Construct {
  /** URL of the queue. */
  readonly url: string;
  /** ARN of the queue. */
  readonly arn: string;
  /** Name of the queue. */
  readonly name: string;
  /** URL of the dead-letter queue. */
  readonly deadLetterUrl: string;
  /** ARN of the dead-letter queue. */
  readonly deadLetterArn: string;
  /** Name of the dead-letter queue. */
  readonly deadLetterName: string;

  constructor(scope: Construct, id: string, props: WorkQueueProps) {
    super(scope, id);
    const lifecycle = { preventDestroy: props.protect ?? true };
    const deadLetters = new SqsQueue(this, "dead-letters", {
      name: `${props.name}-dlq`,
      messageRetentionSeconds: props.retentionSeconds,
      sqsManagedSseEnabled: true,
      lifecycle,
    });
    const queue = new SqsQueue(this, "Resource", {
      name: props.name,
      visibilityTimeoutSeconds: props.visibilityTimeoutSeconds,
      messageRetentionSeconds: props.retentionSeconds,
      receiveWaitTimeSeconds: LONG_POLL_SECONDS,
      sqsManagedSseEnabled: true,
      redrivePolicy: Fn.jsonencode({
        deadLetterTargetArn: deadLetters.arn,
        maxReceiveCount: props.maxReceiveCount,
      }),
      lifecycle,
    });
    new SqsQueueRedriveAllowPolicy(this, "dead-letters-source", {
      queueUrl: deadLetters.url,
      redriveAllowPolicy: Fn.jsonencode({ redrivePermission: "byQueue", sourceQueueArns: [queue.arn] }),
    });
    this.requireTls("policy", queue);
    this.requireTls("dead-letters-policy", deadLetters);
    new CloudwatchMetricAlarm(this, "dead-letters-alarm", {
      alarmName: `${props.name}-dlq-not-empty`,
      alarmDescription: `${props.name}: a message failed ${props.maxReceiveCount} times. See docs/operations/dead-letters.md`,
      namespace: "AWS/SQS",
      metricName: "ApproximateNumberOfMessagesVisible",
      dimensions: { QueueName: deadLetters.name },
      statistic: "Maximum",
      period: 60,
      evaluationPeriods: 1,
      comparisonOperator: "GreaterThanThreshold",
      threshold: 0,
      treatMissingData: "notBreaching",
      alarmActions: [...props.alarmActions],
      okActions: [...props.alarmActions],
    });
    this.url = queue.url;
    this.arn = queue.arn;
    this.name = queue.name;
    this.deadLetterUrl = deadLetters.url;
    this.deadLetterArn = deadLetters.arn;
    this.deadLetterName = deadLetters.name;
  }

  private requireTls(id: string, queue: SqsQueue): void {
    new SqsQueuePolicy(this, id, {
      queueUrl: queue.url,
      policy: policyDocument([
        {
          Sid: "TlsOnly",
          Effect: "Deny",
          Principal: "*",
          Action: "sqs:*",
          Resource: queue.arn,
          Condition: { Bool: { "aws:SecureTransport": "false" } },
        },
      ]),
    });
  }
}
