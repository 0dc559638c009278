/** Asynchronous work that is not lost when it fails. */
import { blocks } from "../json";
import type { Rule } from "../rule";

export const lambdaFailuresAreKept: Rule = {
  id: "lambda-failures-are-kept",
  title: "What reads a stream or is called asynchronously keeps what failed.",
  reason: "Lambda tries three times and then drops the event, and nobody knows that it was there.",
  remedy: "Set destination_config.on_failure. A source that is a queue has the queue's own dead letters.",
  types: ["aws_lambda_event_source_mapping", "aws_lambda_function_event_invoke_config"],
  check: ({ type, body }) => {
    const kept = blocks(body.destination_config).some(({ on_failure }) => blocks(on_failure).length > 0);
    const queue = type === "aws_lambda_event_source_mapping" && /sqs/.test(String(body.event_source_arn));
    return kept || queue ? undefined : "destination_config.on_failure is not set";
  },
};
