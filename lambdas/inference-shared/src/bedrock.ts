/** Bedrock's models: a text to a vector, and a conversation to a text. */
import {
  BedrockRuntimeClient,
  ConverseCommand,
  type ConverseCommandInput,
  InvokeModelCommand,
} from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { z } from "zod";
import type { Log } from "../../shared/log";
import type { Problem } from "../../shared/problem";
import { badAnswer, internal, throttled, unavailable } from "./problems";
import { type Deadline, isTimeout, withRetries } from "./retry";

const CONNECT_MS = 1_000;
/** Longest that a vector, or a text, may take, in milliseconds. */
const EMBED_MS = 5_000;
const CONVERSE_MS = 10_000;

const titanAnswer = z.object({ embedding: z.array(z.number()) });

/** Where Bedrock is. */
export interface BedrockProps {
  readonly region: string;
  /** URL of a stand-in; undefined for Bedrock itself. */
  readonly endpoint: string | undefined;
  readonly log: Log;
}

/** A client for as long as the function's environment lives. */
export class Bedrock {
  private readonly client: BedrockRuntimeClient;
  private readonly log: Log;

  constructor({ region, endpoint, log }: BedrockProps) {
    this.log = log;
    this.client = new BedrockRuntimeClient({
      region,
      endpoint,
      // Retries are ours: they know when the function ends.
      maxAttempts: 1,
      // The client's own choice is HTTP/2, whose session would not live through the freezing between two invocations.
      requestHandler: new NodeHttpHandler({
        connectionTimeout: CONNECT_MS,
        requestTimeout: CONVERSE_MS,
        throwOnRequestTimeout: true,
      }),
    });
  }

  /**
   * A text's vector from a Titan model, of length one.
   *
   * @throws Problem 429 when the quota is used up, 503 when Bedrock does not answer, 502 when it is no vector of that length
   */
  async embed(model: string, dimensions: number, text: string, deadline: Deadline): Promise<number[]> {
    const command = new InvokeModelCommand({
      modelId: model,
      contentType: "application/json",
      accept: "application/json",
      body: JSON.stringify({ inputText: text, dimensions, normalize: true }),
    });
    const { body } = await this.ask(model, EMBED_MS, deadline, (abortSignal) =>
      this.client.send(command, { abortSignal }),
    );
    const parsed = titanAnswer.safeParse(parseJson(body.transformToString()));
    const length = parsed.success ? parsed.data.embedding.length : "none";
    if (!parsed.success || length !== dimensions) {
      throw badAnswer(model, `expected a vector of ${dimensions} numbers, got ${length}`);
    }
    return parsed.data.embedding;
  }

  /**
   * The text that a model answers.
   *
   * @throws Problem as {@link embed} does; 502 when there is no text
   */
  async converse(input: ConverseCommandInput & { readonly modelId: string }, deadline: Deadline): Promise<string> {
    const { output } = await this.ask(input.modelId, CONVERSE_MS, deadline, (abortSignal) =>
      this.client.send(new ConverseCommand(input), { abortSignal }),
    );
    const answered = (output?.message?.content ?? []).map((block) => block.text ?? "").join("");
    if (answered.trim() === "") {
      throw badAnswer(input.modelId, "expected a text, got none");
    }
    return answered;
  }

  private async ask<T>(
    model: string,
    attemptMs: number,
    deadline: Deadline,
    attempt: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    try {
      return await withRetries({ what: model, deadline, log: this.log, passes: mayPass, attemptMs }, attempt);
    } catch (error) {
      throw problemOf(model, error);
    }
  }
}

/** What a failure of Bedrock is, once no attempt is left. */
function problemOf(model: string, error: unknown): Problem {
  if (isThrottling(error)) {
    return throttled(model, error);
  }
  if (error instanceof SyntaxError) {
    return badAnswer(model, "expected JSON, got something else", error);
  }
  return mayPass(error) ? unavailable("Bedrock", error) : internal(error);
}

function mayPass(error: unknown): boolean {
  const status = statusOf(error);
  const { name, code } = error as { name?: string; code?: string };
  // Without a status nothing answered: no connection, or none in time. 408 is a model that took too long.
  const unanswered = status === undefined && (isTimeout(error) || code !== undefined || name === "NetworkingError");
  return isThrottling(error) || unanswered || status === 408 || (status !== undefined && status >= 500);
}

/** The quota's 429; a model that is not ready yet has the same status, and is no matter of quotas. */
function isThrottling(error: unknown): boolean {
  const { name } = error as { name?: string };
  return name === "ThrottlingException" || (statusOf(error) === 429 && name !== "ModelNotReadyException");
}

function statusOf(error: unknown): number | undefined {
  if (error instanceof SyntaxError) {
    return undefined;
  }
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
