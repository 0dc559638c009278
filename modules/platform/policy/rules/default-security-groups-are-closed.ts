/** Default security groups that let nothing through. */
import type { Rule } from "../rule";

export const defaultSecurityGroupsAreClosed: Rule = {
  id: "default-security-groups-are-closed",
  title: "Every VPC's default security group is taken over, without any rule.",
  reason: "What is made without a security group gets the default one, in which everything may talk to everything.",
  remedy: "Make the VPC with constructs/vpc.ts, or add an aws_default_security_group without rules.",
  types: ["aws_vpc"],
  check: (vpc) => {
    const [group] = vpc.companions("aws_default_security_group", "vpc_id");
    if (group === undefined) {
      return "no aws_default_security_group takes over its default security group";
    }
    return (group.body.ingress ?? group.body.egress) ? `${group.address} has rules` : undefined;
  },
};
