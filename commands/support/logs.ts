/** A log group read as one stream of lines, once or as they come. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type CloudWatchLogsClient,
  type FilteredLogEvent,
  FilterLogEventsCommand,
  type FilterLogEventsCommandOutput,
} from "@aws-sdk/client-cloudwatch-logs";
import type { Program } from "./names";
import { Problem } from "./problem";

const POLL_MS = 2_000;
/** Lines of one instant reach CloudWatch at different times: so far back each look goes again. */
const OVERLAP_MS = 60_000;

/** A line of a log. */
export interface LogLine {
  /** ISO 8601. */
  readonly time: string;
  readonly instance: string;
  readonly message: string;
}

/** What is read. */
export interface TailOptions {
  readonly client: CloudWatchLogsClient;
  readonly program: Program;
  /** Epoch milliseconds of the first line. */
  readonly sinceMs: number;
  /** Only lines with this term. @default all lines */
  readonly term?: string;
  /** Go on until it is aborted. @default read once */
  readonly follow?: AbortSignal;
  readonly take: (line: LogLine) => void;
  /** Pause between two looks, in milliseconds. @default 2000 */
  readonly pollMs?: number;
}

/**
 * Reads a program's log group. Each line comes once, in the order of time within one look.
 *
 * @throws Problem when there is no such log group
 */
export async function tailLogs(options: TailOptions): Promise<void> {
  const { follow, pollMs = POLL_MS } = options;
  // Ids of lines that a later look may meet again, by their time.
  const seen = new Map<string, number>();
  let from = options.sinceMs;
  for (;;) {
    const newest = await lookOnce(options, from, seen);
    from = Math.max(options.sinceMs, newest - OVERLAP_MS);
    for (const [id, time] of seen) {
      if (time < from) {
        seen.delete(id);
      }
    }
    if (!follow || follow.aborted) {
      return;
    }
    await sleep(pollMs, undefined, { signal: follow }).catch(() => undefined);
    if (follow.aborted) {
      return;
    }
  }
}

/** Hands out the lines that are new. @returns the time of the newest */
async function lookOnce(options: TailOptions, from: number, seen: Map<string, number>): Promise<number> {
  let newest = from;
  let nextToken: string | undefined;
  do {
    const page = await pageOf(options, from, nextToken);
    for (const event of page.events ?? []) {
      const { eventId = "", timestamp = 0 } = event;
      newest = Math.max(newest, timestamp);
      if (!seen.has(eventId)) {
        seen.set(eventId, timestamp);
        options.take(lineOf(event));
      }
    }
    nextToken = page.nextToken;
  } while (nextToken && !options.follow?.aborted);
  return newest;
}

async function pageOf(
  { client, program, term }: TailOptions,
  startTime: number,
  nextToken: string | undefined,
): Promise<FilterLogEventsCommandOutput> {
  try {
    return await client.send(
      new FilterLogEventsCommand({
        logGroupName: program.logGroup,
        startTime,
        ...(term === undefined ? {} : { filterPattern: `"${term}"` }),
        ...(nextToken === undefined ? {} : { nextToken }),
      }),
    );
  } catch (error) {
    if ((error as Error).name === "ResourceNotFoundException") {
      throw new Problem(
        `There is no log group ${program.logGroup} in this account and region.`,
        `Deploy ${program.stack}, or choose another ENVIRONMENT.`,
      );
    }
    throw error;
  }
}

function lineOf({ timestamp = 0, logStreamName = "", message = "" }: FilteredLogEvent): LogLine {
  return { time: new Date(timestamp).toISOString(), instance: logStreamName, message: message.trimEnd() };
}

/** A line for a person. */
export function logText({ time, instance, message }: LogLine): string {
  return `${time}  ${instance}  ${message}`;
}
