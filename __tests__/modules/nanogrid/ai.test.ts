import { templateOf } from "../../support/expression";
import { expr, output, stackOf, synthesized } from "../../support/synth";

const stack = stackOf("dev", "nanogrid-ai");
const options = stackOf("options", "nanogrid-ai");

describe("nanogrid-ai", () => {
  test("is a t3.large at 10.0.20.100 in Private Data 1", () => {
    expect(stack.resource("aws_instance")).toMatchObject({
      instance_type: "t3.large",
      private_ip: "10.0.20.100",
      subnet_id: output("nanogrid-network", "ai_subnet_id"),
      vpc_security_group_ids: [output("nanogrid-network", "ai_security_group_id")],
      metadata_options: { http_tokens: "required", http_put_response_hop_limit: 1 },
    });
    expect(stack.outputs.ai_endpoint).toBe("http://10.0.20.100:11434");
  });

  test("models are on their own encrypted volume in the same zone", () => {
    expect(stack.resource("aws_ebs_volume")).toMatchObject({
      availability_zone: "ap-northeast-2a",
      size: 50,
      type: "gp3",
      encrypted: true,
    });
    expect(stack.resources("aws_volume_attachment")).toHaveLength(1);
  });

  test("EC2 recovers it, and the topic is told", () => {
    expect(stack.resource("aws_cloudwatch_metric_alarm").alarm_actions).toEqual([
      "arn:aws:automate:ap-northeast-2:ec2:recover",
      output("nanogrid-data", "alarm_topic_arn"),
    ]);
  });

  test("boots with a pinned Ollama on its private address and the models of the settings", async () => {
    const { variables } = await templateOf(stack.resource("aws_instance").user_data_base64);
    expect(variables).toMatchObject({
      private_ip: "10.0.20.100",
      port: "11434",
      models: "llama3.2:3b",
      volume_id: expr("aws_ebs_volume.node_data.id"),
      ollama_version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      ollama_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const more = await templateOf(options.resource("aws_instance").user_data_base64);
    expect(more.variables.models).toBe("llama3.2:3b,qwen3:8b");
  });

  test("a GPU type brings the image with NVIDIA's drivers", () => {
    const image = (from: typeof stack) => from.data("aws_ssm_parameter").map(({ body }) => String(body.name));
    expect(image(stack)).toEqual([expect.stringContaining("al2023")]);
    expect(image(options)).toEqual([expect.stringContaining("nvidia")]);
    expect(options.resource("aws_instance").instance_type).toBe("g5.xlarge");
  });

  test("switched off, there is no node and nothing that watches one", () => {
    expect(Object.keys(synthesized("smallest").stacks)).not.toContain("nanogrid-ai");
    expect(stackOf("smallest", "nanogrid-observability").text).not.toContain("ai-node");
  });
});
