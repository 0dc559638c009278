/** A MongoDB Atlas cluster that a VPC reaches over a peering, and nobody else reaches. */
import { Route } from "@cdktf/provider-aws/lib/route";
import { VpcPeeringConnectionAccepterA } from "@cdktf/provider-aws/lib/vpc-peering-connection-accepter";
import { VpcPeeringConnectionOptions } from "@cdktf/provider-aws/lib/vpc-peering-connection-options";
import { AdvancedCluster } from "@cdktf/provider-mongodbatlas/lib/advanced-cluster";
import { CustomDbRole } from "@cdktf/provider-mongodbatlas/lib/custom-db-role";
import { DatabaseUser } from "@cdktf/provider-mongodbatlas/lib/database-user";
import { NetworkContainer } from "@cdktf/provider-mongodbatlas/lib/network-container";
import { NetworkPeering } from "@cdktf/provider-mongodbatlas/lib/network-peering";
import { Project } from "@cdktf/provider-mongodbatlas/lib/project";
import { ProjectIpAccessList } from "@cdktf/provider-mongodbatlas/lib/project-ip-access-list";
import { Construct } from "constructs";

export interface PeeredAtlasProps {
  /** Id of the Atlas organization. */
  readonly organizationId: string;
  /** Name of the project, unique in the organization. */
  readonly projectName: string;
  /** Name of the cluster, unique in the project. */
  readonly clusterName: string;
  /** Region as Atlas spells it: `AP_NORTHEAST_2`. */
  readonly atlasRegion: string;
  /** Address range of Atlas's side, /21 to /24. */
  readonly atlasCidr: string;
  /** Size of each of the three nodes: a dedicated tier such as `M10`. */
  readonly tier: string;
  /** Major version of MongoDB. */
  readonly mongodbVersion: string;
  /** Whether backups go back to any minute. @default false */
  readonly pointInTimeRecovery?: boolean;
  /** Protects project and cluster from destruction, and keeps backups of a cluster that is gone. @default true */
  readonly protect?: boolean;
  /** Tags of the project and the cluster. */
  readonly tags: Readonly<Record<string, string>>;
  /** The VPC that reaches it. */
  readonly vpc: {
    readonly accountId: string;
    /** Region as AWS spells it. */
    readonly region: string;
    readonly id: string;
    readonly cidr: string;
    /** Route tables of the subnets that reach it, with a name for each route. */
    readonly routeTables: readonly { readonly name: string; readonly id: string }[];
  };
  /** Who of the VPC is let in: ranges of addresses by name, or one security group. */
  readonly access: { readonly cidrs: Readonly<Record<string, string>> } | { readonly securityGroupId: string };
}

/** What a database user may do in one database. */
export interface DatabaseRole {
  /** Name of a built-in role such as `readWrite`, or of a custom one. */
  readonly role: string;
  /** Database that a built-in role is for; custom roles are kept in `admin`. */
  readonly database: string;
}

/**
 * Project, network container, cluster, peering, routes and access list, each made after what it needs and destroyed before it: a cluster
 * without a container makes one of its own with another range, a route without an accepted peering leads nowhere, and an access list that
 * names a security group is refused before the peering is active. There are no passwords: users are IAM roles.
 */
export class PeeredAtlas extends Construct {
  /** Connection string without credentials, `mongodb+srv://…`; its names resolve to addresses of Atlas's side inside of the VPC. */
  readonly connectionString: string;
  private readonly projectId: string;
  private readonly cluster: AdvancedCluster;

  constructor(scope: Construct, id: string, props: PeeredAtlasProps) {
    super(scope, id);
    const protect = props.protect ?? true;
    const project = new Project(this, "project", {
      orgId: props.organizationId,
      name: props.projectName,
      isDataExplorerEnabled: false,
      tags: { ...props.tags },
      lifecycle: { preventDestroy: protect },
    });
    this.projectId = project.id;
    const container = new NetworkContainer(this, "container", {
      projectId: project.id,
      providerName: "AWS",
      regionName: props.atlasRegion,
      atlasCidrBlock: props.atlasCidr,
    });
    this.cluster = this.createCluster(props, container, protect);
    const accepter = this.createPeering(props, container);
    this.createAccess(props, accepter);
    this.connectionString = this.cluster.connectionStrings.get(0).standardSrv;
  }

  /**
   * Lets an IAM role in as a database user, without any password.
   *
   * @param id name of the user in the state: `search`
   * @param roleArn ARN of the IAM role that connects
   * @param roles what it may do
   */
  allowRole(id: string, roleArn: string, roles: readonly DatabaseRole[]): void {
    new DatabaseUser(this, id, {
      projectId: this.projectId,
      authDatabaseName: "$external",
      awsIamType: "ROLE",
      username: roleArn,
      roles: roles.map(({ role, database }) => ({ roleName: role, databaseName: database })),
      scopes: [{ name: this.cluster.name, type: "CLUSTER" }],
    });
  }

  /**
   * A role of exact actions on every collection of one database.
   *
   * @param id name of the role in the state
   * @param name name of the role in Atlas
   * @param database the only database that it is about
   * @param actions Atlas's names of actions, such as `CREATE_COLLECTION`
   */
  customRole(id: string, name: string, database: string, actions: readonly string[]): DatabaseRole {
    const role = new CustomDbRole(this, id, {
      projectId: this.projectId,
      roleName: name,
      actions: actions.map((action) => ({
        action,
        resources: [{ databaseName: database, collectionName: "" }],
      })),
    });
    return { role: role.roleName, database: "admin" };
  }

  private createCluster(props: PeeredAtlasProps, container: NetworkContainer, protect: boolean): AdvancedCluster {
    return new AdvancedCluster(this, "cluster", {
      projectId: this.projectId,
      name: props.clusterName,
      clusterType: "REPLICASET",
      mongoDbMajorVersion: props.mongodbVersion,
      backupEnabled: true,
      pitEnabled: props.pointInTimeRecovery ?? false,
      retainBackupsEnabled: protect,
      terminationProtectionEnabled: protect,
      replicationSpecs: [
        {
          regionConfigs: [
            {
              providerName: "AWS",
              regionName: props.atlasRegion,
              priority: 7,
              electableSpecs: { instanceSize: props.tier, nodeCount: 3 },
              autoScaling: { diskGbEnabled: true },
            },
          ],
        },
      ],
      advancedConfiguration: { minimumEnabledTlsProtocol: "TLS1_2", javascriptEnabled: false },
      tags: Object.entries(props.tags).map(([key, value]) => ({ key, value })),
      lifecycle: { preventDestroy: protect },
      dependsOn: [container],
    });
  }

  private createPeering(
    { projectName, vpc }: PeeredAtlasProps,
    container: NetworkContainer,
  ): VpcPeeringConnectionAccepterA {
    const peering = new NetworkPeering(this, "peering", {
      projectId: this.projectId,
      containerId: container.containerId,
      providerName: "AWS",
      accepterRegionName: vpc.region,
      awsAccountId: vpc.accountId,
      vpcId: vpc.id,
      routeTableCidrBlock: vpc.cidr,
      dependsOn: [this.cluster],
    });
    return new VpcPeeringConnectionAccepterA(this, "peering-accepter", {
      vpcPeeringConnectionId: peering.connectionId,
      autoAccept: true,
      tags: { Name: `${projectName}-atlas` },
    });
  }

  private createAccess(props: PeeredAtlasProps, accepter: VpcPeeringConnectionAccepterA): void {
    const { vpc, access, atlasCidr } = props;
    const options = new VpcPeeringConnectionOptions(this, "peering-options", {
      vpcPeeringConnectionId: accepter.id,
      accepter: { allowRemoteVpcDnsResolution: true },
    });
    const routes = vpc.routeTables.map(
      ({ name, id }) =>
        new Route(this, `route-${name}`, {
          routeTableId: id,
          destinationCidrBlock: atlasCidr,
          vpcPeeringConnectionId: accepter.id,
        }),
    );
    const entries =
      "cidrs" in access
        ? Object.entries(access.cidrs).map(([name, cidrBlock]) => ({ name, entry: { cidrBlock } }))
        : [{ name: "functions", entry: { awsSecurityGroup: access.securityGroupId } }];
    for (const { name, entry } of entries) {
      new ProjectIpAccessList(this, `access-${name}`, {
        projectId: this.projectId,
        ...entry,
        comment: `${name} of ${props.projectName}`,
        dependsOn: [accepter, options, ...routes],
      });
    }
  }
}
