import { expr, stackOf } from "../../support/synth";

const stack = stackOf("dev", "nanogrid-network");
const options = stackOf("options", "nanogrid-network");

/** A security group's id as other resources refer to it, by its physical name. */
const group = (name: string, from = stack) => from.reference("aws_security_group", { name }, "id");

/** What a group lets in: port and source, each with a description. */
function ingress(name: string, from = stack) {
  return from
    .resources("aws_vpc_security_group_ingress_rule")
    .filter(({ body }) => body.security_group_id === group(name, from))
    .map(({ body }) => {
      expect(body).toMatchObject({
        ip_protocol: "tcp",
        to_port: body.from_port,
        description: expect.stringMatching(/\w/),
      });
      return [body.from_port, body.referenced_security_group_id ?? body.cidr_ipv4];
    });
}

describe("nanogrid-network", () => {
  test("nanogrid-vpc has 10.0.0.0/16 and host names", () => {
    expect(stack.resource("aws_vpc")).toMatchObject({
      cidr_block: "10.0.0.0/16",
      enable_dns_hostnames: true,
      tags: { Name: "nanogrid-vpc" },
    });
    expect(stack.resource("aws_internet_gateway").tags).toEqual({ Name: "nanogrid-igw" });
  });

  test.each([
    ["public-1", "nanogrid Public 1", "10.0.1.0/24", "ap-northeast-2a", "public"],
    ["public-2", "nanogrid Public 2", "10.0.2.0/24", "ap-northeast-2c", "public"],
    ["private-app", "nanogrid Private App", "10.0.10.0/24", "ap-northeast-2a", "private"],
    ["private-data-1", "nanogrid Private Data 1", "10.0.20.0/24", "ap-northeast-2a", "private"],
    ["private-data-2", "nanogrid Private Data 2", "10.0.21.0/24", "ap-northeast-2c", "private"],
  ])("%s: %s is %s in %s with %s routes", (id, name, cidr, zone, routes) => {
    expect(stack.resource("aws_subnet", `vpc_${id}`)).toMatchObject({
      cidr_block: cidr,
      availability_zone: zone,
      tags: { Name: name },
    });
    expect(stack.resource("aws_route_table_association", `vpc_${id}-routes`)).toMatchObject({
      subnet_id: `\${aws_subnet.vpc_${id}.id}`,
      route_table_id: `\${aws_route_table.vpc_${routes}-routes.id}`,
    });
  });

  test("has five subnets and no more", () => {
    expect(stack.resources("aws_subnet")).toHaveLength(5);
  });

  test("public routes lead to the internet gateway, private ones to the NAT gateway in Public 1", () => {
    expect(stack.resource("aws_route", "vpc_public-default-route")).toMatchObject({
      destination_cidr_block: "0.0.0.0/0",
      gateway_id: expr("aws_internet_gateway.vpc_internet-gateway.id"),
    });
    expect(stack.resource("aws_route", "vpc_private-default-route")).toMatchObject({
      destination_cidr_block: "0.0.0.0/0",
      nat_gateway_id: expr("aws_nat_gateway.vpc_nat-gateway.id"),
    });
    expect(stack.resource("aws_nat_gateway")).toMatchObject({
      subnet_id: expr("aws_subnet.vpc_public-1.id"),
      tags: { Name: "nanogrid-nat-gw" },
    });
  });

  test("one setting puts a NAT gateway into each zone", () => {
    const homes = options.resources("aws_nat_gateway").map(({ body }) => body.subnet_id);
    expect(homes.sort()).toEqual([expr("aws_subnet.vpc_public-1.id"), expr("aws_subnet.vpc_public-2.id")]);
  });

  test.each(["s3", "dynamodb"])("nanogrid-%s-endpoint is a gateway on the private routes", (service) => {
    expect(stack.resource("aws_vpc_endpoint", `vpc_${service}-endpoint`)).toMatchObject({
      service_name: `com.amazonaws.ap-northeast-2.${service}`,
      vpc_endpoint_type: "Gateway",
      route_table_ids: [expr("aws_route_table.vpc_private-routes.id")],
      tags: { Name: `nanogrid-${service}-endpoint` },
    });
  });

  test("traffic is logged and the default security group is empty", () => {
    expect(stack.resource("aws_flow_log")).toMatchObject({ traffic_type: "ALL" });
    expect(stack.resource("aws_default_security_group")).not.toHaveProperty("ingress");
    expect(stack.resource("aws_default_security_group")).not.toHaveProperty("egress");
  });

  describe("security groups", () => {
    test("nanogrid-alb-sg: 80 and 443 from anywhere", () => {
      expect(ingress("nanogrid-alb-sg")).toEqual([
        [80, "0.0.0.0/0"],
        [443, "0.0.0.0/0"],
      ]);
    });

    test("nanogrid-controller-sg: 8080 from the load balancer, and no SSH", () => {
      expect(ingress("nanogrid-controller-sg")).toEqual([[8080, group("nanogrid-alb-sg")]]);
    });

    test("nanogrid-controller-sg: 22 from the ranges that a setting names", () => {
      expect(ingress("nanogrid-controller-sg", options)).toEqual(
        expect.arrayContaining([
          [22, "203.0.113.0/24"],
          [22, "198.51.100.7/32"],
          [8080, group("nanogrid-alb-sg", options)],
        ]),
      );
      expect(ingress("nanogrid-controller-sg", options)).toHaveLength(3);
    });

    test("nanogrid-worker-sg: nothing", () => {
      expect(ingress("nanogrid-worker-sg")).toEqual([]);
    });

    test("nanogrid-redis-sg: 6379 from controllers and workers", () => {
      expect(ingress("nanogrid-redis-sg")).toEqual([
        [6379, group("nanogrid-controller-sg")],
        [6379, group("nanogrid-worker-sg")],
      ]);
    });

    test("nanogrid-ai-sg: 11434 from workers, 22 from controllers", () => {
      expect(ingress("nanogrid-ai-sg")).toEqual([
        [11434, group("nanogrid-worker-sg")],
        [22, group("nanogrid-controller-sg")],
      ]);
    });

    test("there is no other group", () => {
      const names = stack.resources("aws_security_group").map(({ body }) => body.name);
      expect(names.sort()).toEqual([
        "nanogrid-ai-sg",
        "nanogrid-alb-sg",
        "nanogrid-controller-sg",
        "nanogrid-redis-sg",
        "nanogrid-worker-sg",
      ]);
    });

    test("everything out for all but Redis, which has no way out", () => {
      const rules = stack.resources("aws_vpc_security_group_egress_rule");
      expect(rules.map(({ body }) => body.security_group_id).sort()).toEqual(
        ["nanogrid-ai-sg", "nanogrid-alb-sg", "nanogrid-controller-sg", "nanogrid-worker-sg"]
          .map((name) => group(name))
          .sort(),
      );
      for (const { body } of rules) {
        expect(body).toMatchObject({
          ip_protocol: "-1",
          cidr_ipv4: "0.0.0.0/0",
          description: expect.stringMatching(/\w/),
        });
      }
    });
  });
});
