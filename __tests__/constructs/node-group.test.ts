import { NodeGroup, type NodeGroupProps } from "../../constructs/node-group";
import { constructed } from "../support/constructed";

function nodes(props: Partial<NodeGroupProps> = {}) {
  return constructed((scope) => {
    new NodeGroup(scope, "nodes", {
      name: "gpu",
      clusterName: "songs",
      version: "1.35",
      roleArn: "arn:aws:iam::111122223333:role/node",
      subnetIds: ["s-1"],
      zones: ["ap-northeast-2a"],
      image: "AL2023_x86_64_NVIDIA",
      instanceType: "g4dn.xlarge",
      min: 0,
      desired: 0,
      max: 2,
      volumeGib: 100,
      labels: { pool: "gpu" },
      taints: [{ key: "nvidia.com/gpu", value: "present", effect: "NO_SCHEDULE" }],
      ...props,
    });
  });
}

describe("NodeGroup", () => {
  const synthesis = nodes();

  test("carries its labels and taints, and may be empty", () => {
    expect(synthesis.resource("aws_eks_node_group")).toMatchObject({
      ami_type: "AL2023_x86_64_NVIDIA",
      instance_types: ["g4dn.xlarge"],
      scaling_config: { min_size: 0, desired_size: 0, max_size: 2 },
      labels: { pool: "gpu" },
      taint: [{ key: "nvidia.com/gpu", value: "present", effect: "NO_SCHEDULE" }],
    });
  });

  test("leaves the number of nodes to the autoscaler", () => {
    expect(synthesis.resource("aws_eks_node_group").lifecycle).toEqual({
      ignore_changes: ["scaling_config[0].desired_size"],
    });
  });

  test("keeps the node's own credentials from its pods, and its disk encrypted", () => {
    const template = synthesis.resource("aws_launch_template");
    expect(template.metadata_options).toMatchObject({ http_tokens: "required", http_put_response_hop_limit: 1 });
    expect(template.block_device_mappings).toEqual([
      expect.objectContaining({ ebs: expect.objectContaining({ encrypted: "true", volume_size: 100 }) }),
    ]);
    // With an image of its own EKS would neither choose nor update the nodes' image.
    expect(template).not.toHaveProperty("image_id");
  });

  test("fails the plan where a zone does not offer the type", () => {
    const [asked] = synthesis.data("aws_ec2_instance_type_offerings");
    expect(JSON.stringify(asked?.body)).toContain("g4dn.xlarge is not offered in every one of ap-northeast-2a");
  });
});
