/** What the inference functions may do with models and the queue. In the database, Atlas gives a role its rights by its name. */
import type { Statement } from "../../constructs/role";

/**
 * Calling models: InvokeModel is what Converse asks for too.
 *
 * @param arns the models, and an inference profile with every model that it leads to
 */
export function invokeModels(arns: readonly string[]): Statement {
  return { sid: "InvokeModels", actions: ["bedrock:InvokeModel"], resources: arns };
}

/** Sending to a queue. */
export function sendMessages(queueArn: string): Statement {
  // SendMessageBatch asks for the same.
  return { sid: "SendMessages", actions: ["sqs:SendMessage"], resources: [queueArn] };
}
