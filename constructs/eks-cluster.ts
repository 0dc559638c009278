/** An EKS cluster: its control plane, who gets in, and its add-ons. */
import { EksAccessEntry } from "@cdktf/provider-aws/lib/eks-access-entry";
import { EksAccessPolicyAssociation } from "@cdktf/provider-aws/lib/eks-access-policy-association";
import { EksAddon } from "@cdktf/provider-aws/lib/eks-addon";
import { EksCluster as AwsEksCluster } from "@cdktf/provider-aws/lib/eks-cluster";
import { KmsAlias } from "@cdktf/provider-aws/lib/kms-alias";
import { KmsKey } from "@cdktf/provider-aws/lib/kms-key";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { exception } from "./exception";
import { LogGroup } from "./log-group";
import { Role, type Statement } from "./role";

/** What the control plane writes to CloudWatch. */
const LOG_TYPES = ["api", "audit", "authenticator", "controllerManager", "scheduler"];
/** Days in which a key that was deleted can be had back: the most that KMS offers. */
const KEY_WAIT_DAYS = 30;

export interface EksClusterProps {
  /** Physical name. */
  readonly name: string;
  /** Minor version of Kubernetes, such as `1.35`. */
  readonly version: string;
  /** Private subnets in two zones or more. */
  readonly subnetIds: readonly string[];
  /** Ranges that reach the API from outside of the VPC. @default - none: the endpoint is private */
  readonly publicCidrs?: readonly string[];
  /** Days that the control plane's logs are kept. */
  readonly logRetentionDays: number;
  /** Protects the cluster and its key from destruction. @default true */
  readonly protect?: boolean;
}

/** What an add-on is made with. */
export interface AddonProps {
  /** Its name at EKS. */
  readonly name: string;
  /** Its configuration, by the add-on's own schema. @default - its defaults */
  readonly configuration?: Readonly<Record<string, unknown>>;
  /** The role of its service account. @default - it calls nothing of AWS */
  readonly podIdentity?: { readonly serviceAccount: string; readonly role: Role };
  /** What must be there before it. @default - nothing */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/** What a principal may do in a cluster: EKS's own access policies. */
export type ClusterAccess = "AmazonEKSClusterAdminPolicy" | "AmazonEKSAdminViewPolicy";

/**
 * A control plane that is reached from inside of the VPC, and from outside only from the ranges named. Secrets are encrypted with a key of its
 * own, every log is on, and who gets in is a list of access entries: there is no `aws-auth` map.
 */
export class EksCluster extends Construct {
  /** Name of the cluster. It is known once the cluster is there. */
  readonly name: string;
  /** ARN of the cluster. */
  readonly arn: string;
  /** URL of the API. */
  readonly endpoint: string;
  /** The API's certificate authority, base64. */
  readonly certificateAuthority: string;
  /** Security group that EKS makes and gives to the control plane and to every node of a managed group. */
  readonly securityGroupId: string;

  constructor(scope: Construct, id: string, props: EksClusterProps) {
    super(scope, id);
    const protect = props.protect ?? true;
    const key = this.createKey(props.name, protect);
    const logs = new LogGroup(this, "logs", {
      name: `/aws/eks/${props.name}/cluster`,
      retentionDays: props.logRetentionDays,
    });
    const role = new Role(this, "role", {
      name: `${props.name}-role`,
      description: `Control plane of ${props.name}`,
      service: "eks.amazonaws.com",
      statements: controlPlaneStatements(key.arn),
    });
    const publicCidrs = props.publicCidrs ?? [];
    const cluster = new AwsEksCluster(this, "Resource", {
      name: props.name,
      version: props.version,
      roleArn: role.arn,
      vpcConfig: {
        subnetIds: [...props.subnetIds],
        endpointPrivateAccess: true,
        endpointPublicAccess: publicCidrs.length > 0,
        ...(publicCidrs.length > 0 ? { publicAccessCidrs: [...publicCidrs] } : {}),
      },
      accessConfig: { authenticationMode: "API", bootstrapClusterCreatorAdminPermissions: true },
      encryptionConfig: { provider: { keyArn: key.arn }, resources: ["secrets"] },
      enabledClusterLogTypes: LOG_TYPES,
      // The add-ons below are EKS's own, and are kept up to date by it.
      bootstrapSelfManagedAddons: false,
      deletionProtection: protect,
      lifecycle: { preventDestroy: protect },
      // EKS would make a log group without an end, and a cluster without permissions cannot take its own network interfaces down.
      dependsOn: [logs.group, role.permissions],
    });
    if (publicCidrs.length > 0) {
      exception(
        cluster,
        "CKV_AWS_39",
        "The settings name the ranges that reach the API from outside, and refuse the whole internet.",
      );
    }
    this.name = cluster.name;
    this.arn = cluster.arn;
    this.endpoint = cluster.endpoint;
    this.certificateAuthority = cluster.certificateAuthority.get(0).data;
    this.securityGroupId = cluster.vpcConfig.clusterSecurityGroupId;
  }

  /**
   * Lets a role or user in.
   *
   * @param id name of the entry in the state
   * @param principalArn who
   * @param access what they may do, in every namespace
   */
  admit(id: string, principalArn: string, access: ClusterAccess): void {
    const entry = new EksAccessEntry(this, `${id}-entry`, { clusterName: this.name, principalArn });
    new EksAccessPolicyAssociation(this, `${id}-access`, {
      clusterName: this.name,
      principalArn: entry.principalArn,
      policyArn: `arn:aws:eks::aws:cluster-access-policy/${access}`,
      accessScope: { type: "cluster" },
    });
  }

  /** Installs an add-on in the version that EKS holds to be right for the cluster's. */
  addon(id: string, { name, configuration, podIdentity, dependsOn = [] }: AddonProps): EksAddon {
    return new EksAddon(this, id, {
      clusterName: this.name,
      addonName: name,
      configurationValues: configuration === undefined ? undefined : JSON.stringify(configuration),
      podIdentityAssociation: podIdentity && [
        { serviceAccount: podIdentity.serviceAccount, roleArn: podIdentity.role.arn },
      ],
      resolveConflictsOnCreate: "OVERWRITE",
      resolveConflictsOnUpdate: "OVERWRITE",
      dependsOn: [...dependsOn, ...(podIdentity ? [podIdentity.role.permissions] : [])],
    });
  }

  private createKey(name: string, protect: boolean): KmsKey {
    const key = new KmsKey(this, "key", {
      description: `Secrets of the cluster ${name}`,
      enableKeyRotation: true,
      deletionWindowInDays: KEY_WAIT_DAYS,
      lifecycle: { preventDestroy: protect },
    });
    exception(
      key,
      "CKV2_AWS_64",
      "Without a policy of its own the account's IAM policies decide, and here they are written out.",
    );
    new KmsAlias(this, "key-alias", { name: `alias/${name}`, targetKeyId: key.keyId });
    return key;
  }
}

/**
 * What a control plane calls, without Auto Mode and without load balancers of its own: EKS's documentation lists it as the least that a
 * cluster's role must have.
 *
 * @param keyArn the key of its secrets
 */
export function controlPlaneStatements(keyArn: string): readonly Statement[] {
  return [
    {
      sid: "FindNetwork",
      actions: [
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeDhcpOptions",
        "ec2:DescribeInstanceTopology",
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeVpcs",
      ],
      resources: ["*"],
      wildcardReason: "EC2's Describe actions have no resource-level permissions.",
    },
    {
      sid: "TagInstances",
      actions: ["ec2:CreateTags"],
      resources: ["arn:aws:ec2:*:*:instance/*"],
      conditions: [{ test: "ForAnyValue:StringLike", variable: "aws:TagKeys", values: ["kubernetes.io/cluster/*"] }],
      wildcardReason: "The control plane tags nodes that are not there yet, and with its own tags only.",
    },
    {
      sid: "EncryptSecrets",
      actions: ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:ListGrants"],
      resources: [keyArn],
    },
  ];
}
