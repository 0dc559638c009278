import { Instance } from "@cdktf/provider-aws/lib/instance";
import { PinnedInstance, type PinnedInstanceProps } from "../../constructs/pinned-instance";
import { constructed } from "../support/constructed";

function pinned(props: Partial<PinnedInstanceProps> = {}) {
  return constructed((scope) => {
    new PinnedInstance(scope, "node", {
      name: "models",
      amiParameter: "/aws/service/some-image",
      instanceType: "t3.large",
      region: "ap-northeast-2",
      zone: "ap-northeast-2a",
      subnetId: "subnet-1",
      privateIp: "10.0.20.100",
      securityGroupIds: ["sg-1"],
      instanceProfile: "profile",
      userData: (volumeId) => `data for ${volumeId}`,
      rootVolumeGib: 75,
      dataVolumeGib: 50,
      alarmActions: ["arn:topic"],
      volumeTags: { stack: "ai" },
      ...props,
    });
  });
}

describe("PinnedInstance", () => {
  const synthesis = pinned();
  const volume = synthesis.one("aws_ebs_volume").address;

  test("has its address, and requires IMDSv2 with a hop limit of 1", () => {
    expect(synthesis.text).toHaveResourceWithProperties(Instance, {
      private_ip: "10.0.20.100",
      subnet_id: "subnet-1",
      instance_type: "t3.large",
      vpc_security_group_ids: ["sg-1"],
      iam_instance_profile: "profile",
      metadata_options: { http_endpoint: "enabled", http_tokens: "required", http_put_response_hop_limit: 1 },
      monitoring: true,
      tags: { Name: "models" },
    });
    expect(synthesis.resource("aws_instance")).not.toHaveProperty("key_name");
    expect(synthesis.resource("aws_instance")).not.toHaveProperty("associate_public_ip_address");
  });

  test("its data is on an encrypted volume of its own that outlives it", () => {
    expect(synthesis.resource("aws_ebs_volume")).toMatchObject({
      availability_zone: "ap-northeast-2a",
      size: 50,
      type: "gp3",
      encrypted: true,
      lifecycle: { prevent_destroy: true },
    });
    expect(synthesis.resource("aws_volume_attachment")).toMatchObject({
      volume_id: `\${${volume}.id}`,
      instance_id: synthesis.reference("aws_instance", undefined, "id"),
      stop_instance_before_detaching: true,
    });
    expect(synthesis.resource("aws_instance").user_data_base64).toBe(`data for \${${volume}.id}`);
    expect(synthesis.resource("aws_instance").user_data_replace_on_change).toBe(true);
  });

  test("the volume is destroyable where nothing is protected", () => {
    expect(pinned({ protect: false }).resource("aws_ebs_volume").lifecycle).toEqual({ prevent_destroy: false });
  });

  test("the root volume is encrypted and tagged, which default tags do not do", () => {
    expect(synthesis.resource("aws_instance").root_block_device).toEqual({
      volume_size: 75,
      volume_type: "gp3",
      encrypted: true,
      tags: { stack: "ai", Name: "models-root" },
    });
  });

  test("a new image never replaces it", () => {
    const body = synthesis.resource("aws_instance");
    expect(body.lifecycle).toEqual({ ignore_changes: ["ami"] });
    expect(synthesis.data("aws_ssm_parameter").map(({ body: { name } }) => name)).toEqual(["/aws/service/some-image"]);
    expect(body.ami).toBe(`\${data.${synthesis.data("aws_ssm_parameter")[0]?.address}.insecure_value}`);
  });

  test("with an AMI of one's own no parameter is read", () => {
    const own = pinned({ amiId: "ami-0123456789abcdef0" });
    expect(own.resource("aws_instance").ami).toBe("ami-0123456789abcdef0");
    expect(own.data("aws_ssm_parameter")).toEqual([]);
  });

  test("EC2 recovers it when its host fails, and somebody is told", () => {
    expect(synthesis.resource("aws_cloudwatch_metric_alarm")).toMatchObject({
      metric_name: "StatusCheckFailed_System",
      dimensions: { InstanceId: synthesis.reference("aws_instance", undefined, "id") },
      threshold: 0,
      comparison_operator: "GreaterThanThreshold",
      alarm_actions: ["arn:aws:automate:ap-northeast-2:ec2:recover", "arn:topic"],
    });
  });

  test("its zone must offer the type", () => {
    expect(synthesis.data("aws_ec2_instance_type_offerings")).toHaveLength(1);
  });
});
