/** Ways in and out: gateways, balancers, endpoints, addresses, and the web ACL. */
import { always, each } from "../assumptions";
import { HOURS } from "../prices";
import { blocks, type Charge, hourly, isTrue, monthly, type Pricing, textOf, times, used } from "../pricing";

/** Subnets of a balancer or an endpoint whose number is not known before a plan. */
const USUAL_ZONES = 2;

const loadBalancer: Pricing = (balancer, { inventory, usage }) => {
  const type = textOf(balancer.body, "load_balancer_type", "application");
  const kind = type === "application" ? "alb" : "nlb";
  const zones = inventory.count(balancer, "subnets") || inventory.count(balancer, "subnet_mapping") || USUAL_ZONES;
  const capacity = used(
    "capacity units",
    `${kind}/lcu`,
    each(usage("loadBalancerLcu"), (units) => units * HOURS),
  );
  const charges = [hourly(`${type} load balancer`, `${kind}/hour`, always(1)), capacity];
  return isTrue(balancer.body, "internal")
    ? charges
    : [...charges, addresses(zones), used("answers to the internet", "transfer/internet", usage("internetOutGb"))];
};

const interfaceEndpoint: Pricing = (endpoint, { inventory, usage }) => {
  if (textOf(endpoint.body, "vpc_endpoint_type", "Gateway") !== "Interface") {
    return [];
  }
  const zones = inventory.count(endpoint, "subnet_ids") || USUAL_ZONES;
  const service = String(endpoint.body.service_name ?? "");
  return [
    hourly(times(always(zones), "interface"), "endpoint/hour", always(zones)),
    used("data", "endpoint/gb", usage("endpointGb")),
    ...(service.endsWith("bedrock-runtime")
      ? [
          used("embedding tokens", "bedrock/embedding-tokens", usage("embeddingTokenMillions")),
          used("text tokens", "bedrock/text-tokens", usage("textTokenMillions")),
        ]
      : []),
  ];
};

/** Networks that are charged. */
export const NETWORK: Readonly<Record<string, Pricing>> = {
  aws_nat_gateway: (_, { usage }) => [
    hourly("NAT gateway", "nat/hour", always(1)),
    used("data", "nat/gb", usage("natGb")),
  ],
  aws_eip: () => [addresses(1)],
  aws_lb: loadBalancer,
  aws_vpc_endpoint: interfaceEndpoint,
  aws_vpc: (_, { usage }) => [used("data between zones", "transfer/zone", usage("crossZoneGb"))],
  aws_wafv2_web_acl: ({ body }, { usage }) => [
    monthly("web ACL", "waf/acl", 1),
    monthly(`${blocks(body, "rule").length} rules`, "waf/rule", blocks(body, "rule").length),
    used("requests", "waf/request", usage("webAclMillions")),
  ],
  aws_route53_zone: () => [monthly("hosted zone", "route53/zone", 1)],
};

function addresses(count: number): Charge {
  return hourly(times(always(count), "public IPv4 address"), "ipv4", always(count));
}
