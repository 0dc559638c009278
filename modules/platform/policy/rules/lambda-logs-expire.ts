/** Functions whose logs are ours, and end. */
import { blocks } from "../json";
import type { JudgedResource, Rule } from "../rule";

export const lambdaLogsExpire: Rule = {
  id: "lambda-logs-expire",
  title: "Every Lambda function has its log group in the same stack.",
  reason: "Lambda makes a missing log group itself, without an end of its logs and out of sight of Terraform.",
  remedy: "Add an aws_cloudwatch_log_group named /aws/lambda/<function>, or name one in logging_config.",
  types: ["aws_lambda_function"],
  check: (fn) =>
    fn.others("aws_cloudwatch_log_group").some((group) => isOf(fn, group))
      ? undefined
      : "no log group of the stack is its own",
};

function isOf({ address, body }: JudgedResource, group: JudgedResource): boolean {
  const own = [`/aws/lambda/${body.function_name}`, `/aws/lambda/\${${address}.function_name}`];
  const named = blocks(body.logging_config).map(({ log_group }) => String(log_group));
  return (
    own.includes(String(group.body.name)) ||
    named.some((name) => name === group.body.name || name.startsWith(`\${${group.address}.`))
  );
}
