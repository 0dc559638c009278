import { existsSync } from "node:fs";
import { modelArns } from "../../../modules/inference/bedrock";
import { statementsOf } from "../../support/expression";
import { expr, output, stackOf } from "../../support/synth";

const stack = stackOf("dev", "inference-api");
const options = stackOf("options", "inference-api");
const local = stackOf("local", "inference-api");
const net = (name: string) => output("inference-network", name);

const routes = (of: typeof stack) =>
  of
    .resources("aws_apigatewayv2_route")
    .map(({ body }) => `${body.route_key}: ${body.authorization_type}`)
    .sort();
const fn = (of: typeof stack, name: string) => of.resource("aws_lambda_function", { function_name: name });
const role = async (of: typeof stack, name: string) =>
  (await statementsOf(of.resource("aws_iam_role_policy", `${name}_role_permissions`).policy)).map(
    ({ sid, actions, resources }) => ({ sid, actions, resources }),
  );

describe("inference-api", () => {
  test("signed requests call it; only the page to try it is open", () => {
    expect(routes(stack)).toEqual([
      "GET /: NONE",
      "GET /page/{proxy+}: NONE",
      "POST /carts/{id}/title: AWS_IAM",
      "POST /products/search: AWS_IAM",
      "POST /products: AWS_IAM",
    ]);
  });

  test("or tokens of an issuer, from pages of the shop's origin, without a page of its own", () => {
    expect(routes(options).filter((route) => !route.endsWith(": JWT"))).toEqual([]);
    expect(options.resource("aws_apigatewayv2_api").cors_configuration).toMatchObject({
      allow_origins: ["https://shop.example.com"],
    });
    expect(options.resources("aws_lambda_function").map(({ name }) => name)).not.toContain("page");
  });

  test("without origins, no other page may call it; stand-ins have no authorizer", () => {
    expect(stack.resource("aws_apigatewayv2_api")).not.toHaveProperty("cors_configuration");
    expect(routes(local).filter((route) => !route.endsWith(": NONE"))).toEqual([]);
  });

  test.each(["products", "search", "titles", "batches", "bootstrap"])(
    "inference-%s runs in the private subnets with the functions' security group, and knows the database without a password",
    (name) => {
      const found = fn(stack, `inference-${name}`);
      expect(found).toMatchObject({
        architectures: ["arm64"],
        tracing_config: { mode: "Active" },
        vpc_config: {
          subnet_ids: net("private_subnet_ids"),
          security_group_ids: [net("function_security_group_id")],
        },
        environment: {
          variables: expect.objectContaining({
            INFERENCE_DATABASE_URI: net("database_uri"),
            INFERENCE_DATABASE_NAME: net("database_name"),
          }),
        },
      });
      expect(JSON.stringify(found.environment)).not.toMatch(/AUTH|PASSWORD|SECRET/);
      expect(stack.resource("aws_iam_role", `${name}_role`).name).toBe(`inference_${name}_role`);
    },
  );

  test("the page's function is in no VPC and may do nothing but log", async () => {
    expect(fn(stack, "inference-page")).not.toHaveProperty("vpc_config");
    expect((await role(stack, "page")).map(({ sid }) => sid)).toEqual(["WriteLogs", "SendTraces"]);
  });

  test("roles name the exact model, or the profile and the model in every region that it may lead to", async () => {
    const titan = "arn:aws:bedrock:ap-northeast-2::foundation-model/amazon.titan-embed-text-v2:0";
    for (const name of ["products", "search", "batches"]) {
      expect(await role(stack, name)).toContainEqual({
        sid: "InvokeModels",
        actions: ["bedrock:InvokeModel"],
        resources: [titan],
      });
    }
    const [invoke] = await role(stack, "titles");
    expect(invoke).toEqual({
      sid: "InvokeModels",
      actions: ["bedrock:InvokeModel"],
      resources: [
        "arn:aws:bedrock:ap-northeast-2:000000000000:inference-profile/apac.amazon.nova-lite-v1:0",
        ...["northeast-1", "northeast-2", "northeast-3", "south-1", "southeast-1", "southeast-2"].map(
          (region) => `arn:aws:bedrock:ap-${region}::foundation-model/amazon.nova-lite-v1:0`,
        ),
      ],
    });
  });

  test("where the GPU tier makes the vectors, no model of embeddings may be called", async () => {
    for (const name of ["products", "search", "batches"]) {
      expect((await role(options, name)).map(({ sid }) => sid)).not.toContain("InvokeModels");
    }
    expect((await role(options, "titles"))[0]?.resources).toEqual(
      modelArns("amazon.nova-pro-v1:0", "ap-northeast-2", "111122223333"),
    );
    expect(fn(options, "inference-search").environment).toMatchObject({
      variables: { INFERENCE_EMBEDDINGS: "gpu", INFERENCE_DIMENSIONS: "1024" },
    });
  });

  test("only the functions that have to may send to the queue, or receive from it", async () => {
    const queue = expr("aws_sqs_queue.queue.arn");
    const withQueue = async (sid: string) => {
      const names = ["products", "search", "titles", "batches", "bootstrap", "page"];
      const holders = await Promise.all(
        names.map(async (name) => ((await role(stack, name)).some((each) => each.sid === sid) ? [name] : [])),
      );
      return holders.flat();
    };
    expect([await withQueue("SendMessages"), await withQueue("ReceiveMessages")]).toEqual([["products"], ["batches"]]);
    expect(await role(stack, "batches")).toContainEqual({
      sid: "ReceiveMessages",
      actions: ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
      resources: [queue],
    });
  });

  test("the network interfaces of a function are Lambda's to make, and not its own code's", async () => {
    const { policy } = stack.resource("aws_iam_role_policy", "search_role_permissions");
    expect((await role(stack, "search")).find(({ sid }) => sid === "AttachToVpc")?.resources).toEqual(["*"]);
    expect(String(policy)).toMatch(/"Null" = \{"lambda:SourceFunctionArn" = \["true"\]\}/);
  });

  test("a batch tells which messages failed, and messages stay hidden for six times as long as it may take", () => {
    expect(stack.resource("aws_lambda_event_source_mapping")).toMatchObject({
      event_source_arn: expr("aws_sqs_queue.queue.arn"),
      function_response_types: ["ReportBatchItemFailures"],
      batch_size: 10,
      scaling_config: { maximum_concurrency: 5 },
    });
    const { timeout } = fn(stack, "inference-batches");
    const queue = stack.resource("aws_sqs_queue", "queue");
    expect([queue.name, queue.visibility_timeout_seconds]).toEqual(["inference-batches", 6 * Number(timeout)]);
    expect(String(queue.redrive_policy)).toContain("aws_sqs_queue.queue_dead-letters.arn");
  });

  test("functions behind the API end before it gives up", () => {
    for (const name of ["products", "search", "titles"]) {
      expect(fn(stack, `inference-${name}`).timeout).toBe(29);
    }
  });

  test("each alarm names a page that is there", () => {
    const alarms = stack.resources("aws_cloudwatch_metric_alarm");
    expect(alarms.map(({ body }) => body.alarm_name).sort()).toEqual([
      "inference-api-error-rate",
      "inference-batches-dlq-not-empty",
      "inference-batches-wait",
      "inference-function-errors",
    ]);
    for (const { body } of alarms) {
      const [page = ""] = /docs\/operations\/[\w-]+\.md$/.exec(String(body.alarm_description)) ?? [];
      expect([page, existsSync(page)]).toEqual([page, true]);
    }
  });
});
