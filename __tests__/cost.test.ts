/** What everything that is emitted costs: each resource is priced, or known to be free, whichever stack it is in. */
import { readFileSync } from "node:fs";
import { ASSUMPTIONS, Usage } from "../commands/support/cost/assumptions";
import { checkBudget } from "../commands/support/cost/budget";
import { estimate, type StackCost } from "../commands/support/cost/estimate";
import { Inventory, type StackJson } from "../commands/support/cost/inventory";
import { costOfPlan } from "../commands/support/cost/plan-cost";
import { PriceTable, pricedRegions } from "../commands/support/cost/prices";
import { costTable, drivers, gpuText } from "../commands/support/cost/report";
import { loadSettings } from "../modules/platform/settings";
import { ALL_ENVIRONMENTS, ENVIRONMENTS, type Environment, synthesized } from "./support/synth";

const SEOUL = "ap-northeast-2";

function options(stacks: Readonly<Record<string, StackJson>>, usage: Readonly<Record<string, number>> = {}) {
  return { inventory: Inventory.ofSynthesis(stacks), prices: PriceTable.of(SEOUL), usage: new Usage(usage) };
}

function costsOf(stacks: Readonly<Record<string, StackJson>>, usage: Readonly<Record<string, number>> = {}) {
  return estimate(options(stacks, usage), Object.keys(stacks));
}

/** A stack of its own. */
function costOf(resource: NonNullable<StackJson["resource"]>, usage: Readonly<Record<string, number>> = {}): StackCost {
  const [cost] = costsOf({ stack: { resource } }, usage);
  return cost as StackCost;
}

function emitted(environment: Environment, usage: Readonly<Record<string, number>> = {}): StackCost[] {
  const stacks = Object.entries(synthesized(environment).stacks).map(([id, { json }]) => [id, json as StackJson]);
  return costsOf(Object.fromEntries(stacks), usage);
}

/** A group of instances as the constructs emit it. */
function group(type: string, size: object, more: { readonly group?: object; readonly template?: object } = {}) {
  return {
    aws_launch_template: { template: { instance_type: type, ...more.template } },
    aws_autoscaling_group: {
      // biome-ignore-start lint/suspicious/noTemplateCurlyInString: expressions of Terraform.
      group: { name: "a-group", launch_template: { id: "${aws_launch_template.template.id}" }, ...size, ...more.group },
      // biome-ignore-end lint/suspicious/noTemplateCurlyInString: expressions of Terraform.
    },
  };
}

describe.each(ALL_ENVIRONMENTS)("environment %s", (environment) => {
  test("every resource is priced, charged by use, or known to be free", () => {
    expect(emitted(environment).flatMap(({ unknown }) => unknown)).toEqual([]);
  });
});

test.each(ENVIRONMENTS)("environment %s stays within its budget in a typical month", (environment) => {
  const { budget } = loadSettings(environment);

  expect(checkBudget(environment, budget.monthlyUsd, emitted(environment, budget.usage))).toEqual([]);
});

test("a budget that is too small names what drives the cost, and where to raise it", () => {
  const [problem, ...others] = checkBudget("dev", 100, emitted("dev"));

  expect(others).toEqual([]);
  expect(problem?.what).toMatch(
    /^Environment "dev" costs \$[\d,]+ in a typical month, over its budget of \$100\. Most of it: denoise-service: aws_autoscaling_group\.on-demand \(1 to 3 × g4dn\.xlarge\) \$\d+/,
  );
  expect(problem?.remedy).toContain("context.environments.dev.budget.monthlyUsd");
});

test("a type that nobody has priced is not known, and fails the check of the budget", () => {
  const costs = costsOf({ later: { resource: { aws_quantum_computer: { one: {} } } } });

  expect(costs[0]?.unknown).toEqual([
    {
      stack: "later",
      address: "aws_quantum_computer.one",
      reason: "aws_quantum_computer is neither priced nor known to be free",
    },
  ]);
  expect(checkBudget("dev", 100, costs).map(({ what }) => what)).toEqual([
    "later: what aws_quantum_computer.one costs is not known: aws_quantum_computer is neither priced nor known to be free.",
  ]);
});

test("an instance type without a price is not known either, and says which price is missing", () => {
  const { unknown } = costOf(group("x9.huge", { min_size: 1, max_size: 1 }));

  expect(unknown.map(({ reason }) => reason)).toEqual([`there is no price "ec2/x9.huge" of ${SEOUL}`]);
});

test("a group costs its minimum when idle, what it is made with typically, its maximum at most", () => {
  const ebs = { volume_size: 30, volume_type: "gp3" };
  const template = { monitoring: { enabled: true }, block_device_mappings: [{ ebs }] };
  const { total, fixed } = costOf(group("t3.small", { min_size: 1, desired_capacity: 2, max_size: 5 }, { template }));

  // By hand: 730 h at 0.026, 30 GB at 0.0912, seven metrics at 0.30.
  const each = 730 * 0.026 + 30 * 0.0912 + 7 * 0.3;
  expect(total.idle).toBeCloseTo(each, 6);
  expect(total.typical).toBeCloseTo(2 * each, 6);
  expect(total.high).toBeCloseTo(5 * each, 6);
  expect(fixed).toBeCloseTo(2 * each, 6);
});

test("instances above the on-demand base are priced as spot", () => {
  const policy = {
    instances_distribution: { on_demand_base_capacity: 1, on_demand_percentage_above_base_capacity: 0 },
    launch_template: {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: an expression of Terraform.
      launch_template_specification: { launch_template_id: "${aws_launch_template.template.id}" },
      override: [{ instance_type: "t3.small" }],
    },
  };
  const { total } = costOf(
    group(
      "t3.small",
      { min_size: 3, max_size: 3 },
      { group: { launch_template: undefined, mixed_instances_policy: policy } },
    ),
    { spotShare: 0.5 },
  );

  expect(total.typical).toBeCloseTo(730 * 0.026 * (1 + 2 * 0.5), 6);
});

test("instances in another stack's public subnets are charged for their addresses", () => {
  const subnets = { public: { map_public_ip_on_launch: true }, private: {} };
  const output = (name: string) => ({ value: [`\${aws_subnet.${name}.id}`] });
  const network = {
    resource: { aws_subnet: subnets },
    output: { outside: output("public"), inside: output("private") },
  };
  const inside = (name: string) =>
    group(
      "t3.small",
      { min_size: 1, max_size: 1 },
      { group: { vpc_zone_identifier: `\${data.terraform_remote_state.network.outputs.${name}}` } },
    );
  const fixed = (name: string) => costsOf({ network, app: { resource: inside(name) } })[1]?.fixed ?? 0;

  expect(fixed("outside") - fixed("inside")).toBeCloseTo(730 * 0.005, 6);
});

test("a load balancer takes an address in each subnet, unless it is internal", () => {
  const subnets = ["subnet-1", "subnet-2", "subnet-3"];
  const of = (internal: boolean) => costOf({ aws_lb: { alb: { internal, subnets } } }).fixed;

  expect(of(true)).toBeCloseTo(730 * 0.0225, 6);
  expect(of(false)).toBeCloseTo(730 * (0.0225 + 3 * 0.005), 6);
});

test("what is known of use takes the place of what is assumed, for all stacks or for one", () => {
  const nat = { aws_nat_gateway: { nat: {} } };

  expect(costOf(nat).total.typical).toBeCloseTo(730 * 0.059 + ASSUMPTIONS.natGb.typical * 0.059, 6);
  expect(costOf(nat, { natGb: 300 }).total.high).toBeCloseTo(730 * 0.059 + 300 * 0.059, 6);
  expect(costOf(nat, { natGb: 300, "stack.natGb": 0 }).total.high).toBeCloseTo(730 * 0.059, 6);
  expect(() => new Usage({ natGB: 1 })).toThrow(/no assumption "natGB"/);
});

test("GPU groups say what an idle day costs and how they are paused, whichever stack has them", () => {
  const [cost] = costsOf({ vision: { resource: group("g4dn.xlarge", { min_size: 1, max_size: 2 }) } });

  expect(cost?.gpu).toEqual([
    {
      address: "aws_autoscaling_group.group",
      instanceType: "g4dn.xlarge",
      idleDayUsd: expect.closeTo(24 * 0.647, 2),
      typicalDayUsd: expect.closeTo(24 * 0.647, 2),
      pause: expect.stringContaining("--auto-scaling-group-name a-group --min-size 0 --desired-capacity 0"),
    },
  ]);
  expect(gpuText(cost ? [cost] : [])).toContain("vision has GPUs: an idle day of the stack costs $15.53.");
  expect(emitted("options").find(({ stack }) => stack === "nanogrid-ai")?.gpu).toMatchObject([
    { address: "aws_instance.node", instanceType: "g5.xlarge", pause: expect.stringContaining("stop-instances") },
  ]);
});

test("what the systems to come are made of has a price", () => {
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: expressions of Terraform.
  const { unknown, lines } = costOf({
    ...group("g4dn.xlarge", { min_size: 0, max_size: 2 }),
    aws_ecs_cluster: { cluster: { setting: [{ name: "containerInsights", value: "enhanced" }] } },
    aws_ecs_capacity_provider: { gpu: {} },
    aws_ecs_task_definition: { task: { cpu: "512", memory: "1024" } },
    aws_ecs_service: {
      onInstances: { capacity_provider_strategy: [{ capacity_provider: "gpu" }] },
      onFargate: { launch_type: "FARGATE", desired_count: 1, task_definition: "${aws_ecs_task_definition.task.arn}" },
    },
    aws_appautoscaling_policy: { requests: { policy_type: "TargetTrackingScaling" } },
    aws_apigatewayv2_api: { api: {} },
    aws_apigatewayv2_vpc_link: { link: {} },
    aws_lambda_function: { presign: { memory_size: 256, architectures: ["arm64"] } },
    aws_lambda_function_url: { url: {} },
    aws_eks_cluster: { music: {} },
    aws_eks_node_group: {
      large: { instance_types: ["g6e.2xlarge"], scaling_config: { min_size: 0, desired_size: 0, max_size: 1 } },
    },
    aws_efs_file_system: { shared: {} },
    aws_efs_mount_target: { a: {} },
    aws_vpc_endpoint: {
      bedrock: {
        vpc_endpoint_type: "Interface",
        service_name: "com.amazonaws.ap-northeast-2.bedrock-runtime",
        subnet_ids: ["subnet-1", "subnet-2"],
      },
    },
    mongodbatlas_project: { shop: {} },
    mongodbatlas_advanced_cluster: {
      shop: { replication_specs: [{ region_configs: [{ electable_specs: [{ instance_size: "M10" }] }] }] },
    },
    kubernetes_deployment_v1: { front: {} },
    kubernetes_service_v1: { front: { spec: { type: "LoadBalancer" } } },
    helm_release: {
      keda: {},
      backend: {
        values: [
          JSON.stringify({ claim: { storageClassName: "disks", resources: { requests: { storage: "10Gi" } } } }),
        ],
      },
    },
  });
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: expressions of Terraform.
  const fixed = Object.fromEntries(lines.filter(({ usage }) => !usage).map(({ price, usd }) => [price, usd.typical]));

  expect(unknown).toEqual([]);
  expect(fixed).toMatchObject({
    "eks/hour": expect.closeTo(73, 6),
    "fargate/vcpu": expect.closeTo(730 * 0.5 * 0.04656, 6),
    "fargate/gb": expect.closeTo(730 * 0.00511, 6),
    "endpoint/hour": expect.closeTo(730 * 2 * 0.013, 6),
    "atlas/M10": expect.closeTo(730 * 0.08, 6),
    "ec2/g6e.2xlarge": 0,
  });
  expect(lines.filter(({ what }) => what === "10 GiB of gp3")).toMatchObject([{ price: "ebs/gp3", usage: false }]);
  expect(lines.find(({ price }) => price === "lambda/gb-second-arm")?.usd.typical).toBeCloseTo(
    1_000_000 * 0.2 * 0.25 * 0.0000133334,
    6,
  );
});

test("how many there are of a resource counts, and an expression for it is not known", () => {
  const nat = (count: unknown) => costOf({ aws_nat_gateway: { nat: { count } } }, { natGb: 0 });

  expect(nat(2).fixed).toBeCloseTo(2 * nat(1).fixed, 6);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: an expression of Terraform.
  expect(nat("${length(var.zones)}").unknown).toHaveLength(1);
});

test("a plan's cost before and after is of the parts that use does not change, with what drives it", () => {
  const change = (type: string, name: string, before: object | null, after: object | null) => ({
    mode: "managed",
    ...{ type, name },
    change: { before, after },
  });
  const asg = { id: "asg", name: "asg", min_size: 2, max_size: 5, launch_template: [{ id: "lt-1" }] };
  const plan = {
    resource_changes: [
      // A plan has blocks in lists, and ids where there were expressions.
      change(
        "aws_launch_template",
        "template",
        { id: "lt-1", instance_type: "t3.small" },
        { id: "lt-1", instance_type: "t3.large" },
      ),
      change("aws_autoscaling_group", "group", asg, asg),
      change("aws_nat_gateway", "old", { id: "nat-1" }, null),
      change("aws_secretsmanager_secret", "made", null, { name: "a" }),
      { mode: "data", type: "aws_ami", name: "x", change: { before: null, after: null } },
    ],
  };

  const { before, after, note } = costOfPlan(options({}), "app", plan);

  expect(before).toBeCloseTo(730 * (2 * 0.026 + 0.059), 6);
  expect(after).toBeCloseTo(730 * 2 * 0.104 + 0.4, 6);
  expect(note).toBe(
    "aws_autoscaling_group.group +$114; aws_nat_gateway.old −$43.07; aws_secretsmanager_secret.made +$0.40",
  );
});

test("a plan whose launch template is only known after it is applied is followed through its configuration", () => {
  const plan = {
    resource_changes: [
      {
        mode: "managed",
        type: "aws_launch_template",
        name: "t",
        change: { before: null, after: { instance_type: "t3.small" } },
      },
      {
        mode: "managed",
        type: "aws_autoscaling_group",
        name: "g",
        change: { before: null, after: { min_size: 1, max_size: 1 } },
      },
    ],
    configuration: {
      root_module: {
        resources: [
          {
            ...{ mode: "managed", type: "aws_autoscaling_group", name: "g" },
            expressions: {
              launch_template: [{ id: { references: ["aws_launch_template.t.id", "aws_launch_template.t"] } }],
            },
          },
        ],
      },
    },
  };

  expect(costOfPlan(options({}), "app", plan)).toEqual({
    before: 0,
    after: expect.closeTo(730 * 0.026, 6),
    note: "aws_autoscaling_group.g +$18.98",
  });
});

test("the report lists the stacks, their sum, and the dearest resources first", () => {
  const costs = emitted("dev");

  expect(costTable(costs)).toMatch(/^ {2}together +[\d,]+ +[\d,]+ +[\d,]+ +[\d,]+$/m);
  const usd = drivers(costs).map((driver) => driver.usd);
  expect(usd).toEqual([...usd].sort((a, b) => b - a));
});

test("every region's prices name their unit, offer and source, and a wrong table is refused", () => {
  expect(pricedRegions()).toEqual(expect.arrayContaining([SEOUL, "us-east-1"]));
  for (const region of pricedRegions()) {
    expect(PriceTable.of(region).region).toBe(region);
  }
  const price = { usd: 1, unit: "hour", source: "nowhere", offer: "x" };
  const table = { region: "xx-north-1", currency: "USD", sources: {}, prices: { "ec2/t3.small": price } };
  expect(() => PriceTable.parse(JSON.stringify(table))).toThrow(/its source \\"nowhere\\" is not in sources/);
  expect(() => PriceTable.of("xx-north-1")).toThrow(/There are no prices of xx-north-1/);
});

test("both regions price the same services", () => {
  const services = (region: string) => PriceTable.of(region).keys.filter((key) => !/^(ec2|elasticache)\//.test(key));

  expect(services("us-east-1").sort()).toEqual(services(SEOUL).sort());
});

test("the page of costs lists what is assumed, as it is", () => {
  const page = readFileSync("docs/costs.md", "utf8");
  const [, listed = ""] = /<!-- begin assumptions -->\n(.*)<!-- end assumptions -->/s.exec(page) ?? [];
  const rows = Object.entries(ASSUMPTIONS).map(
    ([name, { what, unit, idle, low, typical, high }]) =>
      `| ${[`\`${name}\``, what, unit, idle, low, typical, high].join(" | ")} |`,
  );

  expect(listed.trim().split("\n").slice(2)).toEqual(rows);
});
