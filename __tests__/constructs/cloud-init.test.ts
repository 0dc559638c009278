import { ref, TerraformOutput, Token } from "cdktf";
import { CloudInit } from "../../constructs/cloud-init";
import { constructed } from "../support/constructed";
import { templateOf } from "../support/expression";
import { expr } from "../support/synth";

const TEMPLATE = "userdata/worker/cloud-init.yaml.tftpl";

function userData(variables: Record<string, string>) {
  const { outputs } = constructed((scope) => {
    new TerraformOutput(scope, "user-data", {
      value: new CloudInit(scope, "boot", { template: TEMPLATE, variables }).userData,
    });
  });
  return outputs["user-data"];
}

describe("CloudInit", () => {
  test("renders the template at apply time and compresses it", () => {
    expect(userData({ name: "x" })).toMatch(/^\$\{base64gzip\(templatefile\(.*\)\)\}$/);
  });

  test("the template is an asset of the stack, not a path of this machine", async () => {
    const { path } = await templateOf(userData({ name: "x" }));
    expect(path).toMatch(/^assets\/.*\/cloud-init\.yaml\.tftpl$/);
  });

  test("variables arrive as they are: plain strings, references, and text that only looks like a reference", async () => {
    const url = Token.asString(ref("aws_sqs_queue.queue.url"));
    const { variables } = await templateOf(
      userData({ region: "ap-northeast-2", empty: "", queue: url, text: expr("HOME") }),
    );
    expect(variables).toEqual({
      region: "ap-northeast-2",
      empty: "",
      queue: expr("aws_sqs_queue.queue.url"),
      // Terraform's way to write the characters themselves.
      text: `$${expr("HOME")}`,
    });
  });

  test("a template that does not exist stops synth with its path", () => {
    expect(() =>
      constructed((scope) => {
        new CloudInit(scope, "boot", { template: "userdata/nobody/cloud-init.yaml.tftpl", variables: {} });
      }),
    ).toThrow("userdata/nobody/cloud-init.yaml.tftpl");
  });
});
