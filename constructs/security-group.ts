/** A security group whose rules are resources of their own, each with a description. */
import { SecurityGroup as AwsSecurityGroup } from "@cdktf/provider-aws/lib/security-group";
import { VpcSecurityGroupEgressRule } from "@cdktf/provider-aws/lib/vpc-security-group-egress-rule";
import { VpcSecurityGroupIngressRule } from "@cdktf/provider-aws/lib/vpc-security-group-ingress-rule";
import { Construct } from "constructs";

export interface SecurityGroupProps {
  /** Physical name, which is also the `Name` tag. */
  readonly name: string;
  /** What the group is for. Changing it replaces the group. */
  readonly description: string;
  /** Id of the VPC. */
  readonly vpcId: string;
}

/** What reaches a group, or is reached from it: another group, one that AWS makes by its id, a range of addresses, or a prefix list such as that of S3. */
export type Source =
  | SecurityGroup
  | { readonly groupId: string }
  | { readonly cidr: string }
  | { readonly prefixListId: string };

/** Neighbouring ports, both ends included. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** A security group. It lets nothing in and nothing out until a rule says so. */
export class SecurityGroup extends Construct {
  /** Id of the group. */
  readonly id: string;

  constructor(scope: Construct, id: string, props: SecurityGroupProps) {
    super(scope, id);
    const group = new AwsSecurityGroup(this, "Resource", {
      name: props.name,
      description: props.description,
      vpcId: props.vpcId,
      tags: { Name: props.name },
    });
    this.id = group.id;
  }

  /**
   * Lets one TCP port in. What is open to the whole internet on purpose says so with an `exception` for the rule that this gives.
   *
   * @param id name of the rule in the state: `from-load-balancer`
   * @param port TCP port
   * @param source who may connect
   * @param description why
   */
  allowIn(id: string, port: number, source: Source, description: string): VpcSecurityGroupIngressRule {
    return new VpcSecurityGroupIngressRule(this, id, {
      securityGroupId: this.id,
      ipProtocol: "tcp",
      ...portsOf(port),
      ...peerOf(source),
      description,
      tags: { Name: id },
    });
  }

  /**
   * Lets TCP ports of one destination out.
   *
   * @param id name of the rule in the state: `to-tasks`
   * @param port TCP port, or neighbouring ones
   * @param destination what may be connected to
   * @param description why
   */
  allowOut(id: string, port: number | PortRange, destination: Source, description: string): void {
    new VpcSecurityGroupEgressRule(this, id, {
      securityGroupId: this.id,
      ipProtocol: "tcp",
      ...portsOf(port),
      ...peerOf(destination),
      description,
      tags: { Name: id },
    });
  }

  /** Lets everything out over IPv4: what AWS does by default and Terraform takes away. */
  allowAllOut(description: string): void {
    new VpcSecurityGroupEgressRule(this, "all-out", {
      securityGroupId: this.id,
      ipProtocol: "-1",
      cidrIpv4: "0.0.0.0/0",
      description,
      tags: { Name: "all-out" },
    });
  }
}

function portsOf(port: number | PortRange): { fromPort: number; toPort: number } {
  const { from, to } = typeof port === "number" ? { from: port, to: port } : port;
  return { fromPort: from, toPort: to };
}

function peerOf(peer: Source) {
  if (peer instanceof SecurityGroup) {
    return { referencedSecurityGroupId: peer.id };
  }
  if ("groupId" in peer) {
    return { referencedSecurityGroupId: peer.groupId };
  }
  return "cidr" in peer ? { cidrIpv4: peer.cidr } : { prefixListId: peer.prefixListId };
}
