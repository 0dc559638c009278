/** An HTTP API with a function behind it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { exceptionsOf } from "../../constructs/exception";
import { type Authorizer, HttpApi, type HttpApiProps } from "../../constructs/http-api";
import { NodeFunction } from "../../constructs/node-function";
import { constructed } from "../support/constructed";
import { statementsOf } from "../support/expression";
import { runFolder } from "../support/synth";

const bundle = { file: join(runFolder(), "bundle.zip"), sha256: "00ff".repeat(16) };
writeFileSync(bundle.file, "zip");

const JWT: Authorizer = { kind: "jwt", issuer: "https://id.example.com", audience: ["acme"] };

function api(props: Partial<HttpApiProps> = {}) {
  let reasons: string[] = [];
  const synthesis = constructed((scope) => {
    const fn = new NodeFunction(scope, "fn", {
      name: "acme-fn",
      description: "Answers",
      roleName: "acme_fn_role",
      bundle,
      handler: "handler.handler",
      environment: { BUCKET: "b" },
      statements: [{ sid: "Read", actions: ["s3:GetObject"], resources: ["arn:aws:s3:::b/*"] }],
      memoryMib: 256,
      timeoutSeconds: 10,
      reservedConcurrency: 5,
      logRetentionDays: 30,
    });
    const front = new HttpApi(scope, "api", {
      name: "acme-api",
      description: "The way in",
      authorizer: { kind: "iam" },
      corsOrigins: ["https://acme.example"],
      requestsPerSecond: 20,
      burst: 40,
      logRetentionDays: 30,
      ...props,
    });
    front.route("get-sign", "GET /sign", front.toFunction("sign", fn));
    const link = { name: "acme-link", subnetIds: ["subnet-a"], securityGroupIds: ["sg-1"] };
    const tasks = front.toListener("tasks", link, "arn:listener");
    front.route("post-work", "POST /work", tasks);
    front.route("get-page", "GET /", tasks, { openReason: "The page is the same for everyone." });
    reasons = ["get-sign", "get-page"].flatMap((id) =>
      exceptionsOf(front.node.findChild(id)).map(({ reason }) => `${id}: ${reason}`),
    );
  });
  return { synthesis, reasons };
}

describe("HttpApi", () => {
  const { synthesis } = api();

  test("AWS identities call it, signed; only what says why is open", () => {
    const types = synthesis
      .resources("aws_apigatewayv2_route")
      .map(({ body }) => [body.route_key, body.authorization_type]);
    expect(types).toEqual([
      ["GET /", "NONE"],
      ["GET /sign", "AWS_IAM"],
      ["POST /work", "AWS_IAM"],
    ]);
    expect(api().reasons).toEqual(["get-page: The page is the same for everyone."]);
  });

  test("or whoever has a token of the issuer for one of the audiences", () => {
    const tokens = api({ authorizer: JWT }).synthesis;
    expect(tokens.resource("aws_apigatewayv2_authorizer")).toMatchObject({
      authorizer_type: "JWT",
      identity_sources: ["$request.header.Authorization"],
      jwt_configuration: { issuer: "https://id.example.com", audience: ["acme"] },
    });
    expect(tokens.resource("aws_apigatewayv2_route", { route_key: "POST /work" })).toMatchObject({
      authorization_type: "JWT",
      authorizer_id: tokens.reference("aws_apigatewayv2_authorizer", undefined, "id"),
    });
  });

  test("without an authorizer, a route that does not say why anyone may call it stops synth", () => {
    expect(() => api({ authorizer: { kind: "none" } })).toThrow(
      "stack/api: GET /sign would be open to anyone. Give it an authorizer, or openReason.",
    );
    expect(api({ authorizer: { kind: "none" }, openReason: "Only stand-ins are like this." }).reasons[0]).toBe(
      "get-sign: Only stand-ins are like this.",
    );
  });

  test("is throttled, and logs every request without headers or queries", () => {
    const stage = synthesis.resource("aws_apigatewayv2_stage") as { access_log_settings: { format: string } };
    expect(stage).toMatchObject({
      name: "$default",
      auto_deploy: true,
      default_route_settings: { throttling_rate_limit: 20, throttling_burst_limit: 40 },
      access_log_settings: {
        destination_arn: synthesis.reference("aws_cloudwatch_log_group", { name: "/aws/apigateway/acme-api" }, "arn"),
      },
    });
    const format = JSON.parse(stage.access_log_settings.format) as Record<string, string>;
    expect(format.requestId).toBe("$context.requestId");
    expect(Object.values(format).filter((value) => /header|querystring/i.test(value))).toEqual([]);
  });

  test("pages of the named origins may call it", () => {
    expect(synthesis.resource("aws_apigatewayv2_api").cors_configuration).toMatchObject({
      allow_origins: ["https://acme.example"],
      allow_methods: ["GET", "POST", "OPTIONS"],
    });
  });

  test("reaches the listener through a VPC link, with the request's id, within 30 seconds", () => {
    expect(synthesis.resource("aws_apigatewayv2_vpc_link")).toMatchObject({
      name: "acme-link",
      subnet_ids: ["subnet-a"],
      security_group_ids: ["sg-1"],
    });
    expect(synthesis.resource("aws_apigatewayv2_integration", { connection_type: "VPC_LINK" })).toMatchObject({
      integration_type: "HTTP_PROXY",
      integration_method: "ANY",
      integration_uri: "arn:listener",
      connection_id: synthesis.reference("aws_apigatewayv2_vpc_link", undefined, "id"),
      request_parameters: { "overwrite:header.x-request-id": "$context.requestId" },
      timeout_milliseconds: 30_000,
    });
  });

  test("calls the function, which lets this API call it and nobody else", () => {
    expect(synthesis.resource("aws_apigatewayv2_integration", { integration_type: "AWS_PROXY" })).toMatchObject({
      integration_uri: synthesis.reference("aws_lambda_function", undefined, "arn"),
      payload_format_version: "2.0",
    });
    const execution = synthesis.reference("aws_apigatewayv2_api", undefined, "execution_arn");
    expect(synthesis.resource("aws_lambda_permission")).toMatchObject({
      principal: "apigateway.amazonaws.com",
      source_arn: `${execution}/*/*`,
    });
  });
});

describe("NodeFunction", () => {
  const { synthesis } = api();

  test("runs on arm64, traced, no more often at once than reserved", () => {
    expect(synthesis.resource("aws_lambda_function")).toMatchObject({
      function_name: "acme-fn",
      runtime: "nodejs22.x",
      architectures: ["arm64"],
      tracing_config: { mode: "Active" },
      reserved_concurrent_executions: 5,
      environment: { variables: { BUCKET: "b" } },
    });
  });

  test("is deployed anew when its bundle's hash changes", () => {
    const { source_code_hash } = synthesis.resource("aws_lambda_function");
    expect(Buffer.from(String(source_code_hash), "base64").toString("hex")).toBe(bundle.sha256);
  });

  test("logs JSON into a group that ends", () => {
    const group = synthesis.one("aws_cloudwatch_log_group", { name: "/aws/lambda/acme-fn" });
    expect(group.body.retention_in_days).toBe(30);
    expect(synthesis.resource("aws_lambda_function").logging_config).toEqual({
      log_format: "JSON",
      log_group: `\${${group.address}.name}`,
    });
  });

  test("may do what its program needs, write its log and send traces, and waits for that at creation", async () => {
    const statements = await statementsOf(synthesis.resource("aws_iam_role_policy").policy);
    expect(statements.map(({ sid, resources }) => [sid, resources.includes("*")])).toEqual([
      ["Read", false],
      ["WriteLogs", false],
      ["SendTraces", true],
    ]);
    expect(synthesis.resource("aws_lambda_function").depends_on).toEqual([
      synthesis.one("aws_iam_role_policy").address,
    ]);
  });
});
