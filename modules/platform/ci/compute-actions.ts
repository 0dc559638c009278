/** What Terraform calls for instances, their groups, templates, volumes and images. */
import { created, createdBy, TAGGED, TAGS, tagged } from "./ec2-scope";
import { type ActionTable, EVERYTHING, fixed, NAME, named, type Row, read, serviceLinkedRole, write } from "./scope";

const GROUPS = named("Groups", `autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/${NAME}*`);
const REPOSITORIES = named("Repositories", `ecr:{region}:{account}:repository/${NAME}*`);
const IMAGES = fixed(
  "Images",
  "machine images are Amazon's, chosen when an instance starts",
  "ec2:{region}::image/*",
  "ec2:{region}::snapshot/*",
);
const INTERFACES = fixed(
  "Interfaces",
  "Terraform sets no tags on the interface that an instance is born with",
  "ec2:{region}:{account}:network-interface/*",
);
const IMAGE_PARAMETERS = fixed(
  "ImageParameters",
  "AWS's public parameters, the same for every account",
  "ssm:{region}::parameter/aws/service/*",
);

/** EC2, Auto Scaling and EKS ask whoever names a template or an instance whether they may start it. */
export const START: readonly Row[] = [
  write(created("instance", "volume"), "ec2:RunInstances"),
  write(createdBy("ec2:RunInstances"), "ec2:CreateTags"),
  write(IMAGES, "ec2:RunInstances"),
  write(INTERFACES, "ec2:RunInstances"),
  write(TAGGED, "ec2:RunInstances"),
  read(IMAGE_PARAMETERS, "ssm:GetParameters"),
];

export const COMPUTE_ACTIONS: ActionTable = {
  aws_autoscaling_group: {
    name: "name",
    rows: [
      read(
        EVERYTHING,
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeInstanceRefreshes",
        "autoscaling:DescribeLifecycleHooks",
        "autoscaling:DescribeLoadBalancerTargetGroups",
        "autoscaling:DescribeScalingActivities",
        "autoscaling:DescribeTrafficSources",
        "autoscaling:DescribeWarmPool",
        "ec2:DescribeLaunchTemplates",
        "ec2:DescribeLaunchTemplateVersions",
        "elasticloadbalancing:DescribeTargetHealth",
      ),
      write(
        GROUPS,
        "autoscaling:AttachLoadBalancerTargetGroups",
        "autoscaling:AttachTrafficSources",
        "autoscaling:CancelInstanceRefresh",
        "autoscaling:CreateAutoScalingGroup",
        "autoscaling:CreateOrUpdateTags",
        "autoscaling:DeleteAutoScalingGroup",
        "autoscaling:DeleteTags",
        "autoscaling:DetachLoadBalancerTargetGroups",
        "autoscaling:DetachTrafficSources",
        "autoscaling:DisableMetricsCollection",
        "autoscaling:EnableMetricsCollection",
        "autoscaling:PutLifecycleHook",
        "autoscaling:ResumeProcesses",
        "autoscaling:SetInstanceProtection",
        "autoscaling:StartInstanceRefresh",
        "autoscaling:SuspendProcesses",
        "autoscaling:UpdateAutoScalingGroup",
      ),
      ...START,
      serviceLinkedRole("autoscaling.amazonaws.com"),
      serviceLinkedRole("spot.amazonaws.com"),
    ],
  },
  aws_autoscaling_lifecycle_hook: {
    rows: [
      read(EVERYTHING, "autoscaling:DescribeLifecycleHooks"),
      write(GROUPS, "autoscaling:DeleteLifecycleHook", "autoscaling:PutLifecycleHook"),
    ],
  },
  aws_autoscaling_policy: {
    rows: [
      read(EVERYTHING, "autoscaling:DescribePolicies"),
      write(GROUPS, "autoscaling:DeletePolicy", "autoscaling:PutScalingPolicy"),
    ],
  },
  aws_launch_template: tagged(
    "launch-template",
    "ec2:CreateLaunchTemplate",
    ["ec2:DescribeLaunchTemplates", "ec2:DescribeLaunchTemplateVersions"],
    ["ec2:CreateLaunchTemplateVersion", "ec2:DeleteLaunchTemplate", "ec2:ModifyLaunchTemplate"],
  ),
  aws_instance: {
    rows: [
      read(
        EVERYTHING,
        "ec2:DescribeIamInstanceProfileAssociations",
        "ec2:DescribeInstanceCreditSpecifications",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeInstances",
        "ec2:DescribeLaunchTemplates",
        "ec2:DescribeTags",
        "ec2:DescribeVolumes",
      ),
      read(TAGGED, "ec2:DescribeInstanceAttribute"),
      ...START,
      write(
        TAGGED,
        "ec2:ModifyInstanceAttribute",
        "ec2:ModifyInstanceCreditSpecification",
        "ec2:ModifyInstanceMaintenanceOptions",
        "ec2:ModifyInstanceMetadataOptions",
        "ec2:ModifyVolume",
        "ec2:MonitorInstances",
        "ec2:StartInstances",
        "ec2:StopInstances",
        "ec2:TerminateInstances",
        "ec2:UnmonitorInstances",
      ),
      TAGS,
    ],
  },
  aws_ebs_volume: tagged(
    "volume",
    "ec2:CreateVolume",
    ["ec2:DescribeVolumes", "ec2:DescribeVolumesModifications"],
    ["ec2:DeleteVolume", "ec2:ModifyVolume"],
  ),
  aws_volume_attachment: {
    rows: [
      read(EVERYTHING, "ec2:DescribeInstances", "ec2:DescribeVolumes"),
      write(TAGGED, "ec2:AttachVolume", "ec2:DetachVolume", "ec2:StopInstances"),
    ],
  },
  aws_ecr_repository: {
    name: "name",
    rows: [
      read(REPOSITORIES, "ecr:DescribeRepositories", "ecr:ListTagsForResource"),
      write(
        REPOSITORIES,
        "ecr:CreateRepository",
        "ecr:DeleteRepository",
        "ecr:PutImageScanningConfiguration",
        "ecr:PutImageTagMutability",
        "ecr:TagResource",
        "ecr:UntagResource",
      ),
    ],
  },
  aws_ecr_lifecycle_policy: {
    rows: [
      read(REPOSITORIES, "ecr:GetLifecyclePolicy"),
      write(REPOSITORIES, "ecr:DeleteLifecyclePolicy", "ecr:PutLifecyclePolicy"),
    ],
  },
  aws_ecr_repository_policy: {
    rows: [
      read(REPOSITORIES, "ecr:GetRepositoryPolicy"),
      write(REPOSITORIES, "ecr:DeleteRepositoryPolicy", "ecr:SetRepositoryPolicy"),
    ],
  },
  // The image that constructs/container-image.ts builds is pushed by whoever deploys.
  terraform_data: {
    rows: [
      write(EVERYTHING, "ecr:GetAuthorizationToken"),
      write(
        REPOSITORIES,
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:DescribeImages",
        "ecr:DescribeRepositories",
        "ecr:GetDownloadUrlForLayer",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
      ),
    ],
  },
  "data.aws_ecr_image": { rows: [read(REPOSITORIES, "ecr:DescribeImages")] },
  "data.aws_ec2_instance_type_offerings": { rows: [read(EVERYTHING, "ec2:DescribeInstanceTypeOfferings")] },
  "data.aws_ssm_parameter": { rows: [read(IMAGE_PARAMETERS, "ssm:GetParameter")] },
};
