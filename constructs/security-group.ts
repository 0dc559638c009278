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

/** What reaches a group: another group, or a range of addresses. */
export type Source = SecurityGroup | { readonly cidr: string };

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
   * Lets one TCP port in.
   *
   * @param id name of the rule in the state: `from-load-balancer`
   * @param port TCP port
   * @param source who may connect
   * @param description why
   */
  allowIn(id: string, port: number, source: Source, description: string): void {
    new VpcSecurityGroupIngressRule(this, id, {
      securityGroupId: this.id,
      ipProtocol: "tcp",
      fromPort: port,
      toPort: port,
      ...(source instanceof SecurityGroup ? { referencedSecurityGroupId: source.id } : { cidrIpv4: source.cidr }),
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
