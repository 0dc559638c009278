/** Products from the queue. Those that failed stay there, and those alone; after their last try SQS moves them to the dead letters. */
import type { Context, SQSBatchResponse, SQSEvent } from "aws-lambda";
import { readMessage } from "../../inference-shared/src/message";
import { createStore, startProgram, storeVariables } from "../../inference-shared/src/programs";
import { Deadline } from "../../inference-shared/src/retry";
import { storeProducts } from "../../inference-shared/src/store";

const { log, variables } = startProgram("inference-batches", storeVariables);
const store = createStore(variables, log);

/** Stores a batch of messages. */
export async function handler(event: SQSEvent, context: Context): Promise<SQSBatchResponse> {
  const startedAt = performance.now();
  const about = { invocationId: context.awsRequestId };
  const read = event.Records.map(({ messageId, body }) => {
    try {
      return { messageId, ...readMessage(body) };
    } catch (error) {
      // What it says may be a customer's: only what is wrong with it is logged, not what it holds.
      log("error", "no message of ours", { ...about, messageId, reason: (error as Error).name });
      return { messageId };
    }
  });
  const accepted = read.filter((each) => "product" in each);
  const outcomes = await storeProducts(accepted, store, Deadline.of(context)).catch((reason: unknown) =>
    accepted.map(() => ({ status: "rejected", reason }) as const),
  );
  const failed = read.filter((each) => !("product" in each)).map(({ messageId }) => messageId);
  for (const [index, { messageId, requestId, product }] of accepted.entries()) {
    const outcome = outcomes[index];
    const line = { ...about, messageId, requestId, productId: product.id };
    if (outcome?.status === "fulfilled") {
      log("info", "stored", { ...line, outcome: outcome.value });
    } else {
      log("error", "not stored", { ...line, cause: outcome?.reason });
      failed.push(messageId);
    }
  }
  const durationMs = Math.round(performance.now() - startedAt);
  log("info", "batch done", { ...about, messages: read.length, failed: failed.length, durationMs });
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}
