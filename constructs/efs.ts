/** Files that many pods read and write at once. */
import { EfsAccessPoint } from "@cdktf/provider-aws/lib/efs-access-point";
import { EfsBackupPolicy } from "@cdktf/provider-aws/lib/efs-backup-policy";
import { EfsFileSystem } from "@cdktf/provider-aws/lib/efs-file-system";
import { EfsFileSystemPolicy } from "@cdktf/provider-aws/lib/efs-file-system-policy";
import { EfsMountTarget } from "@cdktf/provider-aws/lib/efs-mount-target";
import { Construct } from "constructs";
import { exception } from "./exception";
import { policyDocument } from "./role";
import { SecurityGroup, type Source } from "./security-group";

const NFS = 2049;

export interface EfsProps {
  /** Physical name: creation token, `Name` tag, and with `-sg` its security group. */
  readonly name: string;
  /** Id of the VPC. */
  readonly vpcId: string;
  /** Subnets by a name for each, at most one a zone. */
  readonly subnets: Readonly<Record<string, string>>;
  /** Who mounts it. */
  readonly client: Source;
  /** Whether AWS Backup keeps daily copies. @default true */
  readonly backup?: boolean;
  /** Protects the files from destruction. @default true */
  readonly protect?: boolean;
}

/** A folder of the file system that is all that a client sees of it, as one user. */
export interface AccessPointProps {
  /** Path of the folder, which is made with the first mount: `/music`. */
  readonly path: string;
  /** User and group that everything is read and written as. */
  readonly uid: number;
}

/** An encrypted file system that is mounted with TLS only, through a mount target in each subnet. */
export class Efs extends Construct {
  /** Id of the file system. */
  readonly id: string;
  /** ARN of the file system. */
  readonly arn: string;

  constructor(scope: Construct, id: string, props: EfsProps) {
    super(scope, id);
    const protect = props.protect ?? true;
    const files = new EfsFileSystem(this, "Resource", {
      creationToken: props.name,
      encrypted: true,
      performanceMode: "generalPurpose",
      throughputMode: "elastic",
      lifecyclePolicy: [{ transitionToIa: "AFTER_30_DAYS" }, { transitionToPrimaryStorageClass: "AFTER_1_ACCESS" }],
      tags: { Name: props.name },
      lifecycle: { preventDestroy: protect },
    });
    exception(files, "CKV_AWS_184", "EFS encrypts every file; a key of our own would be one more thing to lose.");
    this.id = files.id;
    this.arn = files.arn;
    new EfsBackupPolicy(this, "backup", {
      fileSystemId: files.id,
      backupPolicy: { status: (props.backup ?? true) ? "ENABLED" : "DISABLED" },
    });
    const policy = new EfsFileSystemPolicy(this, "policy", {
      fileSystemId: files.id,
      policy: policyDocument([
        {
          Sid: "ThroughMountTargets",
          Effect: "Allow",
          Principal: { AWS: "*" },
          Action: ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
          Resource: files.arn,
          Condition: { Bool: { "elasticfilesystem:AccessedViaMountTarget": "true" } },
        },
        {
          Sid: "TlsOnly",
          Effect: "Deny",
          Principal: { AWS: "*" },
          Action: ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
          Resource: files.arn,
          Condition: { Bool: { "aws:SecureTransport": "false" } },
        },
      ]),
    });
    exception(
      policy,
      "iam-principals-are-named",
      "NFS clients sign nothing: only those get to a mount target whom its security group lets in.",
      "ThroughMountTargets",
    );
    const group = new SecurityGroup(this, "security-group", {
      name: `${props.name}-sg`,
      description: `Files ${props.name}: NFS from their clients`,
      vpcId: props.vpcId,
    });
    group.allowIn("from-clients", NFS, props.client, "NFS over TLS from the clients");
    for (const [name, subnetId] of Object.entries(props.subnets)) {
      new EfsMountTarget(this, `mount-${name}`, { fileSystemId: files.id, subnetId, securityGroups: [group.id] });
    }
  }

  /** Makes an access point. @returns its id */
  accessPoint(id: string, { path, uid }: AccessPointProps): string {
    const point = new EfsAccessPoint(this, id, {
      fileSystemId: this.id,
      posixUser: { uid, gid: uid },
      rootDirectory: { path, creationInfo: { ownerUid: uid, ownerGid: uid, permissions: "0750" } },
      tags: { Name: id },
    });
    return point.id;
  }
}
