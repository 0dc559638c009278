/** Products into the queue, one a message, so that one that fails keeps no other from its turn. */
import { SendMessageBatchCommand, type SendMessageBatchRequestEntry, SQSClient } from "@aws-sdk/client-sqs";
import { messageOf } from "../../inference-shared/src/message";
import { unavailable } from "../../inference-shared/src/problems";
import type { Accepted } from "../../inference-shared/src/product";
import { type Deadline, isTimeout, withRetries } from "../../inference-shared/src/retry";
import type { Log } from "../../shared/log";

/** Limits of one call of SendMessageBatch. */
const MOST_ENTRIES = 10;
const MOST_BYTES = 240_000;
const CONNECT_MS = 1_000;
const ANSWER_MS = 3_000;

/** Entries that SQS did not take, and may take later. */
class NotTaken extends Error {
  constructor(readonly entries: readonly SendMessageBatchRequestEntry[]) {
    super(`SQS did not take ${entries.length} of the messages`);
    this.name = "NotTaken";
  }
}

/** Where the queue is. */
export interface QueueProps {
  readonly url: string;
  readonly region: string;
  /** URL of a stand-in; undefined for SQS itself. */
  readonly endpoint: string | undefined;
  readonly log: Log;
}

export class Queue {
  private readonly sqs: SQSClient;

  constructor(private readonly props: QueueProps) {
    this.sqs = new SQSClient({
      region: props.region,
      endpoint: props.endpoint,
      maxAttempts: 1,
      requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: ANSWER_MS, throwOnRequestTimeout: true },
    });
  }

  /**
   * Sends all of them.
   *
   * @throws Problem 503 when SQS does not take each before the deadline
   */
  async send(accepted: readonly Accepted[], requestId: string, deadline: Deadline): Promise<void> {
    const entries = accepted.map((each, index) => ({ Id: String(index), MessageBody: messageOf(each, requestId) }));
    for (const batch of batchesOf(entries)) {
      await this.sendBatch(batch, deadline);
    }
  }

  private async sendBatch(batch: readonly SendMessageBatchRequestEntry[], deadline: Deadline): Promise<void> {
    const { url, log } = this.props;
    let left = batch;
    try {
      await withRetries(
        { what: "send to the queue", deadline, log, passes: mayPass, attemptMs: ANSWER_MS },
        async (abortSignal) => {
          const command = new SendMessageBatchCommand({ QueueUrl: url, Entries: [...left] });
          const { Failed = [] } = await this.sqs.send(command, { abortSignal });
          left = left.filter(({ Id }) => Failed.some((failed) => failed.Id === Id));
          if (left.length > 0) {
            throw new NotTaken(left);
          }
        },
      );
    } catch (error) {
      throw mayPass(error) ? unavailable("The queue", error) : error;
    }
  }
}

function mayPass(error: unknown): boolean {
  const { $metadata, code } = error as { $metadata?: { httpStatusCode?: number }; code?: string };
  const status = $metadata?.httpStatusCode;
  const isLate = isTimeout(error) || (status === undefined && code !== undefined);
  return error instanceof NotTaken || isLate || status === 429 || (status !== undefined && status >= 500);
}

function batchesOf(entries: readonly SendMessageBatchRequestEntry[]): SendMessageBatchRequestEntry[][] {
  const batches: SendMessageBatchRequestEntry[][] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = Buffer.byteLength(entry.MessageBody ?? "");
    const last = batches.at(-1);
    if (!last || last.length >= MOST_ENTRIES || bytes + size > MOST_BYTES) {
      batches.push([entry]);
      bytes = size;
    } else {
      last.push(entry);
      bytes += size;
    }
  }
  return batches;
}
