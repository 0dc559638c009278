/** A VPC of named subnets with their routes, NAT gateways, gateway endpoints and flow logs. */
import { DefaultSecurityGroup } from "@cdktf/provider-aws/lib/default-security-group";
import { Eip } from "@cdktf/provider-aws/lib/eip";
import { FlowLog } from "@cdktf/provider-aws/lib/flow-log";
import { InternetGateway } from "@cdktf/provider-aws/lib/internet-gateway";
import { NatGateway } from "@cdktf/provider-aws/lib/nat-gateway";
import { Route } from "@cdktf/provider-aws/lib/route";
import { RouteTable } from "@cdktf/provider-aws/lib/route-table";
import { RouteTableAssociation } from "@cdktf/provider-aws/lib/route-table-association";
import { Subnet } from "@cdktf/provider-aws/lib/subnet";
import { Vpc as AwsVpc } from "@cdktf/provider-aws/lib/vpc";
import { VpcEndpoint } from "@cdktf/provider-aws/lib/vpc-endpoint";
import { Construct } from "constructs";
import { exception } from "./exception";
import { LogGroup } from "./log-group";
import { Role } from "./role";

const ANYWHERE = "0.0.0.0/0";

/** One subnet. */
export interface SubnetProps {
  /** Unique within the VPC; appended to the VPC's prefix for the `Name` tag: `Public 1`. */
  readonly name: string;
  /** IPv4 range. */
  readonly cidr: string;
  /** Availability zone, such as `ap-northeast-2a`. */
  readonly zone: string;
  /** Whether its default route is the internet gateway; otherwise it is a NAT gateway. */
  readonly public: boolean;
}

export interface VpcProps {
  /** Prefix of the physical names: `nanogrid` makes `nanogrid-vpc`, `nanogrid-igw`, `nanogrid-nat-gw`. */
  readonly prefix: string;
  /** IPv4 range of the VPC. */
  readonly cidr: string;
  /** AWS region, for the endpoints' service names. */
  readonly region: string;
  /** The subnets. With a private one there must be a public one. */
  readonly subnets: readonly SubnetProps[];
  /** A NAT gateway in the first public subnet of each zone instead of one in the first public subnet. @default false */
  readonly natPerZone?: boolean;
  /** Whether private subnets reach the internet at all; otherwise endpoints are their only way out. @default true */
  readonly nat?: boolean;
  /** Gateway endpoints on the private route tables. @default - none */
  readonly gatewayEndpoints?: readonly ("s3" | "dynamodb")[];
  /** Days that flow logs are kept. */
  readonly flowLogsRetentionDays: number;
}

/** A VPC. Names in it come from the props, addresses from the subnets' names: `aws_subnet.vpc_public-1`. */
export class Vpc extends Construct {
  /** Id of the VPC. */
  readonly id: string;
  private readonly props: VpcProps;
  private readonly subnets = new Map<string, Subnet>();
  private readonly routeTables: { readonly name: string; readonly id: string }[] = [];
  private readonly gatewayEndpoints = new Map<string, VpcEndpoint>();

  constructor(scope: Construct, id: string, props: VpcProps) {
    super(scope, id);
    this.props = props;
    const vpc = new AwsVpc(this, "Resource", {
      cidrBlock: props.cidr,
      enableDnsHostnames: true,
      enableDnsSupport: true,
      tags: this.named("vpc"),
    });
    this.id = vpc.id;
    new DefaultSecurityGroup(this, "default-security-group", { vpcId: this.id, tags: this.named("default-unused") });
    for (const subnet of props.subnets) {
      this.createSubnet(subnet);
    }
    this.createPublicRoutes();
    this.createPrivateRoutes();
    this.createEndpoints();
    this.createFlowLogs(vpc);
  }

  /** Id of the subnet of that name. */
  subnetId(name: string): string {
    const subnet = this.subnets.get(name);
    if (!subnet) {
      throw new Error(
        `${this.node.path}: no subnet is named "${name}" (there are: ${[...this.subnets.keys()].join(", ")}).`,
      );
    }
    return subnet.id;
  }

  /** Ids of the route tables of the private subnets: one, or one per zone. */
  get privateRouteTableIds(): string[] {
    return this.routeTables.map(({ id }) => id);
  }

  /** Those tables by name: `private`, or `private-a` and the like with one per zone. */
  get privateRouteTables(): readonly { readonly name: string; readonly id: string }[] {
    return this.routeTables;
  }

  /**
   * Prefix list with the addresses of a service that has a gateway endpoint here, for rules of security groups.
   *
   * @throws Error when it has none
   */
  prefixListId(service: "s3" | "dynamodb"): string {
    const endpoint = this.gatewayEndpoints.get(service);
    if (!endpoint) {
      throw new Error(`${this.node.path}: no gateway endpoint of ${service}. Add it to gatewayEndpoints.`);
    }
    return endpoint.prefixListId;
  }

  private createSubnet(props: SubnetProps): void {
    const subnet = new Subnet(this, slug(props.name), {
      vpcId: this.id,
      cidrBlock: props.cidr,
      availabilityZone: props.zone,
      mapPublicIpOnLaunch: props.public,
      tags: { Name: `${this.props.prefix} ${props.name}` },
    });
    if (props.public) {
      exception(
        subnet,
        "CKV_AWS_130",
        "A public subnet is for what the internet reaches: without an address nothing in it gets out.",
      );
    }
    this.subnets.set(props.name, subnet);
  }

  private createPublicRoutes(): void {
    const gateway = new InternetGateway(this, "internet-gateway", { vpcId: this.id, tags: this.named("igw") });
    const table = new RouteTable(this, "public-routes", { vpcId: this.id, tags: this.named("public") });
    new Route(this, "public-default-route", {
      routeTableId: table.id,
      destinationCidrBlock: ANYWHERE,
      gatewayId: gateway.id,
    });
    for (const { name } of this.props.subnets.filter((subnet) => subnet.public)) {
      this.associate(name, table);
    }
  }

  private createPrivateRoutes(): void {
    const isPrivate = this.props.subnets.filter((subnet) => !subnet.public);
    const zones = [...new Set(isPrivate.map((subnet) => subnet.zone))];
    const groups = this.props.natPerZone ? zones.map((zone) => [zone]) : zones.length > 0 ? [zones] : [];
    for (const group of groups) {
      const suffix = this.props.natPerZone ? `-${group[0]?.slice(-1)}` : "";
      const nat = (this.props.nat ?? true) ? this.createNatGateway(group, suffix) : undefined;
      const table = new RouteTable(this, `private-routes${suffix}`, {
        vpcId: this.id,
        tags: this.named(`private${suffix}`),
      });
      if (nat) {
        new Route(this, `private-default-route${suffix}`, {
          routeTableId: table.id,
          destinationCidrBlock: ANYWHERE,
          natGatewayId: nat.id,
        });
      }
      for (const { name } of isPrivate.filter(({ zone }) => group.includes(zone))) {
        this.associate(name, table);
      }
      this.routeTables.push({ name: `private${suffix}`, id: table.id });
    }
  }

  private createNatGateway(zones: readonly string[], suffix: string): NatGateway {
    const home = this.props.subnets.find((subnet) => subnet.public && zones.includes(subnet.zone));
    if (!home) {
      throw new Error(
        `${this.node.path}: no public subnet in zone ${zones.join(", ")} for a NAT gateway. Add one there.`,
      );
    }
    const address = new Eip(this, `nat-address${suffix}`, { domain: "vpc", tags: this.named(`nat-gw${suffix}`) });
    return new NatGateway(this, `nat-gateway${suffix}`, {
      allocationId: address.allocationId,
      subnetId: this.subnetId(home.name),
      tags: this.named(`nat-gw${suffix}`),
    });
  }

  private createEndpoints(): void {
    for (const service of this.props.gatewayEndpoints ?? []) {
      const endpoint = new VpcEndpoint(this, `${service}-endpoint`, {
        vpcId: this.id,
        serviceName: `com.amazonaws.${this.props.region}.${service}`,
        vpcEndpointType: "Gateway",
        routeTableIds: this.privateRouteTableIds,
        tags: this.named(`${service}-endpoint`),
      });
      this.gatewayEndpoints.set(service, endpoint);
    }
  }

  private createFlowLogs(vpc: AwsVpc): void {
    const group = new LogGroup(this, "flow-logs-group", {
      name: `/vpc/${this.props.prefix}/flow-logs`,
      retentionDays: this.props.flowLogsRetentionDays,
    });
    const role = new Role(this, "flow-logs-role", {
      name: `${this.props.prefix}_flow_logs_role`,
      description: `Lets VPC flow logs of ${this.props.prefix}-vpc write to their log group`,
      service: "vpc-flow-logs.amazonaws.com",
      statements: [
        {
          sid: "WriteFlowLogs",
          actions: ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
          resources: [group.arn, `${group.arn}:*`],
        },
      ],
    });
    new FlowLog(this, "flow-logs", {
      vpcId: vpc.id,
      trafficType: "ALL",
      logDestinationType: "cloud-watch-logs",
      logDestination: group.arn,
      iamRoleArn: role.arn,
      tags: this.named("flow-logs"),
    });
  }

  private associate(name: string, table: RouteTable): void {
    new RouteTableAssociation(this, `${slug(name)}-routes`, { subnetId: this.subnetId(name), routeTableId: table.id });
  }

  private named(part: string): { Name: string } {
    return { Name: `${this.props.prefix}-${part}` };
  }
}

function slug(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, "-");
}
