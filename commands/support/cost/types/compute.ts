/** Instances, alone or in groups, and what comes with each: volumes, addresses, metrics. */
import { always, each, type Levels } from "../assumptions";
import type { Body, CostedResource } from "../inventory";
import {
  block,
  blocks,
  type Charge,
  hourly,
  isTrue,
  numberOf,
  type Pricing,
  type PricingContext,
  textOf,
  times,
  Unpriced,
} from "../pricing";

/** Metrics of an instance that are charged once they come every minute. */
const DETAILED_METRICS = 7;
/** What EKS gives a node without a size of its own. */
const NODE_VOLUME_GIB = 20;

/** What each instance of a group or of its own has. */
interface InstanceShape {
  readonly volumes: readonly { readonly type: string; readonly gib: number }[];
  readonly detailedMonitoring: boolean;
  readonly publicAddress: boolean;
}

const autoscalingGroup: Pricing = (group, context) => {
  const { inventory } = context;
  const mixed = block(group.body, "mixed_instances_policy");
  const template = inventory.linked(
    group,
    mixed ? "mixed_instances_policy" : "launch_template",
    "aws_launch_template",
  )[0];
  if (!template) {
    throw new Unpriced("its launch template is not in its stack");
  }
  const count = groupSize(group.body);
  const own = textOf(template.body, "instance_type");
  return [
    ...(mixed ? mixedInstances(mixed, own, count, context) : [instances(own, count)]),
    ...extras(shapeOf(template, isPublic(group, "vpc_zone_identifier", context)), count),
  ];
};

const instance: Pricing = (one, context) => {
  const { body } = one;
  const roots = blocks(body, "root_block_device");
  const volumes = [...roots, ...blocks(body, "ebs_block_device")].map(volumeOf);
  const address = body.associate_public_ip_address;
  const publicAddress =
    address === undefined || address === null ? isPublic(one, "subnet_id", context) : address === true;
  const shape = { volumes, detailedMonitoring: isTrue(body, "monitoring"), publicAddress };
  return [instances(textOf(body, "instance_type"), always(1)), ...extras(shape, always(1))];
};

const nodeGroup: Pricing = (group, { inventory }) => {
  const scaling = block(group.body, "scaling_config");
  const min = numberOf(scaling, "min_size");
  const desired = numberOf(scaling, "desired_size", min);
  const count = { idle: min, low: min, typical: Math.max(min, desired), high: numberOf(scaling, "max_size") };
  const template = inventory.linked(group, "launch_template", "aws_launch_template")[0];
  const [type = template && textOf(template.body, "instance_type")] = (group.body.instance_types ?? []) as string[];
  if (type === undefined) {
    throw new Unpriced("neither it nor its launch template names an instance type");
  }
  const gib = numberOf(group.body, "disk_size", NODE_VOLUME_GIB);
  const shape = template
    ? shapeOf(template, false)
    : { volumes: [{ type: "gp3", gib }], detailedMonitoring: false, publicAddress: false };
  return [instances(type, count), ...extras(shape, count)];
};

const volume: Pricing = ({ body }) => {
  const { type, gib } = volumeOf({ volume_type: body.type, volume_size: body.size });
  return [storage(type, gib, always(1))];
};

/** Compute that is charged. */
export const COMPUTE: Readonly<Record<string, Pricing>> = {
  aws_autoscaling_group: autoscalingGroup,
  aws_instance: instance,
  aws_eks_node_group: nodeGroup,
  aws_ebs_volume: volume,
  aws_eks_cluster: () => [hourly("control plane", "eks/hour", always(1))],
};

/** A group's size: its minimum when idle, what it is made with as the typical size. */
function groupSize(body: Body): Levels {
  const min = numberOf(body, "min_size");
  const typical = Math.max(min, numberOf(body, "desired_capacity", min));
  return { idle: min, low: min, typical, high: numberOf(body, "max_size") };
}

function instances(type: string, count: Levels): Charge {
  return { ...hourly(times(count, type), `ec2/${type}`, count), instanceType: type };
}

/** On-demand instances up to the base and the share above it, the rest spot at the assumed share of the price. */
function mixedInstances(policy: Body, own: string, count: Levels, { usage }: PricingContext): Charge[] {
  const distribution = block(policy, "instances_distribution");
  const base = numberOf(distribution, "on_demand_base_capacity", 0);
  const percentage = numberOf(distribution, "on_demand_percentage_above_base_capacity", 100);
  const onDemand = each(count, (all) => {
    const first = Math.min(all, base);
    return first + Math.ceil(((all - first) * percentage) / 100);
  });
  const spot = each(count, (all, level) => all - onDemand[level]);
  const type = textOf(blocks(block(policy, "launch_template"), "override")[0], "instance_type", own);
  const share = usage("spotShare");
  const charge = instances(type, spot);
  return [
    instances(type, onDemand),
    {
      ...charge,
      what: `${times(spot, type)} (spot)`,
      quantity: each(charge.quantity, (hours, level) => hours * share[level]),
    },
  ];
}

function extras({ volumes, detailedMonitoring, publicAddress }: InstanceShape, count: Levels): Charge[] {
  return [
    ...volumes.map(({ type, gib }) => storage(type, gib, count)),
    ...(detailedMonitoring
      ? [
          {
            what: `detailed monitoring, ${DETAILED_METRICS} metrics each`,
            price: "cloudwatch/metric",
            quantity: each(count, (at) => at * DETAILED_METRICS),
            usage: false,
          },
        ]
      : []),
    ...(publicAddress ? [hourly("public IPv4 addresses", "ipv4", count)] : []),
  ];
}

function storage(type: string, gib: number, count: Levels): Charge {
  return {
    what: `${times(count, `${gib} GiB ${type}`)}`,
    price: `ebs/${type}`,
    quantity: each(count, (at) => at * gib),
    usage: false,
  };
}

function shapeOf({ body }: CostedResource, publicSubnets: boolean): InstanceShape {
  const addresses = blocks(body, "network_interfaces").map((one) => one.associate_public_ip_address);
  return {
    volumes: blocks(body, "block_device_mappings").flatMap((mapping) => blocks(mapping, "ebs").map(volumeOf)),
    detailedMonitoring: isTrue(block(body, "monitoring"), "enabled"),
    publicAddress: addresses.some((one) => one === true || one === "true") || publicSubnets,
  };
}

function volumeOf(body: Body): { type: string; gib: number } {
  return { type: textOf(body, "volume_type", "gp2"), gib: numberOf(body, "volume_size") };
}

/** Whether a subnet that an attribute refers to gives instances a public address. */
function isPublic(resource: CostedResource, attribute: string, { inventory }: PricingContext): boolean {
  return inventory
    .linked(resource, attribute, "aws_subnet")
    .some(({ body }) => isTrue(body, "map_public_ip_on_launch"));
}
