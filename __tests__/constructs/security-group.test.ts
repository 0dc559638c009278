import { SecurityGroup as AwsSecurityGroup } from "@cdktf/provider-aws/lib/security-group";
import { VpcSecurityGroupEgressRule } from "@cdktf/provider-aws/lib/vpc-security-group-egress-rule";
import { VpcSecurityGroupIngressRule } from "@cdktf/provider-aws/lib/vpc-security-group-ingress-rule";
import type { Construct } from "constructs";
import { SecurityGroup } from "../../constructs/security-group";
import { constructed } from "../support/constructed";

function group(scope: Construct, name: string): SecurityGroup {
  return new SecurityGroup(scope, name, { name, description: `Group ${name}`, vpcId: "vpc-1" });
}

describe("SecurityGroup", () => {
  test("lets nothing in and nothing out until a rule says so", () => {
    const synthesis = constructed((scope) => {
      group(scope, "redis");
    });
    expect(synthesis.text).toHaveResourceWithProperties(AwsSecurityGroup, {
      name: "redis",
      description: "Group redis",
      vpc_id: "vpc-1",
      tags: { Name: "redis" },
    });
    expect(synthesis.resources()).toHaveLength(1);
  });

  test("rules are resources of their own: an inline rule would fight with them", () => {
    const synthesis = constructed((scope) => {
      const own = group(scope, "own");
      own.allowIn("http", 80, { cidr: "0.0.0.0/0" }, "HTTP");
      own.allowAllOut("Anything");
    });
    expect(synthesis.resource("aws_security_group")).not.toHaveProperty("ingress");
    expect(synthesis.resource("aws_security_group")).not.toHaveProperty("egress");
  });

  test("another group is named by reference, not by addresses", () => {
    const synthesis = constructed((scope) => {
      group(scope, "redis").allowIn("from-workers", 6379, group(scope, "workers"), "Job status");
    });
    expect(synthesis.text).toHaveResourceWithProperties(VpcSecurityGroupIngressRule, {
      security_group_id: synthesis.reference("aws_security_group", { name: "redis" }, "id"),
      referenced_security_group_id: synthesis.reference("aws_security_group", { name: "workers" }, "id"),
      ip_protocol: "tcp",
      from_port: 6379,
      to_port: 6379,
      description: "Job status",
    });
    expect(synthesis.resource("aws_vpc_security_group_ingress_rule")).not.toHaveProperty("cidr_ipv4");
  });

  test("what goes out may be one port of one group", () => {
    const synthesis = constructed((scope) => {
      group(scope, "front").allowOut("to-tasks", 50101, group(scope, "tasks"), "Requests");
    });
    expect(synthesis.resource("aws_vpc_security_group_egress_rule")).toMatchObject({
      security_group_id: synthesis.reference("aws_security_group", { name: "front" }, "id"),
      referenced_security_group_id: synthesis.reference("aws_security_group", { name: "tasks" }, "id"),
      from_port: 50101,
      to_port: 50101,
    });
  });

  test("what goes out may be neighbouring ports of a range, or a port of a service's prefix list", () => {
    const synthesis = constructed((scope) => {
      const own = group(scope, "front");
      own.allowOut("to-database", { from: 27015, to: 27017 }, { cidr: "10.9.0.0/21" }, "MongoDB");
      own.allowOut("to-s3", 443, { prefixListId: "pl-1" }, "Images");
    });
    expect(synthesis.resource("aws_vpc_security_group_egress_rule", { from_port: 27015 })).toMatchObject({
      to_port: 27017,
      cidr_ipv4: "10.9.0.0/21",
    });
    expect(synthesis.resource("aws_vpc_security_group_egress_rule", { from_port: 443 })).toMatchObject({
      to_port: 443,
      prefix_list_id: "pl-1",
    });
  });

  test("a range of addresses is one rule with one port", () => {
    const synthesis = constructed((scope) => {
      group(scope, "front").allowIn("https", 443, { cidr: "203.0.113.0/24" }, "HTTPS");
    });
    expect(synthesis.resource("aws_vpc_security_group_ingress_rule")).toMatchObject({
      cidr_ipv4: "203.0.113.0/24",
      from_port: 443,
      to_port: 443,
    });
    expect(synthesis.resource("aws_vpc_security_group_ingress_rule")).not.toHaveProperty(
      "referenced_security_group_id",
    );
  });

  test("everything out is stated, with a reason and without ports", () => {
    const synthesis = constructed((scope) => {
      group(scope, "workers").allowAllOut("Package mirrors");
    });
    expect(synthesis.text).toHaveResourceWithProperties(VpcSecurityGroupEgressRule, {
      ip_protocol: "-1",
      cidr_ipv4: "0.0.0.0/0",
      description: "Package mirrors",
    });
    expect(synthesis.resource("aws_vpc_security_group_egress_rule")).not.toHaveProperty("from_port");
  });
});
