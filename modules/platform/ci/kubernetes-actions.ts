/** What Terraform calls for EKS clusters, and for the files and keys that come with them. */
import { START } from "./compute-actions";
import { type ActionTable, EVERYTHING, NAME, named, read, type Scope, serviceLinkedRole, write } from "./scope";

const eks = (label: string, resource: string) => named(label, `eks:{region}:{account}:${resource}`);
const CLUSTERS = eks("EksClusters", `cluster/${NAME}*`);
const NODE_GROUPS = eks("NodeGroups", `nodegroup/${NAME}*/*/*`);
const ADDONS = eks("Addons", `addon/${NAME}*/*/*`);
const ENTRIES = eks("AccessEntries", `access-entry/${NAME}*/*`);
const IDENTITIES = eks("PodIdentities", `podidentityassociation/${NAME}*/*`);

/** Resources of a service whose ids are AWS's: the tags of this project and environment bound them. */
function tagged(label: string, kind: "RequestTag" | "ResourceTag", ...arns: string[]): Scope {
  return {
    label,
    arns,
    conditions: ["project", "environment"].map((tag) => ({
      test: "StringEquals",
      variable: `aws:${kind}/${tag}`,
      values: [`{${tag}}`],
    })),
    reason: "ids are AWS's: the tags bound them",
  };
}

const NEW_CLUSTERS = tagged("NewEksClusters", "RequestTag", "*");
const FILES = "elasticfilesystem:{region}:{account}:file-system/*";
const ACCESS_POINTS = "elasticfilesystem:{region}:{account}:access-point/*";
const OUR_FILES = tagged("Files", "ResourceTag", FILES, ACCESS_POINTS);
const NEW_FILES = tagged("NewFiles", "RequestTag", "*");
const KEYS = "kms:{region}:{account}:key/*";
const OUR_KEYS = tagged("Keys", "ResourceTag", KEYS);
const NEW_KEYS = tagged("NewKeys", "RequestTag", "*");
const ALIASES = named("Aliases", `kms:{region}:{account}:alias/${NAME}*`);

export const KUBERNETES_ACTIONS: ActionTable = {
  aws_eks_cluster: {
    name: "name",
    rows: [
      read(CLUSTERS, "eks:DescribeCluster", "eks:DescribeUpdate", "eks:ListTagsForResource"),
      write(
        CLUSTERS,
        "eks:AssociateEncryptionConfig",
        "eks:DeleteCluster",
        "eks:TagResource",
        "eks:UntagResource",
        "eks:UpdateClusterConfig",
        "eks:UpdateClusterVersion",
      ),
      write(NEW_CLUSTERS, "eks:CreateCluster"),
      // EKS encrypts secrets in the name of whoever makes the cluster.
      write(OUR_KEYS, "kms:CreateGrant", "kms:DescribeKey"),
      serviceLinkedRole("eks.amazonaws.com"),
    ],
  },
  aws_eks_node_group: {
    rows: [
      read(NODE_GROUPS, "eks:DescribeNodegroup"),
      write(CLUSTERS, "eks:CreateNodegroup"),
      write(
        NODE_GROUPS,
        "eks:DeleteNodegroup",
        "eks:TagResource",
        "eks:UntagResource",
        "eks:UpdateNodegroupConfig",
        "eks:UpdateNodegroupVersion",
      ),
      ...START,
      serviceLinkedRole("eks-nodegroup.amazonaws.com"),
    ],
  },
  aws_eks_addon: {
    rows: [
      read(ADDONS, "eks:DescribeAddon"),
      read(IDENTITIES, "eks:DescribePodIdentityAssociation"),
      write(CLUSTERS, "eks:CreateAddon", "eks:CreatePodIdentityAssociation"),
      write(ADDONS, "eks:DeleteAddon", "eks:TagResource", "eks:UntagResource", "eks:UpdateAddon"),
      write(IDENTITIES, "eks:DeletePodIdentityAssociation", "eks:UpdatePodIdentityAssociation"),
    ],
  },
  aws_eks_access_entry: {
    rows: [
      read(ENTRIES, "eks:DescribeAccessEntry"),
      write(CLUSTERS, "eks:CreateAccessEntry"),
      write(ENTRIES, "eks:DeleteAccessEntry", "eks:TagResource", "eks:UntagResource", "eks:UpdateAccessEntry"),
    ],
  },
  aws_eks_access_policy_association: {
    rows: [
      read(ENTRIES, "eks:ListAssociatedAccessPolicies"),
      write(ENTRIES, "eks:AssociateAccessPolicy", "eks:DisassociateAccessPolicy"),
    ],
  },
  aws_eks_pod_identity_association: {
    rows: [
      read(IDENTITIES, "eks:DescribePodIdentityAssociation"),
      write(CLUSTERS, "eks:CreatePodIdentityAssociation"),
      write(
        IDENTITIES,
        "eks:DeletePodIdentityAssociation",
        "eks:TagResource",
        "eks:UntagResource",
        "eks:UpdatePodIdentityAssociation",
      ),
    ],
  },
  aws_efs_file_system: {
    rows: [
      read(
        OUR_FILES,
        "elasticfilesystem:DescribeFileSystems",
        "elasticfilesystem:DescribeLifecycleConfiguration",
        "elasticfilesystem:ListTagsForResource",
      ),
      write(NEW_FILES, "elasticfilesystem:CreateFileSystem"),
      write(
        OUR_FILES,
        "elasticfilesystem:DeleteFileSystem",
        "elasticfilesystem:PutLifecycleConfiguration",
        "elasticfilesystem:TagResource",
        "elasticfilesystem:UntagResource",
        "elasticfilesystem:UpdateFileSystem",
      ),
      serviceLinkedRole("elasticfilesystem.amazonaws.com"),
    ],
  },
  aws_efs_backup_policy: {
    rows: [
      read(OUR_FILES, "elasticfilesystem:DescribeBackupPolicy"),
      write(OUR_FILES, "elasticfilesystem:PutBackupPolicy"),
    ],
  },
  aws_efs_file_system_policy: {
    rows: [
      read(OUR_FILES, "elasticfilesystem:DescribeFileSystemPolicy"),
      write(OUR_FILES, "elasticfilesystem:DeleteFileSystemPolicy", "elasticfilesystem:PutFileSystemPolicy"),
    ],
  },
  aws_efs_access_point: {
    rows: [
      read(OUR_FILES, "elasticfilesystem:DescribeAccessPoints"),
      write(OUR_FILES, "elasticfilesystem:CreateAccessPoint", "elasticfilesystem:DeleteAccessPoint"),
    ],
  },
  aws_efs_mount_target: {
    rows: [
      read(OUR_FILES, "elasticfilesystem:DescribeMountTargetSecurityGroups", "elasticfilesystem:DescribeMountTargets"),
      read(EVERYTHING, "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"),
      write(
        OUR_FILES,
        "elasticfilesystem:CreateMountTarget",
        "elasticfilesystem:DeleteMountTarget",
        "elasticfilesystem:ModifyMountTargetSecurityGroups",
      ),
    ],
  },
  aws_kms_key: {
    rows: [
      read(OUR_KEYS, "kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"),
      write(NEW_KEYS, "kms:CreateKey"),
      write(
        OUR_KEYS,
        "kms:DisableKeyRotation",
        "kms:EnableKeyRotation",
        "kms:PutKeyPolicy",
        "kms:ScheduleKeyDeletion",
        "kms:TagResource",
        "kms:UntagResource",
        "kms:UpdateKeyDescription",
      ),
    ],
  },
  aws_kms_alias: {
    rows: [
      read(EVERYTHING, "kms:ListAliases"),
      write(ALIASES, "kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"),
      write(OUR_KEYS, "kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"),
    ],
  },
};
