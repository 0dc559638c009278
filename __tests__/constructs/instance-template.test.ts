import { DataAwsEc2InstanceTypeOfferings } from "@cdktf/provider-aws/lib/data-aws-ec2-instance-type-offerings";
import { LaunchTemplate } from "@cdktf/provider-aws/lib/launch-template";
import { IMAGES } from "../../constructs/instance-template";
import { constructed } from "../support/constructed";
import { instanceTemplate } from "../support/fixtures";
import { expr } from "../support/synth";

const synthesis = constructed((scope) => {
  instanceTemplate(scope);
});

describe("InstanceTemplate", () => {
  test("requires IMDSv2 with a hop limit of 1, so that no container reaches it", () => {
    expect(synthesis.text).toHaveResourceWithProperties(LaunchTemplate, {
      metadata_options: { http_endpoint: "enabled", http_tokens: "required", http_put_response_hop_limit: 1 },
    });
  });

  test("the root volume is encrypted gp3 of a stated size and goes with its instance", () => {
    expect(synthesis.resource("aws_launch_template").block_device_mappings).toEqual([
      {
        device_name: "/dev/xvda",
        ebs: { volume_size: 21, volume_type: "gp3", encrypted: "true", delete_on_termination: "true" },
      },
    ]);
  });

  test("Ubuntu's root device is its own", () => {
    const ubuntu = constructed((scope) => {
      instanceTemplate(scope, { image: IMAGES.ubuntuLts });
    });
    expect(ubuntu.resource("aws_launch_template")).toMatchObject({
      image_id: "resolve:ssm:/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
      block_device_mappings: [{ device_name: "/dev/sda1" }],
    });
  });

  test("EC2 resolves the image at launch: no AMI id is looked up in a plan", () => {
    expect(synthesis.resource("aws_launch_template").image_id).toBe(
      "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    );
    expect(synthesis.data("aws_ssm_parameter")).toEqual([]);
    expect(synthesis.data("aws_ami")).toEqual([]);
  });

  test("an AMI of one's own takes the image's place", () => {
    const own = constructed((scope) => {
      instanceTemplate(scope, { amiId: "ami-0123456789abcdef0" });
    });
    expect(own.resource("aws_launch_template").image_id).toBe("ami-0123456789abcdef0");
  });

  test("has detailed monitoring, its profile, its groups and its user data, and no key pair", () => {
    expect(synthesis.resource("aws_launch_template")).toMatchObject({
      name: "box",
      instance_type: "t3.small",
      monitoring: { enabled: true },
      iam_instance_profile: { name: "profile" },
      vpc_security_group_ids: ["sg-1"],
      user_data: "IyEvYmluL3No",
      update_default_version: true,
    });
    expect(synthesis.resource("aws_launch_template")).not.toHaveProperty("key_name");
    expect(synthesis.resource("aws_launch_template")).not.toHaveProperty("network_interfaces");
  });

  test("a plan fails with a remedy where a zone does not offer the type", () => {
    expect(synthesis.text).toHaveDataSourceWithProperties(DataAwsEc2InstanceTypeOfferings, {
      location_type: "availability-zone",
      filter: [
        { name: "instance-type", values: ["t3.small"] },
        { name: "location", values: ["ap-northeast-2a", "ap-northeast-2c"] },
      ],
      lifecycle: {
        postcondition: [
          {
            condition: expr('length(setsubtract(["ap-northeast-2a","ap-northeast-2c"], self.locations)) == 0'),
            error_message:
              "t3.small is not offered in every one of ap-northeast-2a, ap-northeast-2c. Choose another instanceType or other zones in cdktf.json.",
          },
        ],
      },
    });
  });
});
