/** The queue of jobs and its dead letters. */
import { type CloudWatchClient, GetMetricStatisticsCommand } from "@aws-sdk/client-cloudwatch";
import {
  ChangeMessageVisibilityBatchCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListMessageMoveTasksCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
  StartMessageMoveTaskCommand,
} from "@aws-sdk/client-sqs";
import { z } from "zod";
import { countMessages } from "../../userdata/controller/src/queue";
import { DEAD_LETTER_QUEUE, QUEUE } from "./names";
import { Problem } from "./problem";
import { columns } from "./table";

/** How long a look at dead letters hides them when it is interrupted, in seconds. */
const LOOK_SECONDS = 60;
/** SQS's most messages of one call. */
const BATCH = 10;
const METRIC_MINUTES = 10;

/** The queue in numbers; SQS counts approximately. */
export interface QueueStatus {
  /** Jobs that wait. */
  readonly visible: number;
  /** Jobs that a worker has. */
  readonly inFlight: number;
  readonly delayed: number;
  /** Age of the oldest message in seconds, as CloudWatch last said; null when it has said nothing for ten minutes. */
  readonly oldestSeconds: number | null;
  readonly deadLetters: number;
}

/** One dead letter, without what belongs to the user. */
export interface DeadLetter {
  readonly messageId: string;
  readonly jobId: string | null;
  readonly tenant: string | null;
  readonly functionId: string | null;
  readonly kind: string | null;
  readonly enqueuedAt: string | null;
  /** How often it was received, looks such as this included. */
  readonly receives: number;
  /** The event for the function; only where it was asked for. */
  readonly input?: unknown;
}

/** A move of dead letters back to the queue. */
export interface MoveStatus {
  readonly status: string;
  readonly moved: number;
  readonly toMove: number;
  readonly reason: string;
}

const text = z.string().nullable().catch(null);
const shown = z
  .object({ job_id: text, tenant: text, function_id: text, kind: text, enqueued_at: text, input: z.unknown() })
  .partial();

/** The URL of a queue. @throws Problem when it is not deployed */
export async function queueUrl(sqs: SQSClient, name: string): Promise<string> {
  try {
    const { QueueUrl = "" } = await sqs.send(new GetQueueUrlCommand({ QueueName: name }));
    return QueueUrl;
  } catch (error) {
    if (/NonExistentQueue|QueueDoesNotExist/.test((error as Error).name)) {
      throw new Problem(
        `There is no queue ${name} in this account and region.`,
        "Deploy nanogrid-data, or choose another ENVIRONMENT.",
      );
    }
    throw error;
  }
}

/** The queue in numbers. */
export async function queueStatus(sqs: SQSClient, cloudWatch: CloudWatchClient): Promise<QueueStatus> {
  const [queue, dead, oldestSeconds] = await Promise.all([
    countMessages(sqs, await queueUrl(sqs, QUEUE)),
    countMessages(sqs, await queueUrl(sqs, DEAD_LETTER_QUEUE)),
    oldestMessage(cloudWatch),
  ]);
  return { ...queue, oldestSeconds, deadLetters: dead.visible + dead.inFlight };
}

async function oldestMessage(cloudWatch: CloudWatchClient): Promise<number | null> {
  const now = Date.now();
  const { Datapoints = [] } = await cloudWatch.send(
    new GetMetricStatisticsCommand({
      Namespace: "AWS/SQS",
      MetricName: "ApproximateAgeOfOldestMessage",
      Dimensions: [{ Name: "QueueName", Value: QUEUE }],
      StartTime: new Date(now - METRIC_MINUTES * 60_000),
      EndTime: new Date(now),
      Period: 60,
      Statistics: ["Maximum"],
    }),
  );
  const latest = Datapoints.sort((a, b) => Number(a.Timestamp) - Number(b.Timestamp)).at(-1);
  return latest?.Maximum ?? null;
}

/** The queue for a person. */
export function queueText({ visible, inFlight, delayed, oldestSeconds, deadLetters }: QueueStatus): string {
  const oldest = oldestSeconds === null ? "not known" : `${oldestSeconds} s`;
  return `${QUEUE}: ${visible} wait, ${inFlight} with workers, ${delayed} delayed, oldest ${oldest}, ${deadLetters} dead letters`;
}

/**
 * Looks at dead letters and puts them back at once. A look counts as a receive; it moves nothing, since nothing is behind this queue.
 *
 * @param sqs the queue's client
 * @param most how many to look at
 * @param showInput whether the functions' inputs are part of the answer
 */
export async function peekDeadLetters(sqs: SQSClient, most: number, showInput: boolean): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  await eachDeadLetter(
    sqs,
    (messages) => {
      letters.push(...messages.map((message) => letterOf(message, showInput)));
    },
    most,
  );
  return letters;
}

/**
 * Hands out dead letters, each once, until nothing new comes; then makes those visible again that are still there. An error does so too.
 *
 * @param sqs the queue's client
 * @param take called with up to ten messages that were not seen before, and the queue's URL
 * @param most how many to look at @default all
 */
export async function eachDeadLetter(
  sqs: SQSClient,
  take: (messages: readonly Message[], url: string) => void | Promise<void>,
  most = Number.POSITIVE_INFINITY,
): Promise<void> {
  const url = await queueUrl(sqs, DEAD_LETTER_QUEUE);
  const seen = new Map<string, Message>();
  try {
    for (let isMore = true; isMore && seen.size < most; ) {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: url,
          MaxNumberOfMessages: Math.min(BATCH, most - seen.size),
          VisibilityTimeout: LOOK_SECONDS,
          // A poll that waits asks all of SQS's servers: when it finds nothing, there is nothing.
          WaitTimeSeconds: 1,
          MessageSystemAttributeNames: ["ApproximateReceiveCount"],
        }),
      );
      const fresh = Messages.filter(({ MessageId = "" }) => !seen.has(MessageId));
      for (const message of Messages) {
        seen.set(message.MessageId ?? "", message);
      }
      isMore = fresh.length > 0;
      await take(fresh, url);
    }
  } finally {
    await release(sqs, url, [...seen.values()]);
  }
}

/** Makes messages visible again; those that were deleted meanwhile fail one by one, which is as it should be. */
async function release(sqs: SQSClient, url: string, messages: readonly Message[]): Promise<void> {
  for (let first = 0; first < messages.length; first += BATCH) {
    const Entries = messages.slice(first, first + BATCH).map(({ ReceiptHandle = "" }, index) => ({
      Id: String(index),
      ReceiptHandle,
      VisibilityTimeout: 0,
    }));
    await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: url, Entries }));
  }
}

function letterOf({ MessageId = "", Body = "", Attributes = {} }: Message, showInput: boolean): DeadLetter {
  const body = shown.safeParse(parsed(Body)).data ?? {};
  return {
    messageId: MessageId,
    jobId: body.job_id ?? null,
    tenant: body.tenant ?? null,
    functionId: body.function_id ?? null,
    kind: body.kind ?? null,
    enqueuedAt: body.enqueued_at ?? null,
    receives: Number(Attributes.ApproximateReceiveCount),
    ...(showInput ? { input: body.input ?? null } : {}),
  };
}

/** A message's body as JSON; undefined when it is none. */
export function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** Dead letters for a person. */
export function lettersText(letters: readonly DeadLetter[]): string {
  if (letters.length === 0) {
    return "There are no dead letters.";
  }
  const rows = letters.map((letter) => [
    letter.jobId ?? `(not a job: message ${letter.messageId})`,
    letter.tenant ?? "",
    letter.functionId ?? "",
    letter.kind ?? "",
    letter.enqueuedAt ?? "",
    String(letter.receives),
    ...("input" in letter ? [JSON.stringify(letter.input)] : []),
  ]);
  const input = letters.some((letter) => "input" in letter) ? ["INPUT"] : [];
  return columns([["JOB", "TENANT", "FUNCTION", "KIND", "ENQUEUED", "RECEIVES", ...input], ...rows]);
}

/** ARN and count of the dead letters. */
export async function deadLetterQueue(sqs: SQSClient): Promise<{ arn: string; count: number }> {
  const url = await queueUrl(sqs, DEAD_LETTER_QUEUE);
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["QueueArn", "ApproximateNumberOfMessages"] }),
  );
  return { arn: Attributes.QueueArn ?? "", count: Number(Attributes.ApproximateNumberOfMessages) };
}

/** Starts sending every dead letter back to the queue that it came from, at most so many a second. */
export async function startRedrive(sqs: SQSClient, arn: string, perSecond: number): Promise<void> {
  try {
    await sqs.send(new StartMessageMoveTaskCommand({ SourceArn: arn, MaxNumberOfMessagesPerSecond: perSecond }));
  } catch (error) {
    if (/already.*(active|running)|ConcurrentModification/i.test((error as Error).message)) {
      throw new Problem("A redrive goes on already.", "Follow it: npm run queue -- redrive --watch");
    }
    throw error;
  }
}

/** The latest redrive; undefined when there was none. */
export async function latestRedrive(sqs: SQSClient, arn: string): Promise<MoveStatus | undefined> {
  const { Results = [] } = await sqs.send(new ListMessageMoveTasksCommand({ SourceArn: arn, MaxResults: 1 }));
  const [task] = Results;
  return (
    task && {
      status: task.Status ?? "",
      moved: task.ApproximateNumberOfMessagesMoved ?? 0,
      toMove: task.ApproximateNumberOfMessagesToMove ?? 0,
      reason: task.FailureReason ?? "",
    }
  );
}
