import { AutoscalingGroup } from "@cdktf/provider-aws/lib/autoscaling-group";
import { FixedGroup } from "../../constructs/fixed-group";
import { constructed } from "../support/constructed";
import { instanceTemplate } from "../support/fixtures";

function group(count: number) {
  return constructed((scope) => {
    new FixedGroup(scope, "group", {
      name: "controllers",
      count,
      template: instanceTemplate(scope),
      subnetIds: ["subnet-a", "subnet-c"],
      targetGroupArns: ["arn:target"],
    });
  });
}

describe("FixedGroup", () => {
  test("keeps that many instances over its subnets, in its target groups", () => {
    expect(group(2).text).toHaveResourceWithProperties(AutoscalingGroup, {
      name: "controllers",
      min_size: 2,
      max_size: 2,
      vpc_zone_identifier: ["subnet-a", "subnet-c"],
      target_group_arns: ["arn:target"],
    });
  });

  test("EC2 decides on health, so that a dependency's outage replaces nobody", () => {
    expect(group(2).resource("aws_autoscaling_group").health_check_type).toBe("EC2");
  });

  test("follows the template's latest version and refreshes one instance at a time", () => {
    const synthesis = group(2);
    const body = synthesis.resource("aws_autoscaling_group");
    expect(body.launch_template).toEqual({
      id: synthesis.reference("aws_launch_template", undefined, "id"),
      version: synthesis.reference("aws_launch_template", undefined, "latest_version"),
    });
    expect(body.instance_refresh).toEqual({
      strategy: "Rolling",
      preferences: { min_healthy_percentage: 50, instance_warmup: "180" },
    });
  });

  test("a single instance may be replaced at all", () => {
    expect(group(1).resource("aws_autoscaling_group").instance_refresh).toMatchObject({
      preferences: { min_healthy_percentage: 0 },
    });
  });

  test("has no scaling policy, and a deploy does not wait for boots", () => {
    const synthesis = group(2);
    expect(synthesis.resources("aws_autoscaling_policy")).toEqual([]);
    expect(synthesis.resource("aws_autoscaling_group").wait_for_capacity_timeout).toBe("0");
    expect(synthesis.resource("aws_autoscaling_group")).not.toHaveProperty("desired_capacity");
  });
});
