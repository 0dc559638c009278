import { existsSync } from "node:fs";
import { presignStatements } from "../../../lambdas/presign/permissions";
import { statementsOf } from "../../support/expression";
import { expr, output, stackOf } from "../../support/synth";

const stack = stackOf("dev", "denoise-api");
const options = stackOf("options", "denoise-api");
const local = stackOf("local", "denoise-api");
const stored = (name: string) => output("denoise-storage", name);
const running = (name: string) => output("denoise-service", name);

const routes = (of: typeof stack) =>
  of.resources("aws_apigatewayv2_route").map(({ body }) => `${body.route_key}: ${body.authorization_type}`);

describe("denoise-api", () => {
  test("ddn-presign-api takes signed requests; only the page to try it is open", () => {
    expect(stack.resource("aws_apigatewayv2_api")).toMatchObject({ name: "ddn-presign-api", protocol_type: "HTTP" });
    expect(routes(stack)).toEqual([
      "GET /inference/{id}: AWS_IAM",
      "GET /: NONE",
      "GET /page/{proxy+}: NONE",
      "GET /ping: AWS_IAM",
      "GET /presign: AWS_IAM",
      "POST /inference: AWS_IAM",
    ]);
  });

  test("or tokens of an issuer, without the page", () => {
    expect(routes(options)).toEqual([
      "GET /inference/{id}: JWT",
      "GET /ping: JWT",
      "GET /presign: JWT",
      "POST /inference: JWT",
    ]);
    expect(options.resource("aws_apigatewayv2_authorizer").jwt_configuration).toEqual({
      issuer: "https://id.example.com/pool",
      audience: ["denoise"],
    });
  });

  test("stand-ins have no authorizer", () => {
    expect(routes(local).filter((route) => !route.endsWith(": NONE"))).toEqual([]);
  });

  test("presigning leads to the function, everything else through the VPC link to the listener", () => {
    const target = (key: string) => stack.resource("aws_apigatewayv2_route", { route_key: key }).target;
    const tasks = `integrations/${expr("aws_apigatewayv2_integration.api_service.id")}`;
    expect(target("GET /presign")).toBe(
      `integrations/${expr("aws_apigatewayv2_integration.api_presign-integration.id")}`,
    );
    expect(["POST /inference", "GET /inference/{id}", "GET /ping", "GET /"].map(target)).toEqual([
      tasks,
      tasks,
      tasks,
      tasks,
    ]);
    expect(stack.resource("aws_apigatewayv2_integration", "api_service").integration_uri).toBe(running("listener_arn"));
    expect(stack.resource("aws_apigatewayv2_vpc_link")).toMatchObject({
      subnet_ids: running("subnet_ids"),
      security_group_ids: [running("link_security_group_id")],
    });
  });

  test("is throttled at 20 requests a second", () => {
    expect(stack.resource("aws_apigatewayv2_stage").default_route_settings).toMatchObject({
      throttling_rate_limit: 20,
      throttling_burst_limit: 40,
    });
  });

  test("ddn-presign-lambda runs on arm64, traced, at most ten at once, and knows both buckets", () => {
    expect(stack.resource("aws_lambda_function")).toMatchObject({
      function_name: "ddn-presign-lambda",
      architectures: ["arm64"],
      tracing_config: { mode: "Active" },
      reserved_concurrent_executions: 10,
      environment: {
        variables: {
          DDN_IN_BUCKET: stored("in_bucket"),
          DDN_OUT_BUCKET: stored("out_bucket"),
          DDN_MAX_UPLOAD_BYTES: String(2 * 1024 ** 3),
          DDN_URL_SECONDS: "300",
        },
      },
    });
    expect(stack.resource("aws_cloudwatch_log_group", "presign_logs").name).toBe("/aws/lambda/ddn-presign-lambda");
  });

  test("its role signs what its program says, writes its log and sends traces", async () => {
    const program = presignStatements({ inBucketArn: stored("in_bucket_arn"), outBucketArn: stored("out_bucket_arn") });
    const found = await statementsOf(stack.resource("aws_iam_role_policy").policy);
    expect(found.map(({ sid, actions, resources }) => ({ sid, actions, resources }))).toEqual([
      ...program.map(({ sid, actions, resources }) => ({ sid, actions: [...actions], resources: [...resources] })),
      {
        sid: "WriteLogs",
        actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: [`${expr("aws_cloudwatch_log_group.presign_logs.arn")}:log-stream:*`],
      },
      { sid: "SendTraces", actions: ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], resources: ["*"] },
    ]);
  });

  test("alarms ring for errors of the function and of the API, and each names a page that is there", () => {
    const alarms = stack.resources("aws_cloudwatch_metric_alarm");
    expect(alarms.map(({ body }) => body.alarm_name)).toEqual(["ddn-api-error-rate", "ddn-presign-errors"]);
    for (const { body } of alarms) {
      const [page = ""] = /docs\/operations\/[\w-]+\.md$/.exec(String(body.alarm_description)) ?? [];
      expect([page, existsSync(page)]).toEqual([page, true]);
    }
  });
});
