import { FlowLog } from "@cdktf/provider-aws/lib/flow-log";
import { Vpc as AwsVpc } from "@cdktf/provider-aws/lib/vpc";
import { VpcEndpoint } from "@cdktf/provider-aws/lib/vpc-endpoint";
import { type SubnetProps, Vpc, type VpcProps } from "../../constructs/vpc";
import { constructed } from "../support/constructed";
import { statementsOf } from "../support/expression";
import type { Synthesis } from "../support/synth";

const PUBLIC_A = { name: "Public 1", cidr: "10.0.1.0/24", zone: "eu-west-1a", public: true };
const PUBLIC_B = { name: "Public 2", cidr: "10.0.2.0/24", zone: "eu-west-1b", public: true };
const PRIVATE_A = { name: "Private Data 1", cidr: "10.0.20.0/24", zone: "eu-west-1a", public: false };
const PRIVATE_B = { name: "Private Data 2", cidr: "10.0.21.0/24", zone: "eu-west-1b", public: false };
const ALL = [PUBLIC_A, PUBLIC_B, PRIVATE_A, PRIVATE_B];

const PROPS: VpcProps = {
  prefix: "shop",
  cidr: "10.0.0.0/16",
  region: "eu-west-1",
  subnets: ALL,
  gatewayEndpoints: ["s3", "dynamodb"],
  flowLogsRetentionDays: 30,
};

function vpc(props: Partial<VpcProps> = {}) {
  return constructed((scope) => {
    new Vpc(scope, "vpc", { ...PROPS, ...props });
  });
}

/** Where a subnet's default route leads: the type of the gateway and, for a NAT gateway, the subnet that it is in. */
function wayOut(synthesis: Synthesis, cidr: string): string[] {
  const subnet = synthesis.reference("aws_subnet", { cidr_block: cidr }, "id");
  return synthesis
    .resources("aws_route_table_association")
    .filter(({ body }) => body.subnet_id === subnet)
    .flatMap(({ body }) =>
      synthesis.resources("aws_route").filter(({ body: route }) => route.route_table_id === body.route_table_id),
    )
    .filter(({ body }) => body.destination_cidr_block === "0.0.0.0/0")
    .map(({ body }) => {
      const nat = synthesis
        .resources("aws_nat_gateway")
        .find(({ address }) => body.nat_gateway_id === `\${${address}.id}`);
      const home = synthesis.resources("aws_subnet").find(({ address }) => nat?.body.subnet_id === `\${${address}.id}`);
      return nat ? `NAT in ${home?.body.cidr_block}` : body.gateway_id ? "internet gateway" : "nowhere";
    });
}

describe("Vpc", () => {
  const plain = vpc();

  test("resolves names, and has a name of its own like all that it holds", () => {
    expect(plain.text).toHaveResourceWithProperties(AwsVpc, {
      cidr_block: "10.0.0.0/16",
      enable_dns_hostnames: true,
      enable_dns_support: true,
      tags: { Name: "shop-vpc" },
    });
    expect(plain.resource("aws_internet_gateway").tags).toEqual({ Name: "shop-igw" });
    expect(plain.resource("aws_nat_gateway").tags).toEqual({ Name: "shop-nat-gw" });
  });

  test("each subnet has its range, its zone and its name, and hands out no public addresses to whoever does not ask", () => {
    const subnets = plain
      .resources("aws_subnet")
      .map(({ body }) => [body.cidr_block, body.availability_zone, body.tags]);
    expect(subnets.sort()).toEqual(ALL.map(({ cidr, zone, name }) => [cidr, zone, { Name: `shop ${name}` }]).sort());
    for (const { cidr } of [PRIVATE_A, PRIVATE_B]) {
      expect(plain.resource("aws_subnet", { cidr_block: cidr }).map_public_ip_on_launch ?? false).toBe(false);
    }
  });

  test("public subnets reach the internet, private ones through one NAT gateway in the first public subnet", () => {
    expect(plain.resources("aws_nat_gateway")).toHaveLength(1);
    expect(plain.resources("aws_eip")).toHaveLength(1);
    expect(ALL.map(({ cidr }) => wayOut(plain, cidr))).toEqual([
      ["internet gateway"],
      ["internet gateway"],
      ["NAT in 10.0.1.0/24"],
      ["NAT in 10.0.1.0/24"],
    ]);
  });

  test("with a NAT gateway per zone, no private subnet depends on another zone", () => {
    const perZone = vpc({ natPerZone: true });
    expect(perZone.resources("aws_nat_gateway")).toHaveLength(2);
    expect(perZone.resources("aws_eip")).toHaveLength(2);
    expect([PRIVATE_A, PRIVATE_B].map(({ cidr }) => wayOut(perZone, cidr))).toEqual([
      ["NAT in 10.0.1.0/24"],
      ["NAT in 10.0.2.0/24"],
    ]);
  });

  test("without NAT gateways, private subnets have route tables with no way to the internet", () => {
    const closed = vpc({ nat: false });
    expect(closed.resources("aws_nat_gateway")).toEqual([]);
    expect(closed.resources("aws_eip")).toEqual([]);
    expect([PRIVATE_A, PRIVATE_B].map(({ cidr }) => wayOut(closed, cidr))).toEqual([[], []]);
    expect(closed.resources("aws_route_table")).toHaveLength(2);
  });

  test("gives the prefix list of a service with a gateway endpoint, and names the one that has none", () => {
    constructed((scope) => {
      const construct = new Vpc(scope, "vpc", { ...PROPS, gatewayEndpoints: ["s3"] });
      expect(construct.prefixListId("s3")).toMatch(/TOKEN/);
      expect(() => construct.prefixListId("dynamodb")).toThrow(
        "stack/vpc: no gateway endpoint of dynamodb. Add it to gatewayEndpoints.",
      );
    });
  });

  test("without private subnets there is no NAT gateway, no address for it and no private route table", () => {
    const open = vpc({ subnets: [PUBLIC_A, PUBLIC_B], gatewayEndpoints: [] });
    expect(open.resources("aws_nat_gateway")).toEqual([]);
    expect(open.resources("aws_eip")).toEqual([]);
    expect(open.resources("aws_route_table")).toHaveLength(1);
  });

  test.each<[string, boolean, SubnetProps[], string]>([
    ["one NAT gateway", false, [PRIVATE_A], "eu-west-1a"],
    ["one per zone", true, [PUBLIC_A, PRIVATE_A, PRIVATE_B], "eu-west-1b"],
  ])("%s without a public subnet to put it in stops synth", (_, natPerZone, subnets, zone) => {
    expect(() => vpc({ natPerZone, subnets })).toThrow(
      `stack/vpc: no public subnet in zone ${zone} for a NAT gateway. Add one there.`,
    );
  });

  test.each(["s3", "dynamodb"])(
    "traffic to %s leaves through a gateway endpoint on every private route table",
    (service) => {
      const perZone = vpc({ natPerZone: true });
      const tables = perZone
        .resources("aws_route_table")
        .filter(({ body }) => (body.tags as { Name: string }).Name.startsWith("shop-private"))
        .map(({ address }) => `\${${address}.id}`);
      expect(tables).toHaveLength(2);
      expect(perZone.text).toHaveResourceWithProperties(VpcEndpoint, {
        service_name: `com.amazonaws.eu-west-1.${service}`,
        vpc_endpoint_type: "Gateway",
        route_table_ids: expect.arrayContaining(tables),
        tags: { Name: `shop-${service}-endpoint` },
      });
    },
  );

  test("has no endpoint unless asked", () => {
    expect(vpc({ gatewayEndpoints: undefined }).resources("aws_vpc_endpoint")).toEqual([]);
  });

  test("the default security group lets nothing through", () => {
    const body = plain.resource("aws_default_security_group");
    expect(body).not.toHaveProperty("ingress");
    expect(body).not.toHaveProperty("egress");
  });

  test("all traffic is logged, by a role that may write to that log group only", async () => {
    const group = plain.reference("aws_cloudwatch_log_group", undefined, "arn");
    expect(plain.text).toHaveResourceWithProperties(FlowLog, {
      traffic_type: "ALL",
      log_destination_type: "cloud-watch-logs",
      log_destination: group,
    });
    expect(plain.resource("aws_cloudwatch_log_group").retention_in_days).toBe(30);
    const [write, ...others] = await statementsOf(plain.resource("aws_iam_role_policy").policy);
    expect(others).toEqual([]);
    expect(write?.resources).toEqual([group, group.replace("}", "}:*")]);
  });

  test("asking for a subnet that does not exist names those that do", () => {
    constructed((scope) => {
      const construct = new Vpc(scope, "vpc", PROPS);
      expect(() => construct.subnetId("Public 9")).toThrow(
        'stack/vpc: no subnet is named "Public 9" (there are: Public 1, Public 2, Private Data 1, Private Data 2).',
      );
    });
  });
});
