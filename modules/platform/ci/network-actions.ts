/** What Terraform calls for VPCs and what is in them, load balancers and web ACLs. */
import { created, createdBy, TAGGED, TAGS, tagged } from "./ec2-scope";
import {
  type ActionTable,
  EVERYTHING,
  fixed,
  NAME,
  named,
  read,
  type Scope,
  serviceLinkedRole,
  type TypeActions,
  write,
} from "./scope";

const LOAD_BALANCERS = named(
  "LoadBalancers",
  `elasticloadbalancing:{region}:{account}:loadbalancer/app/${NAME}*`,
  `elasticloadbalancing:{region}:{account}:listener/app/${NAME}*`,
  `elasticloadbalancing:{region}:{account}:targetgroup/${NAME}*`,
);
const WEB_ACLS = named("WebAcls", `wafv2:{region}:{account}:regional/webacl/${NAME}*`);
const RULE_SETS = fixed(
  "RuleSets",
  "AWS's own rules, which belong to nobody",
  "wafv2:{region}:{account}:regional/managedruleset/*",
);
const PROTECTED = named(
  "Protected",
  `elasticloadbalancing:{region}:{account}:loadbalancer/app/${NAME}*`,
  `wafv2:{region}:{account}:regional/webacl/${NAME}*`,
);
/** What others made, untagged: only such a one may be taken over, with this project's tags. */
function untagged(label: string, type: string): Scope {
  const { conditions = [], ...scope } = created(type);
  const nobodys = { test: "Null", variable: "aws:ResourceTag/project", values: ["true"] };
  return { ...scope, label, conditions: [...conditions, nobodys] };
}

/** The default security group comes with its VPC. */
const UNTAGGED_GROUPS = untagged("UntaggedGroups", "security-group");
/** A peering comes with the request of whoever wants it. */
const UNTAGGED_PEERINGS = untagged("UntaggedPeerings", "vpc-peering-connection");

/** A peering is made by whoever asks for it, without tags of ours: the VPC that it is for bounds it until it has them. */
const ASKED_PEERINGS: Scope = {
  label: "AskedPeerings",
  arns: ["ec2:{region}:{account}:vpc-peering-connection/*"],
  conditions: [{ test: "ArnLike", variable: "ec2:AccepterVpc", values: ["arn:aws:ec2:{region}:{account}:vpc/*"] }],
  reason: "who asks for a peering makes it, and only requests to this account are meant",
};
const PEERINGS: TypeActions = {
  rows: [
    read(EVERYTHING, "ec2:DescribeVpcPeeringConnections"),
    write(ASKED_PEERINGS, "ec2:AcceptVpcPeeringConnection"),
    write(TAGGED, "ec2:AcceptVpcPeeringConnection", "ec2:ModifyVpcPeeringConnectionOptions"),
    write(UNTAGGED_PEERINGS, "ec2:CreateTags"),
    TAGS,
  ],
};
/** Private DNS of an interface endpoint: a hosted zone of the service's, which has no name of ours. */
const SERVICE_ZONES = fixed("ServiceZones", "the zones of interface endpoints are AWS's own", "route53:::hostedzone/*");

const RULES = {
  rows: [
    read(EVERYTHING, "ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups"),
    write(
      TAGGED,
      "ec2:ModifySecurityGroupRules",
      "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
      "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
    ),
    TAGS,
  ],
};

function rule(direction: "Ingress" | "Egress"): TypeActions {
  const authorize = `ec2:AuthorizeSecurityGroup${direction}`;
  return {
    rows: [
      ...RULES.rows,
      write(created("security-group-rule"), authorize),
      write(createdBy(authorize), "ec2:CreateTags"),
      write(TAGGED, authorize, `ec2:RevokeSecurityGroup${direction}`),
    ],
  };
}

const ROUTES: TypeActions = {
  rows: [
    read(EVERYTHING, "ec2:DescribeRouteTables"),
    write(TAGGED, "ec2:CreateRoute", "ec2:DeleteRoute", "ec2:ReplaceRoute"),
  ],
};

const groupRules = ["ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"];

export const NETWORK_ACTIONS: ActionTable = {
  aws_vpc: {
    rows: [
      ...tagged(
        "vpc",
        "ec2:CreateVpc",
        ["ec2:DescribeNetworkAcls", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeVpcs"],
        ["ec2:DeleteVpc", "ec2:ModifyVpcAttribute"],
      ).rows,
      read(TAGGED, "ec2:DescribeVpcAttribute"),
    ],
  },
  aws_subnet: tagged(
    "subnet",
    "ec2:CreateSubnet",
    ["ec2:DescribeSubnets", "ec2:DescribeNetworkInterfaces"],
    ["ec2:CreateSubnet", "ec2:DeleteSubnet", "ec2:ModifySubnetAttribute"],
  ),
  aws_internet_gateway: tagged(
    "internet-gateway",
    "ec2:CreateInternetGateway",
    ["ec2:DescribeInternetGateways"],
    ["ec2:AttachInternetGateway", "ec2:DeleteInternetGateway", "ec2:DetachInternetGateway"],
  ),
  aws_eip: tagged(
    "elastic-ip",
    "ec2:AllocateAddress",
    ["ec2:DescribeAddresses", "ec2:DescribeAddressesAttribute", "ec2:DescribeNetworkInterfaces"],
    ["ec2:AssociateAddress", "ec2:DisassociateAddress", "ec2:ReleaseAddress"],
  ),
  aws_nat_gateway: tagged(
    "natgateway",
    "ec2:CreateNatGateway",
    ["ec2:DescribeNatGateways"],
    ["ec2:CreateNatGateway", "ec2:DeleteNatGateway"],
  ),
  aws_route_table: tagged(
    "route-table",
    "ec2:CreateRouteTable",
    ["ec2:DescribeRouteTables"],
    ["ec2:CreateRouteTable", "ec2:DeleteRouteTable", "ec2:DisassociateRouteTable"],
  ),
  aws_route: ROUTES,
  aws_route_table_association: {
    rows: [
      read(EVERYTHING, "ec2:DescribeRouteTables"),
      write(TAGGED, "ec2:AssociateRouteTable", "ec2:DisassociateRouteTable", "ec2:ReplaceRouteTableAssociation"),
    ],
  },
  aws_vpc_endpoint: {
    rows: [
      ...tagged(
        "vpc-endpoint",
        "ec2:CreateVpcEndpoint",
        ["ec2:DescribeVpcEndpoints", "ec2:DescribePrefixLists"],
        ["ec2:CreateVpcEndpoint", "ec2:DeleteVpcEndpoints", "ec2:ModifyVpcEndpoint"],
      ).rows,
      write(SERVICE_ZONES, "route53:AssociateVPCWithHostedZone"),
    ],
  },
  aws_vpc_peering_connection_accepter: PEERINGS,
  aws_vpc_peering_connection_options: PEERINGS,
  aws_flow_log: {
    rows: [
      ...tagged(
        "vpc-flow-log",
        "ec2:CreateFlowLogs",
        ["ec2:DescribeFlowLogs"],
        ["ec2:CreateFlowLogs", "ec2:DeleteFlowLogs"],
      ).rows,
      write(EVERYTHING, "logs:CreateLogDelivery", "logs:DeleteLogDelivery"),
    ],
  },
  aws_security_group: tagged(
    "security-group",
    "ec2:CreateSecurityGroup",
    ["ec2:DescribeSecurityGroups", "ec2:DescribeNetworkInterfaces"],
    ["ec2:CreateSecurityGroup", "ec2:DeleteSecurityGroup", ...groupRules],
  ),
  aws_default_security_group: {
    rows: [
      read(EVERYTHING, "ec2:DescribeSecurityGroups", "ec2:DescribeNetworkInterfaces"),
      write(UNTAGGED_GROUPS, "ec2:CreateTags"),
      write(TAGGED, ...groupRules),
      TAGS,
    ],
  },
  aws_vpc_security_group_ingress_rule: rule("Ingress"),
  aws_vpc_security_group_egress_rule: rule("Egress"),
  aws_lb: {
    name: "name",
    rows: [
      read(
        EVERYTHING,
        "elasticloadbalancing:DescribeCapacityReservation",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTags",
      ),
      write(
        LOAD_BALANCERS,
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:CreateLoadBalancer",
        "elasticloadbalancing:DeleteLoadBalancer",
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:RemoveTags",
        "elasticloadbalancing:SetIpAddressType",
        "elasticloadbalancing:SetSecurityGroups",
        "elasticloadbalancing:SetSubnets",
      ),
      serviceLinkedRole("elasticloadbalancing.amazonaws.com"),
    ],
  },
  aws_lb_listener: {
    rows: [
      read(
        EVERYTHING,
        "elasticloadbalancing:DescribeListenerAttributes",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeTags",
      ),
      write(
        LOAD_BALANCERS,
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:ModifyListener",
        "elasticloadbalancing:ModifyListenerAttributes",
        "elasticloadbalancing:RemoveTags",
      ),
    ],
  },
  aws_lb_target_group: {
    name: "name",
    rows: [
      read(
        EVERYTHING,
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
      ),
      write(
        LOAD_BALANCERS,
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:CreateTargetGroup",
        "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:ModifyTargetGroup",
        "elasticloadbalancing:ModifyTargetGroupAttributes",
        "elasticloadbalancing:RemoveTags",
      ),
    ],
  },
  aws_wafv2_web_acl: {
    name: "name",
    rows: [
      read(WEB_ACLS, "wafv2:GetWebACL", "wafv2:ListTagsForResource"),
      write(
        WEB_ACLS,
        "wafv2:CreateWebACL",
        "wafv2:DeleteWebACL",
        "wafv2:TagResource",
        "wafv2:UntagResource",
        "wafv2:UpdateWebACL",
      ),
      write(RULE_SETS, "wafv2:CreateWebACL", "wafv2:UpdateWebACL"),
    ],
  },
  aws_wafv2_web_acl_association: {
    rows: [
      read(PROTECTED, "wafv2:GetWebACLForResource", "wafv2:GetWebACL"),
      write(PROTECTED, "wafv2:AssociateWebACL", "wafv2:DisassociateWebACL"),
      write(EVERYTHING, "elasticloadbalancing:SetWebACL"),
    ],
  },
  aws_wafv2_web_acl_logging_configuration: {
    rows: [
      read(WEB_ACLS, "wafv2:GetLoggingConfiguration"),
      write(WEB_ACLS, "wafv2:DeleteLoggingConfiguration", "wafv2:PutLoggingConfiguration"),
      write(
        EVERYTHING,
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeResourcePolicies",
        "logs:PutResourcePolicy",
      ),
      serviceLinkedRole("wafv2.amazonaws.com"),
    ],
  },
};
