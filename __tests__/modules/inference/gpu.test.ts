import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  PRODUCT_INFERENCE_COMMAND,
  PRODUCT_INFERENCE_HEALTH_CHECK,
  productInferenceImage,
} from "../../../containers/product-inference/image";
import { gpuQuotas } from "../../../modules/platform/gpu-quotas";
import { gpuSettings } from "../../../modules/platform/gpu-settings";
import { taskMemoryMib } from "../../../modules/platform/gpu-types";
import { jsonencoded, statementsOf } from "../../support/expression";
import { type Block, expr, output, type Synthesis, stackOf, synthesized } from "../../support/synth";

const stack = stackOf("dev", "inference-gpu");
const options = stackOf("options", "inference-gpu");
const network = (name: string) => output("inference-network", name);

async function container(of: Synthesis): Promise<Block> {
  const { container_definitions } = of.resource("aws_ecs_task_definition");
  const [only, ...others] = (await jsonencoded(container_definitions)) as unknown as readonly Block[];
  expect(others).toEqual([]);
  return only as Block;
}

async function environment(of: Synthesis): Promise<Readonly<Record<string, string>>> {
  const variables = (await container(of)).environment as unknown as readonly { name: string; value: string }[];
  return Object.fromEntries(variables.map(({ name, value }) => [name, value]));
}

describe("inference-gpu", () => {
  describe("capacity", () => {
    test("on-demand instances carry the base, spot ones stand beside, and both zones must offer each type", () => {
      const groups = stack
        .resources("aws_autoscaling_group")
        .map(({ body }) => [body.name, body.min_size, body.max_size]);
      expect(groups).toEqual([
        ["inference-gpu-on-demand", 1, 2],
        ["inference-gpu-spot", 0, 2],
      ]);
      expect(stack.resource("aws_ecs_service").capacity_provider_strategy).toEqual([
        { base: 1, capacity_provider: expr("aws_ecs_capacity_provider.on-demand_provider.name"), weight: 1 },
        { base: 0, capacity_provider: expr("aws_ecs_capacity_provider.spot_provider.name"), weight: 1 },
      ]);
      const zones = { name: "location", values: ["ap-northeast-2a", "ap-northeast-2c"] };
      expect(stack.data("aws_ec2_instance_type_offerings").map(({ body }) => body.filter)).toEqual(
        ["g4dn.xlarge", "g5.xlarge", "g4dn.xlarge"].map((type) => [{ name: "instance-type", values: [type] }, zones]),
      );
    });

    test("spot instances can be left out, and another AMI and type be set", () => {
      expect(options.resources("aws_autoscaling_group").map(({ body }) => body.name)).toEqual([
        "inference-gpu-on-demand",
      ]);
      expect(options.resource("aws_launch_template")).toMatchObject({
        image_id: "ami-0123456789abcdef3",
        instance_type: "g5.xlarge",
      });
    });

    test("synth tells the quotas that the settings need, once, and only where the stack is", () => {
      const told = (name: "dev" | "options" | "smallest") => {
        const { stacks } = JSON.parse(readFileSync(join(synthesized(name).folder, "manifest.json"), "utf8")) as {
          stacks: Record<string, { annotations: readonly { message: string }[] }>;
        };
        return Object.values(stacks).flatMap(({ annotations }) => annotations.map(({ message }) => message));
      };
      expect(told("dev")).toEqual([
        'needs 8 vCPUs of "Running On-Demand G and VT instances" (L-DB2E81BA) and 8 vCPUs of ' +
          '"All G and VT Spot Instance Requests" (L-3819A6DF) in ap-northeast-2, beside what else runs there. ' +
          "docs/operations/inference-gpu-deploy.md says how to look.",
      ]);
      expect(told("options")).toEqual([expect.stringContaining('16 vCPUs of "Running On-Demand')]);
      expect(told("options")).toEqual([expect.stringContaining('0 vCPUs of "All G and VT Spot')]);
      expect(told("smallest")).toEqual([]);
    });

    test("the largest of several spot types counts, since EC2 may choose it alone", () => {
      const machines = gpuSettings({ max: 3, spot: true }).parse({
        instanceType: "g4dn.2xlarge",
        spot: { max: 4, instanceTypes: ["g5.xlarge", "g4dn.4xlarge"] },
      });
      expect(gpuQuotas(machines).map(({ code, vcpus }) => [code, vcpus])).toEqual([
        ["L-DB2E81BA", 24],
        ["L-3819A6DF", 64],
      ]);
    });
  });

  describe("task", () => {
    test("one container has the GPU, listens on 8080, and writes nowhere but to /tmp", async () => {
      expect(await container(stack)).toMatchObject({
        name: "product-inference",
        command: PRODUCT_INFERENCE_COMMAND,
        resourceRequirements: [{ type: "GPU", value: "1" }],
        portMappings: [{ containerPort: 8080 }],
        healthCheck: { command: PRODUCT_INFERENCE_HEALTH_CHECK },
        readonlyRootFilesystem: true,
        memory: 8192,
      });
      expect(taskMemoryMib("g4dn.xlarge")).toBeGreaterThan(8192);
    });

    test("settings become the program's variables, and every one is a setting that it has", async () => {
      expect(await environment(stack)).toMatchObject({
        INFERENCE_PROVIDER: "cuda",
        INFERENCE_MAX_BATCH: "64",
        INFERENCE_MAX_WAIT_MS: "2",
        INFERENCE_MAX_PRODUCTS: "32",
      });
      expect(await environment(options)).toMatchObject({ INFERENCE_MAX_BATCH: "128", INFERENCE_QUEUE: "10000" });
      const program = readFileSync("containers/product-inference/service/product_inference/settings.py", "utf8");
      for (const name of Object.keys(await environment(stack)).filter((each) => each.startsWith("INFERENCE_"))) {
        expect(program).toContain(`    ${name.replace("INFERENCE_", "").toLowerCase()}: `);
      }
    });

    test("the program may do nothing in AWS: its task has no role, and what starts it pulls one image and writes one log", async () => {
      expect(stack.resource("aws_ecs_task_definition")).not.toHaveProperty("task_role_arn");
      const [, ...roles] = stack.resources("aws_iam_role").map(({ body }) => body.name);
      expect(roles).toEqual(["inference_instance_role"]);
      const execution = await statementsOf(stack.resource("aws_iam_role_policy", "execution-role_permissions").policy);
      expect(execution.map(({ sid, resources }) => [sid, resources])).toEqual([
        ["SignInToRegistry", ["*"]],
        ["PullImages", [expr("aws_ecr_repository.repository.arn")]],
        ["ShipLogs", [`${expr("aws_cloudwatch_log_group.logs.arn")}:log-stream:*`]],
      ]);
      const [trust] = await statementsOf(stack.resource("aws_iam_role", "execution-role").assume_role_policy);
      expect(trust?.condition).toEqual({ StringEquals: { "aws:SourceAccount": ["000000000000"] } });
    });

    test("the image is built under the hash of its sources, or is the one of the settings", async () => {
      const { tag } = productInferenceImage();
      expect(stack.resource("terraform_data", "image").triggers_replace).toEqual({
        uri: `${expr("aws_ecr_repository.repository.repository_url")}:${tag}`,
      });
      expect(options.resources("terraform_data")).toEqual([]);
      expect(await container(options)).toMatchObject({
        image: `444455556666.dkr.ecr.ap-northeast-2.amazonaws.com/team/inference@sha256:${"0b".repeat(32)}`,
      });
      const execution = await statementsOf(
        options.resource("aws_iam_role_policy", "execution-role_permissions").policy,
      );
      expect(execution.find(({ sid }) => sid === "PullImages")?.resources).toEqual([
        "arn:aws:ecr:ap-northeast-2:444455556666:repository/team/inference",
      ]);
    });
  });

  describe("service", () => {
    test("the load balancer is internal, in the network's own groups, and asks whether a task takes requests", () => {
      expect(stack.resource("aws_lb")).toMatchObject({
        name: "inference-alb",
        internal: true,
        subnets: network("private_subnet_ids"),
        security_groups: [network("load_balancer_security_group_id")],
      });
      expect(stack.resource("aws_lb_target_group")).toMatchObject({
        port: 8080,
        target_type: "ip",
        health_check: { path: "/readyz" },
      });
      expect(stack.resources("aws_security_group")).toEqual([]);
    });

    test("it is reached by name inside of the VPC, as its contract says", () => {
      expect(stack.outputs.service_url).toBe(`http://${expr("aws_lb.load-balancer.dns_name")}`);
      expect(stack.outputs.listener_arn).toBe(expr("aws_lb_listener.load-balancer_http.arn"));
    });

    test("tasks run in private subnets, with the spare one of a rollout, and are gone before their capacity", () => {
      expect(stack.resource("aws_ecs_service")).toMatchObject({
        name: "inference-service",
        network_configuration: {
          subnets: network("private_subnet_ids"),
          security_groups: [network("task_security_group_id")],
        },
        load_balancer: [{ container_name: "product-inference", container_port: 8080 }],
        deployment_minimum_healthy_percent: 100,
        depends_on: ["aws_ecs_cluster_capacity_providers.cluster_capacity", "aws_lb_listener.load-balancer_http"],
      });
      expect(options.resource("aws_ecs_service").deployment_minimum_healthy_percent).toBe(0);
    });

    test("scales on the load balancer's requests of each task", () => {
      expect(stack.resource("aws_appautoscaling_target")).toMatchObject({ min_capacity: 1, max_capacity: 3 });
      const balancer = "aws_lb.load-balancer.arn_suffix";
      expect(stack.resource("aws_appautoscaling_policy").target_tracking_scaling_policy_configuration).toMatchObject({
        target_value: 600,
        predefined_metric_specification: {
          predefined_metric_type: "ALBRequestCountPerTarget",
          resource_label: `${expr(balancer)}/${expr("aws_lb_target_group.load-balancer_targets.arn_suffix")}`,
        },
      });
    });
  });

  test("alarms ring for unhealthy tasks, errors and slow answers, and each names a page that is there", () => {
    const alarms = stack.resources("aws_cloudwatch_metric_alarm");
    expect(alarms.map(({ body }) => body.alarm_name)).toEqual([
      "inference-gpu-error-rate",
      "inference-gpu-slow",
      "inference-gpu-unhealthy-tasks",
    ]);
    for (const { body } of alarms) {
      expect(body.alarm_actions).toEqual([network("alarm_topic_arn")]);
      const [page = ""] = /docs\/operations\/[\w-]+\.md$/.exec(String(body.alarm_description)) ?? [];
      expect([page, existsSync(page)]).toEqual([page, true]);
    }
    // A new task may be unhealthy for ten minutes; the alarm waits until that is over.
    expect(stack.resource("aws_cloudwatch_metric_alarm", "unhealthy-alarm").evaluation_periods).toBe(15);
  });
});
