/** A launch template for instances that run one program. */
import { DataAwsEc2InstanceTypeOfferings } from "@cdktf/provider-aws/lib/data-aws-ec2-instance-type-offerings";
import { LaunchTemplate } from "@cdktf/provider-aws/lib/launch-template";
import { Construct } from "constructs";

/** Public SSM parameters whose value is the current AMI, and the name of its root device. */
export const IMAGES = {
  /** Amazon Linux 2023, from Amazon's parameter. */
  amazonLinux2023: {
    parameter: "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    rootDevice: "/dev/xvda",
  },
  /** Ubuntu 24.04 LTS, from Canonical's parameter. */
  ubuntuLts: {
    parameter: "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
    rootDevice: "/dev/sda1",
  },
  /** Amazon Linux 2023 with the ECS agent and NVIDIA's driver, from Amazon's parameter. */
  ecsGpu: {
    parameter: "/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id",
    rootDevice: "/dev/xvda",
  },
} as const;

export interface InstanceTemplateProps {
  /** Physical name, which is also the instances' `Name` tag. */
  readonly name: string;
  /** The image that instances start from. */
  readonly image: (typeof IMAGES)[keyof typeof IMAGES];
  /** AMI instead of the image's current one. It must have the image's root device. @default - the current one at launch */
  readonly amiId?: string;
  /** EC2 instance type. */
  readonly instanceType: string;
  /** Zones that must offer the type: a plan fails where one does not. */
  readonly zones: readonly string[];
  /** Name of the instance profile. */
  readonly instanceProfile: string;
  /** Security groups. */
  readonly securityGroupIds: readonly string[];
  /** User data, base64-encoded. */
  readonly userData: string;
  /** Size of the encrypted gp3 root volume, in GiB. */
  readonly rootVolumeGib: number;
}

/**
 * IMDSv2 only with a hop limit of 1 (so that a container cannot reach it), an encrypted root volume, detailed monitoring.
 *
 * EC2 resolves the image's SSM parameter at launch, so that a new image makes no difference in any plan; instances get it when they are
 * next replaced.
 */
export class InstanceTemplate extends Construct {
  /** Id of the launch template. */
  readonly id: string;
  /** Its latest version. */
  readonly latestVersion: string;

  constructor(scope: Construct, id: string, props: InstanceTemplateProps) {
    super(scope, id);
    assertOffered(this, props.instanceType, props.zones);
    const template = new LaunchTemplate(this, "Resource", {
      name: props.name,
      imageId: props.amiId ?? `resolve:ssm:${props.image.parameter}`,
      instanceType: props.instanceType,
      iamInstanceProfile: { name: props.instanceProfile },
      vpcSecurityGroupIds: [...props.securityGroupIds],
      userData: props.userData,
      updateDefaultVersion: true,
      metadataOptions: CLOSED_METADATA,
      monitoring: { enabled: true },
      blockDeviceMappings: [rootVolume(props.image.rootDevice, props.rootVolumeGib)],
      tags: { Name: props.name },
    });
    this.id = template.id;
    this.latestVersion = template.getStringAttribute("latest_version");
  }
}

/** Metadata of version 2 alone, for the instance alone: no container reaches it. */
export const CLOSED_METADATA = { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 };

/** An encrypted gp3 root volume that ends with its instance. */
export function rootVolume(deviceName: string, volumeSize: number) {
  return { deviceName, ebs: { volumeSize, volumeType: "gp3", encrypted: "true", deleteOnTermination: "true" } };
}

/** Fails the plan, with a remedy, when a zone does not offer an instance type. */
export function assertOffered(scope: Construct, instanceType: string, zones: readonly string[], id = "offered"): void {
  const offered = [...new Set(zones)].sort();
  new DataAwsEc2InstanceTypeOfferings(scope, id, {
    locationType: "availability-zone",
    filter: [
      { name: "instance-type", values: [instanceType] },
      { name: "location", values: offered },
    ],
    lifecycle: {
      postcondition: [
        {
          condition: `\${length(setsubtract(${JSON.stringify(offered)}, self.locations)) == 0}`,
          errorMessage: `${instanceType} is not offered in every one of ${offered.join(", ")}. Choose another instanceType or other zones in cdktf.json.`,
        },
      ],
    },
  });
}
