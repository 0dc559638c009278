/** No message that is lost without anyone seeing it. */
import { jsonOf } from "../expression";
import { isBlock, type Json } from "../json";
import type { JudgedResource, Rule } from "../rule";

export const queuesHaveDeadLetters: Rule = {
  id: "queues-have-dead-letters",
  title: "Every queue hands messages that fail again and again to a dead-letter queue.",
  reason: "A message that breaks its reader would come back until it expires, unseen.",
  remedy: "Make the queue with constructs/work-queue.ts, or give it a redrive_policy.",
  types: ["aws_sqs_queue"],
  check: (queue) =>
    targetsOf(queue).length > 0 || takesDeadLetters(queue)
      ? undefined
      : "it has no redrive_policy, and no queue's dead letters go to it",
};

function takesDeadLetters(queue: JudgedResource): boolean {
  const arn = `\${${queue.address}.arn}`;
  return queue.others("aws_sqs_queue").some((other) => targetsOf(other).includes(arn));
}

/** Where a queue's dead letters go, by its own attribute or by a resource beside it. */
function targetsOf(queue: JudgedResource): readonly Json[] {
  const beside = queue.companions("aws_sqs_queue_redrive_policy", "queue_url");
  return [queue, ...beside].flatMap(({ body }) => {
    const policy = typeof body.redrive_policy === "string" ? jsonOf(body.redrive_policy) : undefined;
    return isBlock(policy) && policy.deadLetterTargetArn !== undefined ? [policy.deadLetterTargetArn] : [];
  });
}
