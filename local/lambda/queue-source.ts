/** A stand-in of Lambda's pollers: reads a queue, calls the function with what it got, and deletes what the function does not say has failed. */
import { setTimeout as sleep } from "node:timers/promises";
import { DeleteMessageBatchCommand, type Message, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import type { Invocable } from "./function";

/** Longest that a poll waits, in seconds; it is also how long an end may take. */
const WAIT_S = 1;
const PAUSE_MS = 1_000;

/** What is read, and by whom. */
export interface QueueSourceProps {
  /** URL of the AWS stand-in. */
  readonly awsEndpoint: string;
  readonly region: string;
  /** Role of the function, as which the queue is read. */
  readonly role: string;
  readonly queueUrl: string;
  /** ARN of the queue, for the events. */
  readonly queueArn: string;
  readonly fn: Invocable;
  /** Most messages of one call, as the event source mapping has it: at most 10. */
  readonly batchSize: number;
  /** Gets a line for each poll that fails. @default - thrown away */
  readonly onLog?: (line: string) => void;
}

/** A queue that is read until it is closed. One call at a time: Lambda would have more. */
export class QueueSource {
  private readonly sqs: SQSClient;
  private readonly running: Promise<void>;
  private closed = false;

  constructor(private readonly props: QueueSourceProps) {
    this.sqs = new SQSClient({
      region: props.region,
      endpoint: props.awsEndpoint,
      credentials: { accessKeyId: props.role, secretAccessKey: "local" },
      maxAttempts: 3,
      requestHandler: { connectionTimeout: 2_000, requestTimeout: 20_000 },
    });
    this.running = this.read();
  }

  /** Ends, after what is being worked on. */
  async close(): Promise<void> {
    this.closed = true;
    await this.running;
    this.sqs.destroy();
  }

  private async read(): Promise<void> {
    while (!this.closed) {
      try {
        await this.poll();
      } catch (error) {
        this.props.onLog?.(JSON.stringify({ level: "error", msg: `queue: ${String(error)}` }));
        await sleep(PAUSE_MS);
      }
    }
  }

  private async poll(): Promise<void> {
    const { batchSize, fn, queueUrl } = this.props;
    const { Messages = [] } = await this.sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: batchSize,
        WaitTimeSeconds: WAIT_S,
        MessageSystemAttributeNames: ["All"],
      }),
    );
    if (Messages.length === 0) {
      return;
    }
    const { payload, functionError } = await fn.invoke(this.eventOf(Messages));
    const done = functionError ? [] : doneOf(Messages, JSON.parse(payload) as SQSBatchResponse | null);
    if (done.length > 0) {
      const Entries = done.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
      await this.sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
    }
  }

  private eventOf(messages: readonly Message[]): SQSEvent {
    const { queueArn, region } = this.props;
    return {
      Records: messages.map(({ MessageId = "", ReceiptHandle = "", Body = "", Attributes = {}, MD5OfBody = "" }) => ({
        messageId: MessageId,
        receiptHandle: ReceiptHandle,
        body: Body,
        attributes: {
          ApproximateReceiveCount: Attributes.ApproximateReceiveCount ?? "1",
          SentTimestamp: Attributes.SentTimestamp ?? "",
          SenderId: Attributes.SenderId ?? "",
          ApproximateFirstReceiveTimestamp: Attributes.ApproximateFirstReceiveTimestamp ?? "",
        },
        messageAttributes: {},
        md5OfBody: MD5OfBody,
        eventSource: "aws:sqs",
        eventSourceARN: queueArn,
        awsRegion: region,
      })),
    };
  }
}

/** What of a batch is done: with an answer that names a message that is not there, Lambda takes all for failed. */
function doneOf(messages: readonly Message[], answer: SQSBatchResponse | null): readonly Message[] {
  const failed = new Set((answer?.batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier));
  const known = messages.filter(({ MessageId = "" }) => failed.has(MessageId)).length;
  return known === failed.size ? messages.filter(({ MessageId = "" }) => !failed.has(MessageId)) : [];
}
