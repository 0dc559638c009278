import { ImageFunction } from "../../constructs/image-function";
import { constructed } from "../support/constructed";

const URI = `123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/ml@sha256:${"0".repeat(64)}`;

function build(more: (fn: ImageFunction) => void = () => undefined) {
  return constructed((scope) => {
    const fn = new ImageFunction(scope, "fn", {
      name: "fn",
      description: "Answers",
      roleName: "fn-role",
      imageUri: URI,
      environment: {},
      statements: [],
      memoryMib: 256,
      timeoutSeconds: 30,
      reservedConcurrency: 2,
      logRetentionDays: 7,
    });
    more(fn);
  });
}

describe("ImageFunction", () => {
  test("takes its program from an image, and has the rest as every function here", () => {
    expect(build().resource("aws_lambda_function")).toMatchObject({
      package_type: "Image",
      image_uri: URI,
      architectures: ["arm64"],
      tracing_config: { mode: "Active" },
      logging_config: { log_format: "JSON" },
      depends_on: [expect.stringMatching(/^aws_iam_role_policy\./)],
    });
  });

  test("has no URL, and nobody may call it, unless it is asked for", () => {
    expect(build().resources("aws_lambda_function_url")).toEqual([]);
    expect(build().resources("aws_lambda_permission")).toEqual([]);
  });

  test("another account gets both permissions that a URL asks", () => {
    const found = build((fn) => {
      fn.createUrl();
      fn.allowUrlCalls("from-111122223333", "111122223333");
    }).resources("aws_lambda_permission");
    expect(found.map(({ body }) => [body.statement_id, body.action, body.principal])).toEqual([
      ["from-111122223333-invoke", "lambda:InvokeFunction", "111122223333"],
      ["from-111122223333-url", "lambda:InvokeFunctionUrl", "111122223333"],
    ]);
  });
});
