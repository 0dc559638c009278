/** Functions that only those call who are meant to. */
import type { Rule } from "../rule";

export const lambdaCallersAreNamed: Rule = {
  id: "lambda-callers-are-named",
  title: "Who may call a Lambda function is one resource or account, and its URL wants a signature.",
  reason: "A permission for a whole service lets every AWS customer call the function through that service.",
  remedy:
    'Set source_arn or source_account on aws_lambda_permission, and authorization_type = "AWS_IAM" on aws_lambda_function_url.',
  types: ["aws_lambda_permission", "aws_lambda_function_url"],
  check: ({ type, body }) => {
    if (type === "aws_lambda_function_url") {
      return body.authorization_type === "AWS_IAM"
        ? undefined
        : `authorization_type is ${body.authorization_type ?? "not set"}`;
    }
    if (body.source_arn ?? body.source_account ?? body.principal_org_id) {
      return undefined;
    }
    const service = body.principal === "*" || /\.amazonaws\.com$/.test(String(body.principal));
    return service ? `${body.principal} may call it, whosever it is` : undefined;
  },
};
