import { AutoscalingGroup } from "@cdktf/provider-aws/lib/autoscaling-group";
import { EcsCapacityProvider } from "@cdktf/provider-aws/lib/ecs-capacity-provider";
import { GpuCapacity, type GpuCapacityProps } from "../../constructs/gpu-capacity";
import { IMAGES, InstanceTemplate } from "../../constructs/instance-template";
import { constructed } from "../support/constructed";
import type { Block, Json, Synthesis } from "../support/synth";

const ZONES = ["ap-northeast-2a", "ap-northeast-2c"];

function capacity(props: Partial<GpuCapacityProps> = {}) {
  return constructed((scope) => {
    const template = new InstanceTemplate(scope, "template", {
      name: "gpu",
      image: IMAGES.ecsGpu,
      instanceType: "g4dn.xlarge",
      zones: ZONES,
      instanceProfile: "profile",
      securityGroupIds: ["sg-1"],
      userData: "",
      rootVolumeGib: 100,
    });
    new GpuCapacity(scope, "capacity", { name: "gpus", template, subnetIds: ["s-1"], min: 1, max: 3, ...props });
  });
}

/** The instance types that the zones are asked for. */
function askedFor(synthesis: Synthesis): Json[] {
  const asked = synthesis.data("aws_ec2_instance_type_offerings").map(({ body }) => body.filter as readonly Block[]);
  return asked.flatMap(([type]) => type?.values as readonly Json[]).sort();
}

describe("GpuCapacity", () => {
  const plain = capacity();

  test("ECS owns the number of instances: no apply changes it, and none with a task is taken away", () => {
    expect(plain.text).toHaveResourceWithProperties(EcsCapacityProvider, {
      name: "gpus",
      auto_scaling_group_provider: {
        auto_scaling_group_arn: plain.reference("aws_autoscaling_group", undefined, "arn"),
        managed_termination_protection: "ENABLED",
        managed_draining: "ENABLED",
        managed_scaling: expect.objectContaining({ status: "ENABLED", target_capacity: 100 }),
      },
    });
    expect(plain.text).toHaveResourceWithProperties(AutoscalingGroup, {
      name: "gpus",
      min_size: 1,
      max_size: 3,
      protect_from_scale_in: true,
      tag: [{ key: "AmazonECSManaged", value: "true", propagate_at_launch: true }],
      lifecycle: { ignore_changes: ["desired_capacity"] },
    });
    expect(plain.resource("aws_autoscaling_group")).not.toHaveProperty("desired_capacity");
  });

  test("protected instances do not hold a destroy up", () => {
    expect(plain.resource("aws_autoscaling_group").force_delete).toBe(true);
  });

  test("a new template waits for instances whose tasks ECS still has to move", () => {
    expect(plain.resource("aws_autoscaling_group").instance_refresh).toMatchObject({
      preferences: { scale_in_protected_instances: "Wait" },
    });
  });

  test("on demand, it launches the template's type and nothing else", () => {
    const group = plain.resource("aws_autoscaling_group");
    expect(group).toHaveProperty("launch_template");
    expect(group).not.toHaveProperty("mixed_instances_policy");
    expect(askedFor(plain)).toEqual(["g4dn.xlarge"]);
  });

  test("spot instances are of the given types, which the zones must offer, and none is on demand", () => {
    const spot = capacity({ spot: { instanceTypes: ["g4dn.xlarge", "g5.xlarge"], zones: ZONES } });
    expect(spot.resource("aws_autoscaling_group")).toMatchObject({
      capacity_rebalance: true,
      mixed_instances_policy: {
        instances_distribution: {
          on_demand_base_capacity: 0,
          on_demand_percentage_above_base_capacity: 0,
          spot_allocation_strategy: "price-capacity-optimized",
        },
        launch_template: { override: [{ instance_type: "g4dn.xlarge" }, { instance_type: "g5.xlarge" }] },
      },
    });
    expect(askedFor(spot)).toEqual(["g4dn.xlarge", "g4dn.xlarge", "g5.xlarge"]);
  });
});
