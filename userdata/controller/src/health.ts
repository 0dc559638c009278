/** Whether what the controller uses answers. */
import { GetObjectCommand, S3ServiceException } from "@aws-sdk/client-s3";
import { GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import type { Aws } from "./aws";
import { keptFor } from "./fresh";
import type { Logger } from "./log";
import type { JobEvents } from "./redis";
import type { Settings } from "./settings";

const CHECK_MS = 2_000;
const CACHED_MS = 2_000;

/** Asks one service for something small. Rejects when it does not answer. */
export type Check = (signal: AbortSignal) => Promise<unknown>;

/** Answers of several services. */
export interface Health {
  readonly ok: boolean;
  readonly checks: Readonly<Record<string, "ok" | "unavailable">>;
}

/** A set of checks, made together, at most once in two seconds however often they are asked for. */
export class HealthChecks {
  /** The latest answers. */
  readonly now = keptFor(CACHED_MS, () => this.run());

  constructor(
    private readonly checks: Readonly<Record<string, Check>>,
    private readonly log: Logger,
  ) {}

  private async run(): Promise<Health> {
    const answers = await Promise.all(
      Object.entries(this.checks).map(async ([name, check]) => [name, await this.answer(name, check)] as const),
    );
    return { ok: answers.every(([, answer]) => answer === "ok"), checks: Object.fromEntries(answers) };
  }

  private async answer(name: string, check: Check): Promise<"ok" | "unavailable"> {
    const signal = AbortSignal.timeout(CHECK_MS);
    try {
      await check(signal);
      return "ok";
    } catch (err) {
      this.log.warn({ err, service: name }, `health: ${name} did not answer within ${CHECK_MS} ms`);
      return "unavailable";
    }
  }
}

/** The checks of all that the controller uses. */
export function createChecks(aws: Aws, events: JobEvents, settings: Settings) {
  const { jobsTable, queueUrl, codeBucket } = settings;
  return {
    dynamodb: (abortSignal) =>
      aws.dynamo.send(new GetCommand({ TableName: jobsTable, Key: { jobId: "health" } }), { abortSignal }),
    sqs: (abortSignal) =>
      aws.sqs.send(new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ["QueueArn"] }), {
        abortSignal,
      }),
    s3: async (abortSignal) => {
      try {
        await aws.s3.send(new GetObjectCommand({ Bucket: codeBucket, Key: "health" }), { abortSignal });
      } catch (error) {
        // Without the right to list, S3 says of an object that is not there that access is denied. Both are answers.
        if (!(error instanceof S3ServiceException && (error.name === "NoSuchKey" || error.name === "AccessDenied"))) {
          throw error;
        }
      }
    },
    redis: () => events.ping(),
  } satisfies Record<string, Check>;
}
