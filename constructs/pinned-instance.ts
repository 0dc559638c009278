/** One instance with a fixed address and a volume of its own, recovered when its host fails. */
import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { DataAwsSsmParameter } from "@cdktf/provider-aws/lib/data-aws-ssm-parameter";
import { EbsVolume } from "@cdktf/provider-aws/lib/ebs-volume";
import { Instance } from "@cdktf/provider-aws/lib/instance";
import { VolumeAttachment } from "@cdktf/provider-aws/lib/volume-attachment";
import { Construct } from "constructs";
import { exception } from "./exception";
import { assertOffered } from "./instance-template";

export interface PinnedInstanceProps {
  /** Physical name: the `Name` tag of the instance and, with a suffix, of its volume. */
  readonly name: string;
  /** SSM parameter whose value is the AMI at creation. Ignored with `amiId`. */
  readonly amiParameter: string;
  /** AMI instead of the parameter's. @default - the parameter's at creation */
  readonly amiId?: string;
  /** EC2 instance type. */
  readonly instanceType: string;
  /** AWS region. */
  readonly region: string;
  /** Zone of the subnet and the volume. */
  readonly zone: string;
  /** Subnet. */
  readonly subnetId: string;
  /** Address in the subnet. */
  readonly privateIp: string;
  /** Security groups. */
  readonly securityGroupIds: readonly string[];
  /** Name of the instance profile. */
  readonly instanceProfile: string;
  /** User data, base64-encoded, given the data volume's id. A change replaces the instance; the volume stays. */
  readonly userData: (volumeId: string) => string;
  /** Size of the encrypted gp3 root volume, in GiB. */
  readonly rootVolumeGib: number;
  /** Size of the encrypted gp3 data volume, in GiB. */
  readonly dataVolumeGib: number;
  /** ARNs told when the instance's host fails. */
  readonly alarmActions: readonly string[];
  /** Tags of the volumes, which an instance's default tags do not reach. */
  readonly volumeTags: Readonly<Record<string, string>>;
  /** Protects the data volume from destruction. @default true */
  readonly protect?: boolean;
}

/** A stateful instance: its address and its data volume outlive it. */
export class PinnedInstance extends Construct {
  /** Id of the instance. */
  readonly id: string;
  /** Its private address. */
  readonly privateIp: string;

  constructor(scope: Construct, id: string, props: PinnedInstanceProps) {
    super(scope, id);
    assertOffered(this, props.instanceType, [props.zone]);
    const volume = new EbsVolume(this, "data", {
      availabilityZone: props.zone,
      size: props.dataVolumeGib,
      type: "gp3",
      encrypted: true,
      tags: { Name: `${props.name}-data` },
      lifecycle: { preventDestroy: props.protect ?? true },
    });
    exception(volume, "CKV_AWS_189", "EBS encrypts the volume; a key of our own would be one more thing to lose.");
    const instance = new Instance(this, "Resource", {
      ami: props.amiId ?? new DataAwsSsmParameter(this, "ami", { name: props.amiParameter }).insecureValue,
      instanceType: props.instanceType,
      subnetId: props.subnetId,
      privateIp: props.privateIp,
      vpcSecurityGroupIds: [...props.securityGroupIds],
      iamInstanceProfile: props.instanceProfile,
      userDataBase64: props.userData(volume.id),
      userDataReplaceOnChange: true,
      monitoring: true,
      ebsOptimized: true,
      metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
      rootBlockDevice: {
        volumeSize: props.rootVolumeGib,
        volumeType: "gp3",
        encrypted: true,
        tags: { ...props.volumeTags, Name: `${props.name}-root` },
      },
      tags: { Name: props.name },
      // A new image is no reason to replace the node; the operator does it with `-replace`.
      lifecycle: { ignoreChanges: ["ami"] },
    });
    new VolumeAttachment(this, "data-attachment", {
      deviceName: "/dev/sdf",
      instanceId: instance.id,
      volumeId: volume.id,
      stopInstanceBeforeDetaching: true,
    });
    new CloudwatchMetricAlarm(this, "recovery-alarm", {
      alarmName: `${props.name}-host-failed`,
      alarmDescription: "The instance's host failed: EC2 moves it to another one with the same address and volumes",
      namespace: "AWS/EC2",
      metricName: "StatusCheckFailed_System",
      dimensions: { InstanceId: instance.id },
      statistic: "Maximum",
      period: 60,
      evaluationPeriods: 2,
      comparisonOperator: "GreaterThanThreshold",
      threshold: 0,
      treatMissingData: "notBreaching",
      alarmActions: [`arn:aws:automate:${props.region}:ec2:recover`, ...props.alarmActions],
    });
    this.id = instance.id;
    this.privateIp = instance.privateIp;
  }
}
