/** What runs without machines of ours: functions, APIs, containers on Fargate. */
import { always, each, type Levels } from "../assumptions";
import type { Body } from "../inventory";
import { HOURS } from "../prices";
import { block, blocks, type Charge, numberOf, type Pricing, textOf, Unpriced, used } from "../pricing";

const MB_PER_GB = 1024;
const CPU_UNITS = 1024;

const lambda: Pricing = ({ body }, { usage }) => {
  const calls = usage("lambdaMillions");
  const duration = usage("lambdaMs");
  const gb = numberOf(body, "memory_size", 128) / MB_PER_GB;
  const seconds = each(calls, (millions, level) => millions * 1_000 * duration[level] * gb);
  return [
    used("calls", "lambda/request", calls),
    used(`running, ${gb} GB`, isArm(body) ? "lambda/gb-second-arm" : "lambda/gb-second", seconds),
  ];
};

const provisioned: Pricing = (config, { inventory }) => {
  const target = inventory.linked(config, "function_name", "aws_lambda_function")[0];
  const gb = numberOf(target?.body, "memory_size", 128) / MB_PER_GB;
  const count = numberOf(config.body, "provisioned_concurrent_executions");
  return [
    {
      what: `${count} kept ready`,
      price: "lambda/provisioned-gb-second",
      quantity: always(count * gb * HOURS * 3_600),
      usage: false,
    },
  ];
};

/** On EC2 the instances are charged; on Fargate each task is. */
const ecsService: Pricing = (service, { inventory }) => {
  const providers = blocks(service.body, "capacity_provider_strategy").map((one) => String(one.capacity_provider));
  const onFargate = service.body.launch_type === "FARGATE" || providers.some((name) => name.startsWith("FARGATE"));
  if (!onFargate) {
    return [];
  }
  const task = inventory.linked(service, "task_definition", "aws_ecs_task_definition")[0];
  if (!task) {
    throw new Unpriced("its task definition is not in its stack");
  }
  const count = always(numberOf(service.body, "desired_count", 1));
  const platform = block(task.body, "runtime_platform");
  const family = textOf(platform, "cpu_architecture", "X86_64") === "ARM64" ? "fargate-arm" : "fargate";
  return [
    perHour("vCPU", `${family}/vcpu`, count, numberOf(task.body, "cpu") / CPU_UNITS),
    perHour("GB", `${family}/gb`, count, numberOf(task.body, "memory") / MB_PER_GB),
  ];
};

const cluster: Pricing = ({ body }, { usage }) => {
  const settings = blocks(body, "setting").filter(({ name }) => name === "containerInsights");
  return settings.some(({ value }) => value !== "disabled")
    ? [used("Container Insights", "cloudwatch/metric", usage("insightsMetrics"))]
    : [];
};

/** Serverless that is charged. */
export const SERVERLESS: Readonly<Record<string, Pricing>> = {
  aws_lambda_function: lambda,
  aws_lambda_provisioned_concurrency_config: provisioned,
  aws_ecs_service: ecsService,
  aws_ecs_cluster: cluster,
  aws_apigatewayv2_api: (_, { usage }) => [
    used("requests", "apigateway/http", usage("apiMillions")),
    used("answers to the internet", "transfer/internet", usage("internetOutGb")),
  ],
};

function isArm(body: Body): boolean {
  return ((body.architectures ?? []) as unknown[]).includes("arm64");
}

function perHour(unit: string, price: string, count: Levels, size: number): Charge {
  const quantity = each(count, (tasks) => tasks * size * HOURS);
  return { what: `${count.typical} × ${size} ${unit}`, price, quantity, usage: false };
}
