/** The work queue: see docs/protocol.md for the message. */
import { GetQueueAttributesCommand, SendMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { withRaw } from "./json";

/** What a worker needs to run one job; the input comes besides, as JSON. */
export interface JobMessage {
  readonly schema: 1;
  readonly kind: "run" | "build";
  readonly job_id: string;
  readonly tenant: string;
  readonly function_id: string;
  readonly function_version: number;
  readonly runtime: string;
  readonly handler: string;
  /** The zip as base64 when it has at most 32 KiB. */
  readonly code: string | null;
  readonly code_key: string;
  readonly code_sha256: string;
  /** Where the input is in the code bucket when it has over 128 KiB. */
  readonly input_key: string | null;
  /** Seconds. */
  readonly timeout_s: number | null;
  /** MiB. */
  readonly memory_mb: number;
  readonly environment: Readonly<Record<string, string>>;
  /** Variable to name of the tenant's secret. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Where the resolved dependencies are, or have to go; null without any. */
  readonly dependencies_key: string | null;
  readonly callback_url: string | null;
  readonly egress: boolean;
  readonly enqueued_at: string;
  readonly deadline: string | null;
  readonly traceparent: string | null;
}

export class WorkQueue {
  constructor(
    private readonly sqs: SQSClient,
    private readonly queueUrl: string,
  ) {}

  /**
   * Sends a job. Resolves when the queue has stored it.
   * @param inputJson the event as JSON, passed on byte for byte; `null` when there is none or it is in the bucket
   */
  async send(message: JobMessage, inputJson: string): Promise<void> {
    const body = withRaw(message, "input", inputJson)
      // SQS refuses two characters that JSON allows. They can only be inside of texts, where the escape means the same.
      .replaceAll("\uFFFE", "\\uFFFE")
      .replaceAll("\uFFFF", "\\uFFFF");
    await this.sqs.send(
      // The group asks a standard queue for fair shares: one tenant's backlog does not hold up the others.
      new SendMessageCommand({ QueueUrl: this.queueUrl, MessageBody: body, MessageGroupId: message.tenant }),
    );
  }
}

/** How many messages a queue has, as far as it knows. */
export interface MessageCounts {
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
}

/** Counts the messages of a queue. */
export async function countMessages(sqs: SQSClient, queueUrl: string): Promise<MessageCounts> {
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl: queueUrl,
      AttributeNames: [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
      ],
    }),
  );
  return {
    visible: Number(Attributes.ApproximateNumberOfMessages),
    inFlight: Number(Attributes.ApproximateNumberOfMessagesNotVisible),
    delayed: Number(Attributes.ApproximateNumberOfMessagesDelayed),
  };
}
