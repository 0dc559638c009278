/** Security groups whose rules are resources of their own. */
import type { Rule } from "../rule";

export const securityGroupRulesStandAlone: Rule = {
  id: "security-group-rules-stand-alone",
  title: "Rules of security groups are resources of their own, each with a description.",
  reason:
    "Inline rules and rules of the old kind overwrite each other, and a rule without a description cannot be reviewed.",
  remedy:
    "Use constructs/security-group.ts, or aws_vpc_security_group_ingress_rule and aws_vpc_security_group_egress_rule.",
  types: [
    "aws_security_group",
    "aws_default_security_group",
    "aws_security_group_rule",
    "aws_vpc_security_group_ingress_rule",
    "aws_vpc_security_group_egress_rule",
  ],
  check: ({ type, body }) => {
    if (type === "aws_security_group_rule") {
      return "it is a rule of the old kind";
    }
    if (type.endsWith("_rule")) {
      return body.description ? undefined : "it has no description";
    }
    const inline = ["ingress", "egress"].filter((key) => body[key] !== undefined);
    return inline.length === 0 ? undefined : `it has inline ${inline.join(" and ")} rules`;
  },
};
