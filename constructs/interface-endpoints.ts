/** Interface endpoints of AWS services in a VPC, behind one security group. */
import { VpcEndpoint } from "@cdktf/provider-aws/lib/vpc-endpoint";
import { Construct } from "constructs";
import { policyDocument } from "./role";
import { SecurityGroup } from "./security-group";

/** An endpoint. */
export interface EndpointProps {
  /** Name of the service, as in `com.amazonaws.<region>.<name>`: `bedrock-runtime`. */
  readonly service: string;
  /** Statements of the endpoint's policy, each with a principal. @default - AWS's: whatever the caller's own policy allows */
  readonly statements?: readonly object[];
}

export interface InterfaceEndpointsProps {
  /** Prefix of the physical names: `shop` makes `shop-endpoints-sg` and `shop-sqs-endpoint`. */
  readonly prefix: string;
  readonly vpcId: string;
  /** AWS region, for the services' names. */
  readonly region: string;
  /** Subnets with an address of each endpoint: one a zone. */
  readonly subnetIds: readonly string[];
  readonly endpoints: readonly EndpointProps[];
}

const HTTPS = 443;

/** Endpoints under the services' own names: programs need no other address. Nobody reaches them until {@link allow} says so. */
export class InterfaceEndpoints extends Construct {
  private readonly group: SecurityGroup;

  constructor(scope: Construct, id: string, props: InterfaceEndpointsProps) {
    super(scope, id);
    this.group = new SecurityGroup(this, "security-group", {
      name: `${props.prefix}-endpoints-sg`,
      description: "Interface endpoints: HTTPS from those that are named",
      vpcId: props.vpcId,
    });
    for (const { service, statements } of props.endpoints) {
      new VpcEndpoint(this, service.replaceAll(".", "-"), {
        vpcId: props.vpcId,
        serviceName: `com.amazonaws.${props.region}.${service}`,
        vpcEndpointType: "Interface",
        subnetIds: [...props.subnetIds],
        securityGroupIds: [this.group.id],
        privateDnsEnabled: true,
        ...(statements === undefined ? {} : { policy: policyDocument(statements) }),
        tags: { Name: `${props.prefix}-${service.replaceAll(".", "-")}-endpoint` },
      });
    }
  }

  /**
   * Lets a security group in, over HTTPS.
   *
   * @param id what the group is of, in the names of the rules: `functions`
   * @param group who connects
   * @param addRule whether the group needs a rule out as well. @default true
   */
  allow(id: string, group: SecurityGroup, addRule = true): void {
    this.group.allowIn(`from-${id}`, HTTPS, group, `AWS's services: requests from ${id}`);
    if (addRule) {
      group.allowOut("to-endpoints", HTTPS, this.group, "AWS's services, by interface endpoints");
    }
  }
}
