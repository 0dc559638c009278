/** A managed group of an EKS cluster's nodes. */
import { EksNodeGroup } from "@cdktf/provider-aws/lib/eks-node-group";
import { LaunchTemplate } from "@cdktf/provider-aws/lib/launch-template";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { assertOffered, CLOSED_METADATA, IMAGES, rootVolume } from "./instance-template";

/** EKS's own images of Amazon Linux 2023: the second has NVIDIA's driver and container toolkit. */
export type NodeImage = "AL2023_x86_64_STANDARD" | "AL2023_x86_64_NVIDIA";

/** A taint: pods without a toleration for it stay away. */
export interface Taint {
  readonly key: string;
  readonly value: string;
  readonly effect: "NO_SCHEDULE" | "NO_EXECUTE" | "PREFER_NO_SCHEDULE";
}

export interface NodeGroupProps {
  /** Physical name of the group, and its launch template's with the cluster's name before it. */
  readonly name: string;
  /** Name of the cluster. */
  readonly clusterName: string;
  /** Minor version of Kubernetes. */
  readonly version: string;
  /** ARN of the nodes' role. */
  readonly roleArn: string;
  /** Private subnets, and their zones, which must offer the type. */
  readonly subnetIds: readonly string[];
  readonly zones: readonly string[];
  readonly image: NodeImage;
  /** EC2 instance type. */
  readonly instanceType: string;
  readonly min: number;
  /** Nodes at creation; the autoscaler owns the number afterwards. */
  readonly desired: number;
  readonly max: number;
  /** Size of the encrypted gp3 root volume, in GiB. */
  readonly volumeGib: number;
  /** Labels of every node. */
  readonly labels: Readonly<Record<string, string>>;
  /** @default - none */
  readonly taints?: readonly Taint[];
  /** What nodes need at their start. @default - nothing */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/**
 * Nodes of one type. IMDSv2 only with a hop limit of 1, so that no pod has the node's role; an encrypted root volume; one node at a time is
 * replaced when a version changes. EKS chooses the image by its type, and repairs nodes that fail.
 */
export class NodeGroup extends Construct {
  /** Name of the group. */
  readonly name: string;
  /** The group, for what must come after it. */
  readonly group: ITerraformDependable;

  constructor(scope: Construct, id: string, props: NodeGroupProps) {
    super(scope, id);
    assertOffered(this, props.instanceType, props.zones);
    const template = new LaunchTemplate(this, "template", {
      name: `${props.clusterName}-${props.name}`,
      updateDefaultVersion: true,
      metadataOptions: CLOSED_METADATA,
      monitoring: { enabled: true },
      blockDeviceMappings: [rootVolume(IMAGES.amazonLinux2023.rootDevice, props.volumeGib)],
      tags: { Name: `${props.clusterName}-${props.name}` },
    });
    const group = new EksNodeGroup(this, "Resource", {
      clusterName: props.clusterName,
      nodeGroupName: props.name,
      version: props.version,
      nodeRoleArn: props.roleArn,
      subnetIds: [...props.subnetIds],
      amiType: props.image,
      capacityType: "ON_DEMAND",
      instanceTypes: [props.instanceType],
      launchTemplate: { id: template.id, version: template.getStringAttribute("latest_version") },
      scalingConfig: { minSize: props.min, desiredSize: props.desired, maxSize: props.max },
      updateConfig: { maxUnavailable: 1 },
      nodeRepairConfig: { enabled: true },
      labels: { ...props.labels },
      taint: (props.taints ?? []).map((taint) => ({ ...taint })),
      // The autoscaler owns the number: every apply would undo it.
      lifecycle: { ignoreChanges: ["scaling_config[0].desired_size"] },
      dependsOn: [...(props.dependsOn ?? [])],
    });
    this.name = group.nodeGroupName;
    this.group = group;
  }
}
