/** Nothing that the whole internet may connect to. */
import { blocks, strings } from "../json";
import type { JudgedResource, Rule } from "../rule";

/** Ranges that hold a large part of the internet: none that anybody owns has fewer than eight bits of prefix. */
const WORLD = /\/[0-7]$/;

export const noIngressFromTheWorld: Rule = {
  id: "no-ingress-from-the-world",
  title: "No security group and no access list of a database lets the whole internet in, and none lets everything in.",
  reason: "Every scanner of the internet finds an open port within minutes.",
  remedy:
    "Let in another security group or the ranges that need it. What is public on purpose gets an exception at its rule.",
  types: [
    "aws_vpc_security_group_ingress_rule",
    "aws_security_group_rule",
    "aws_security_group",
    "aws_default_security_group",
    "aws_network_acl_rule",
    "mongodbatlas_project_ip_access_list",
  ],
  check: (resource) => {
    const { type, body } = resource;
    if (type === "aws_network_acl_rule") {
      return !body.egress && body.rule_action === "allow" && isOpen(resource, body) && body.protocol === "-1"
        ? "the network ACL allows everything from anywhere"
        : undefined;
    }
    if (type === "mongodbatlas_project_ip_access_list") {
      return isOpen(resource, body) ? "the access list lets the whole internet in" : undefined;
    }
    const rules = type.endsWith("_group") ? blocks(body.ingress) : body.type === "egress" ? [] : [body];
    const found = rules.flatMap((rule) => {
      const ports =
        rule.from_port === rule.to_port ? `port ${rule.from_port}` : `ports ${rule.from_port} to ${rule.to_port}`;
      const protocol = rule.ip_protocol ?? rule.protocol;
      const all = protocol === "-1" || protocol === -1;
      return isOpen(resource, rule)
        ? [`${all ? "everything" : ports} is open to the whole internet`]
        : all && !refersToItself(rule)
          ? ["every port is open"]
          : [];
    });
    return found.length === 0 ? undefined : found.join(", ");
  },
};

function isOpen(resource: JudgedResource, rule: JudgedResource["body"]): boolean {
  const ranges = [
    rule.cidr_ipv4,
    rule.cidr_ipv6,
    rule.cidr_block,
    rule.ipv6_cidr_block,
    rule.cidr_blocks,
    rule.ipv6_cidr_blocks,
  ];
  return ranges.flatMap((range) => strings(resource.resolved(range))).some((range) => WORLD.test(range));
}

function refersToItself(rule: JudgedResource["body"]): boolean {
  const source = rule.referenced_security_group_id ?? rule.source_security_group_id;
  return rule.self === true || (source !== undefined && source === rule.security_group_id);
}
