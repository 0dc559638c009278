/** What the nodes and the platform's pods may do in AWS. The services themselves call nothing of it. */
import { pullImages } from "../../constructs/instance-permissions";
import type { Statement } from "../../constructs/role";

/** Account of the registry that EKS's add-ons and images come from, in most regions. */
const EKS_REGISTRY_ACCOUNT = "602401143452";

const DESCRIBE = "EC2's Describe actions have no resource-level permissions.";

/** A cluster and where it is. */
export interface ClusterScope {
  readonly region: string;
  readonly accountId: string;
  /** Name of the cluster. */
  readonly clusterName: string;
}

/**
 * A node: joins its cluster, hands its pods their identities, pulls images.
 *
 * @param scope the cluster
 * @param repositoryArns repositories of the services' images
 */
export function nodeStatements(scope: ClusterScope, repositoryArns: readonly string[]): readonly Statement[] {
  const { region, accountId, clusterName } = scope;
  const cluster = `arn:aws:eks:${region}:${accountId}:cluster/${clusterName}`;
  return [
    {
      sid: "FindItself",
      actions: ["ec2:DescribeInstances", "ec2:DescribeInstanceTypes"],
      resources: ["*"],
      wildcardReason: DESCRIBE,
    },
    {
      sid: "JoinCluster",
      actions: ["eks:DescribeCluster", "eks-auth:AssumeRoleForPodIdentity"],
      resources: [cluster],
    },
    ...pullImages(repositoryArns),
    {
      sid: "PullAddons",
      actions: ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
      resources: [`arn:aws:ecr:${region}:${EKS_REGISTRY_ACCOUNT}:repository/*`],
      wildcardReason: "EKS's own registry: which repositories an add-on pulls from is EKS's to say.",
    },
  ];
}

/** The VPC CNI: gives pods addresses of the VPC on interfaces of their node. */
export function vpcCniStatements({ region, accountId }: ClusterScope): readonly Statement[] {
  const interfaces = `arn:aws:ec2:${region}:${accountId}:network-interface/*`;
  return [
    {
      sid: "FindInterfaces",
      actions: [
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DescribeTags",
      ],
      resources: ["*"],
      wildcardReason: DESCRIBE,
    },
    {
      sid: "ChangeInterfaces",
      actions: [
        "ec2:AssignPrivateIpAddresses",
        "ec2:AttachNetworkInterface",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DetachNetworkInterface",
        "ec2:ModifyNetworkInterfaceAttribute",
        "ec2:UnassignPrivateIpAddresses",
      ],
      resources: ["*"],
      wildcardReason:
        "Interfaces are made in any of the cluster's subnets, before they have a tag that could name them.",
    },
    {
      sid: "TagInterfaces",
      actions: ["ec2:CreateTags"],
      resources: [interfaces],
      wildcardReason: "The plugin tags an interface when it makes it.",
    },
  ];
}

/** The EFS driver's controller. Volumes are made by Terraform: it looks at them. */
export function efsCsiStatements(fileSystemArn: string): readonly Statement[] {
  return [
    {
      sid: "LookAtFiles",
      actions: [
        "elasticfilesystem:DescribeAccessPoints",
        "elasticfilesystem:DescribeFileSystems",
        "elasticfilesystem:DescribeMountTargets",
      ],
      resources: [fileSystemArn],
    },
    {
      sid: "FindZones",
      actions: ["ec2:DescribeAvailabilityZones"],
      resources: ["*"],
      wildcardReason: DESCRIBE,
    },
  ];
}

/**
 * The EBS driver's controller: makes the disks of Prometheus and of the pipeline's database, and touches no disk that it did not make.
 */
export function ebsCsiStatements({ region, accountId }: ClusterScope): readonly Statement[] {
  const ec2 = `arn:aws:ec2:${region}:${accountId}`;
  const tag = "ebs.csi.aws.com/cluster";
  return [
    {
      sid: "FindDisks",
      actions: [
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeInstances",
        "ec2:DescribeTags",
        "ec2:DescribeVolumes",
        "ec2:DescribeVolumesModifications",
      ],
      resources: ["*"],
      wildcardReason: DESCRIBE,
    },
    {
      sid: "MakeDisks",
      actions: ["ec2:CreateVolume"],
      resources: [`${ec2}:volume/*`],
      conditions: [{ test: "StringEquals", variable: `aws:RequestTag/${tag}`, values: ["true"] }],
      wildcardReason: "A disk has no name before it is there; it must be made with the driver's tag.",
    },
    {
      sid: "TagDisks",
      actions: ["ec2:CreateTags"],
      resources: [`${ec2}:volume/*`],
      conditions: [{ test: "StringEquals", variable: "ec2:CreateAction", values: ["CreateVolume"] }],
      wildcardReason: "Tags are set when a disk is made, and never later.",
    },
    {
      sid: "UseDisks",
      actions: ["ec2:AttachVolume", "ec2:DeleteVolume", "ec2:DetachVolume", "ec2:ModifyVolume"],
      resources: [`${ec2}:volume/*`],
      conditions: [{ test: "StringEquals", variable: `aws:ResourceTag/${tag}`, values: ["true"] }],
      wildcardReason: "Only disks with the driver's tag: it made them.",
    },
    {
      sid: "AttachToNodes",
      actions: ["ec2:AttachVolume", "ec2:DetachVolume"],
      resources: [`${ec2}:instance/*`],
      conditions: [{ test: "Null", variable: "aws:ResourceTag/eks:cluster-name", values: ["false"] }],
      wildcardReason: "Nodes come and go: only instances of an EKS cluster, which EKS tags.",
    },
  ];
}

/** The autoscaler: sees all groups, since AWS can narrow no Describe, and changes the sizes of this cluster's. */
export function autoscalerStatements(scope: ClusterScope, groupNames: readonly string[]): readonly Statement[] {
  const { region, accountId, clusterName } = scope;
  return [
    {
      sid: "LookAtGroups",
      actions: [
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:DescribeLaunchConfigurations",
        "autoscaling:DescribeScalingActivities",
        "ec2:DescribeImages",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:GetInstanceTypesFromInstanceRequirements",
      ],
      resources: ["*"],
      wildcardReason: "Neither Auto Scaling's nor EC2's Describe actions have resource-level permissions.",
    },
    {
      sid: "LookAtNodeGroups",
      actions: ["eks:DescribeNodegroup"],
      resources: groupNames.map((name) => `arn:aws:eks:${region}:${accountId}:nodegroup/${clusterName}/${name}/*`),
    },
    {
      sid: "ChangeSizes",
      actions: ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"],
      // EKS names the groups behind a managed one: eks-<group>-<uuid>.
      resources: groupNames.map(
        (name) => `arn:aws:autoscaling:${region}:${accountId}:autoScalingGroup:*:autoScalingGroupName/eks-${name}-*`,
      ),
      conditions: [
        {
          test: "StringEquals",
          variable: `aws:ResourceTag/k8s.io/cluster-autoscaler/${clusterName}`,
          values: ["owned"],
        },
      ],
    },
  ];
}

/** The pods of the pipeline's runs: what a run leaves in S3. */
export function artifactStatements(bucketArn: string): readonly Statement[] {
  return [
    { sid: "ListArtifacts", actions: ["s3:GetBucketLocation", "s3:ListBucket"], resources: [bucketArn] },
    {
      sid: "KeepArtifacts",
      actions: ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
      resources: [`${bucketArn}/*`],
    },
  ];
}
