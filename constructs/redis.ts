/** A Redis replication group that clients enter with their IAM identity. */
import { ElasticacheReplicationGroup } from "@cdktf/provider-aws/lib/elasticache-replication-group";
import { ElasticacheSubnetGroup } from "@cdktf/provider-aws/lib/elasticache-subnet-group";
import { ElasticacheUser } from "@cdktf/provider-aws/lib/elasticache-user";
import { ElasticacheUserGroup } from "@cdktf/provider-aws/lib/elasticache-user-group";
import { Construct } from "constructs";
import { exception } from "./exception";

/** A user that signs in with an IAM token. */
export interface RedisUserProps {
  /** Id and name, which IAM authentication wants alike. */
  readonly name: string;
  /** Redis ACL rules, such as `on ~nanogrid:* +get`. */
  readonly access: string;
}

export interface RedisProps {
  /** Id of the replication group. */
  readonly name: string;
  /** What is kept in it. */
  readonly description: string;
  /** Redis version, such as `7.1`. */
  readonly engineVersion: string;
  /** Node type, such as `cache.t3.micro`. */
  readonly nodeType: string;
  /** Replicas beside the primary; with one or more, failover is automatic and the nodes spread over zones. @default 0 */
  readonly replicas?: number;
  /** TCP port. */
  readonly port: number;
  /** Subnets that nodes may be in; the first one's zone holds a single node. */
  readonly subnetIds: readonly string[];
  /** Zone of a single node. */
  readonly primaryZone: string;
  /** Security groups of the nodes. */
  readonly securityGroupIds: readonly string[];
  /** Who may sign in. */
  readonly users: readonly RedisUserProps[];
  /** Protects the group, and the results in it, from destruction. @default true */
  readonly protect?: boolean;
}

/** Redis, encrypted in transit and at rest, without a shared secret: an AUTH token would enter the state. */
export class Redis extends Construct {
  /** Host name of the primary. */
  readonly host: string;
  /** Id of the replication group: the cache name that IAM tokens are signed for. */
  readonly name: string;
  /** ARN of the replication group. */
  readonly arn: string;
  private readonly userArns = new Map<string, string>();

  constructor(scope: Construct, id: string, props: RedisProps) {
    super(scope, id);
    const replicas = props.replicas ?? 0;
    const subnets = new ElasticacheSubnetGroup(this, "subnets", {
      name: `${props.name}-subnets`,
      description: `Subnets of ${props.name}`,
      subnetIds: [...props.subnetIds],
    });
    const group = new ElasticacheReplicationGroup(this, "Resource", {
      replicationGroupId: props.name,
      description: props.description,
      engine: "redis",
      engineVersion: props.engineVersion,
      nodeType: props.nodeType,
      numCacheClusters: 1 + replicas,
      automaticFailoverEnabled: replicas > 0,
      multiAzEnabled: replicas > 0,
      preferredCacheClusterAzs: replicas > 0 ? undefined : [props.primaryZone],
      port: props.port,
      subnetGroupName: subnets.name,
      securityGroupIds: [...props.securityGroupIds],
      transitEncryptionEnabled: true,
      atRestEncryptionEnabled: "true",
      userGroupIds: [this.createUsers(props)],
      snapshotRetentionLimit: 0,
      applyImmediately: true,
      lifecycle: { preventDestroy: props.protect ?? true },
    });
    exception(
      group,
      "CKV_AWS_191",
      "ElastiCache encrypts every node; a key of our own would be one more thing to lose.",
    );
    if (replicas === 0) {
      exception(group, "CKV2_AWS_50", "One node by choice: a replica is a setting, and doubles the price.");
    }
    this.host = group.primaryEndpointAddress;
    this.name = group.replicationGroupId;
    this.arn = group.arn;
  }

  /** ARN of the user of that name. */
  userArn(name: string): string {
    const arn = this.userArns.get(name);
    if (!arn) {
      throw new Error(
        `${this.node.path}: no user is named "${name}" (there are: ${[...this.userArns.keys()].join(", ")}).`,
      );
    }
    return arn;
  }

  private createUsers(props: RedisProps): string {
    // A user group must hold a user named "default"; switched off, it leaves no way in without a name.
    const nobody = new ElasticacheUser(this, "user-default", {
      userId: `${props.name}-default`,
      userName: "default",
      engine: "redis",
      accessString: "off -@all",
      // The same as an authentication mode would come back from AWS under another name, a change in every plan.
      noPasswordRequired: true,
    });
    const users = props.users.map(({ name, access }) => {
      const user = new ElasticacheUser(this, `user-${name}`, {
        userId: name,
        userName: name,
        engine: "redis",
        accessString: access,
        authenticationMode: { type: "iam" },
      });
      this.userArns.set(name, user.arn);
      return user;
    });
    const group = new ElasticacheUserGroup(this, "users", {
      userGroupId: `${props.name}-users`,
      engine: "redis",
      userIds: [nobody.userId, ...users.map((user) => user.userId)],
    });
    return group.userGroupId;
  }
}
