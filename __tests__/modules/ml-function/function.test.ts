import { existsSync } from "node:fs";
import { mlXgboostImage } from "../../../lambdas/ml-xgboost/image";
import { mlXgboostStatements } from "../../../lambdas/ml-xgboost/permissions";
import { jsonencoded, statementsOf } from "../../support/expression";
import { expr, stackOf } from "../../support/synth";

const stack = stackOf("dev", "ml-function");
const options = stackOf("options", "ml-function");
const functionArn = expr("aws_lambda_function.function.arn");

describe("ml-function", () => {
  test("ML-XGBoost is an image for arm64, with the values of its specification", () => {
    expect(stack.resource("aws_lambda_function")).toMatchObject({
      function_name: "ML-XGBoost",
      description: "lambda function url for ML",
      package_type: "Image",
      architectures: ["arm64"],
      timeout: 30,
      memory_size: 256,
      reserved_concurrent_executions: 10,
      tracing_config: { mode: "Active" },
      environment: { variables: { ML_MAX_ROWS: "1000" } },
    });
    expect(stack.resource("aws_lambda_function")).not.toHaveProperty("runtime");
    expect(stack.resource("aws_cloudwatch_log_group")).toMatchObject({
      name: "/aws/lambda/ML-XGBoost",
      retention_in_days: 30,
    });
  });

  test("runs the image that the deployment has pushed, by its digest", () => {
    const { tag } = mlXgboostImage();
    const digest = expr("data.aws_ecr_image.image_pushed.image_digest");
    const uri = `${expr("aws_ecr_repository.repository.repository_url")}@${digest}`;
    expect(stack.resource("aws_lambda_function").image_uri).toBe(uri);
    expect(stack.data("aws_ecr_image")[0]?.body).toMatchObject({
      image_tag: tag,
      repository_name: "ml-xgboost",
      depends_on: ["terraform_data.image"],
    });
    expect(JSON.stringify(stack.resource("terraform_data").provisioner)).toContain(
      `--repository ml-xgboost --tag ${tag} `,
    );
    expect(JSON.stringify(stack.resource("terraform_data").provisioner)).toContain("--platform linux/arm64");
  });

  test("or one that was built elsewhere: then nothing is built", () => {
    expect(options.resource("aws_lambda_function").image_uri).toMatch(/^444455556666\..*\/team\/ml@sha256:0b/);
    expect(options.resources("terraform_data")).toEqual([]);
  });

  test("Lambda pulls for this function alone, and may before the function is made", async () => {
    const { policy } = stack.resource("aws_ecr_repository_policy");
    expect(await jsonencoded(policy)).toMatchObject({
      Statement: [
        {
          Principal: { Service: "lambda.amazonaws.com" },
          Action: ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
          Condition: {
            ArnLike: { "aws:SourceArn": "arn:aws:lambda:ap-northeast-2:000000000000:function:ML-XGBoost" },
          },
        },
      ],
    });
    expect(stack.resource("aws_lambda_function").depends_on).toContain("aws_ecr_repository_policy.repository_access");
  });

  test("its URL wants a signature", () => {
    expect(stack.resource("aws_lambda_function_url")).toMatchObject({
      authorization_type: "AWS_IAM",
      function_name: expr("aws_lambda_function.function.function_name"),
    });
    expect(stack.resource("aws_lambda_function_url")).not.toHaveProperty("cors");
  });

  test("the account's identities may assume the callers' role, which may use the URL and nothing else", async () => {
    const { assume_role_policy, description } = stack.resource("aws_iam_role", "caller");
    expect(description).toBe("Role for lambda function url");
    expect(await statementsOf(assume_role_policy)).toMatchObject([
      { actions: ["sts:AssumeRole"], principal: { AWS: "arn:aws:iam::000000000000:root" } },
    ]);
    expect(await statementsOf(stack.resource("aws_iam_role_policy", "caller_permissions").policy)).toEqual([
      {
        sid: "CallUrl",
        effect: "Allow",
        actions: ["lambda:InvokeFunctionUrl"],
        resources: [functionArn],
        condition: { StringEquals: { "lambda:FunctionUrlAuthType": ["AWS_IAM"] } },
      },
      {
        sid: "InvokeThroughUrl",
        effect: "Allow",
        actions: ["lambda:InvokeFunction"],
        resources: [functionArn],
        condition: { Bool: { "lambda:InvokedViaFunctionUrl": ["true"] } },
      },
    ]);
  });

  test("the function itself may write its log and send traces, and nothing else", async () => {
    expect(mlXgboostStatements()).toEqual([]);
    const found = await statementsOf(stack.resource("aws_iam_role_policy", "function_role_permissions").policy);
    expect(found.map(({ sid }) => sid)).toEqual(["WriteLogs", "SendTraces"]);
  });

  test("callers of the same account need no policy of the function; another account gets both permissions, the second for the URL alone", () => {
    expect(stack.resources("aws_lambda_permission")).toEqual([]);
    const permissions = options.resources("aws_lambda_permission").map(({ body }) => body);
    expect(permissions).toMatchObject([
      { action: "lambda:InvokeFunction", principal: "777788889999", invoked_via_function_url: true },
      { action: "lambda:InvokeFunctionUrl", principal: "777788889999", function_url_auth_type: "AWS_IAM" },
    ]);
  });

  test("publishes the outputs of its specification under their own names", () => {
    expect(stack.at("output", "fnUrlRoleArn")).toEqual({
      description: "The arn of the function url role",
      value: expr("aws_iam_role.caller.arn"),
    });
    expect(stack.at("output", "EndpointUrl")).toEqual({
      description: "The endpoint of Lambda Function URL",
      value: expr("aws_lambda_function_url.function_url.function_url"),
    });
  });

  test("alarms ring for errors, throttles and slow requests, and each names a page that is there", () => {
    const alarms = stack.resources("aws_cloudwatch_metric_alarm").map(({ body }) => body);
    expect(alarms.map(({ alarm_name }) => alarm_name)).toEqual([
      "ml-function-duration",
      "ml-function-errors",
      "ml-function-throttles",
    ]);
    expect(alarms[0]?.threshold).toBe(24_000);
    expect(options.resource("aws_cloudwatch_metric_alarm", "duration-alarm").threshold).toBe(15_000);
    for (const { alarm_description } of alarms) {
      const [page = ""] = /docs\/operations\/[\w-]+\.md$/.exec(String(alarm_description)) ?? [];
      expect([page, existsSync(page)]).toEqual([page, true]);
    }
  });
});
