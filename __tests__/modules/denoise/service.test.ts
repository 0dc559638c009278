import { existsSync } from "node:fs";
import { DENOISE_COMMANDS, DENOISE_HEALTH_CHECKS } from "../../../containers/denoise/image";
import { denoiseTaskStatements } from "../../../containers/denoise/permissions";
import { GPU_TYPES, taskMemoryMib } from "../../../modules/platform/gpu-types";
import { jsonencoded, statementsOf, templateOf } from "../../support/expression";
import { type Block, expr, output, stackOf } from "../../support/synth";

const stack = stackOf("dev", "denoise-service");
const options = stackOf("options", "denoise-service");
const stored = (name: string) => output("denoise-storage", name);

async function containers(of = stack): Promise<readonly Block[]> {
  const { container_definitions } = of.resource("aws_ecs_task_definition");
  return (await jsonencoded(container_definitions)) as unknown as readonly Block[];
}

describe("denoise-service", () => {
  describe("network", () => {
    test("a VPC of its own over two zones, with one NAT gateway and S3 through a free endpoint", () => {
      expect(stack.resource("aws_vpc")).toMatchObject({ cidr_block: "10.20.0.0/16", tags: { Name: "ddn-vpc" } });
      expect(stack.resources("aws_nat_gateway")).toHaveLength(1);
      expect(stackOf("prod", "denoise-service").resources("aws_nat_gateway")).toHaveLength(2);
      expect(
        stack.resources("aws_vpc_endpoint").map(({ body }) => [body.vpc_endpoint_type, body.service_name]),
      ).toEqual([["Gateway", "com.amazonaws.ap-northeast-2.s3"]]);
      const zones = stack.resources("aws_subnet").map(({ body }) => body.availability_zone);
      expect([...new Set(zones)]).toEqual(["ap-northeast-2a", "ap-northeast-2c"]);
    });

    test("or one that is there already: then none is made", () => {
      expect(["aws_vpc", "aws_subnet", "aws_nat_gateway"].flatMap((type) => options.resources(type))).toEqual([]);
      expect(options.resource("aws_lb").subnets).toEqual(["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]);
      expect(options.outputs.vpc_id).toBe("vpc-0123456789abcdef0");
    });

    test("the VPC link reaches the load balancer, that reaches Flask, and nothing reaches Triton", () => {
      const group = (id: string) => expr(`aws_security_group.${id}-security-group.id`);
      const rules = stack
        .resources("aws_vpc_security_group_ingress_rule")
        .map(({ body }) => [body.referenced_security_group_id, body.security_group_id, body.from_port, body.to_port]);
      expect(rules).toEqual([
        [group("link"), group("load-balancer"), 80, 80],
        [group("load-balancer"), group("task"), 50101, 50101],
      ]);
      expect(stack.outputs.link_security_group_id).toBe(group("link"));
    });

    test("the load balancer is internal and sends requests to tasks that /healthz calls ready", () => {
      expect(stack.resource("aws_lb")).toMatchObject({ name: "ddn-alb", internal: true });
      expect(stack.resource("aws_lb_target_group")).toMatchObject({
        name: "ddn-triton-tg",
        target_type: "ip",
        port: 50101,
        health_check: { path: "/healthz", matcher: "200" },
        deregistration_delay: "120",
      });
    });
  });

  describe("capacity", () => {
    test("g4dn.xlarge, one to three, from the ECS image for GPUs, which both zones must offer", () => {
      expect(stack.resource("aws_autoscaling_group")).toMatchObject({
        min_size: 1,
        max_size: 3,
        name: "ddn-gpu-on-demand",
      });
      expect(stack.resource("aws_launch_template")).toMatchObject({
        instance_type: "g4dn.xlarge",
        image_id: "resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id",
        metadata_options: { http_tokens: "required", http_put_response_hop_limit: 1 },
        block_device_mappings: [{ ebs: { encrypted: "true", volume_type: "gp3" } }],
      });
      expect(stack.data("aws_ec2_instance_type_offerings").map(({ body }) => body.filter)).toEqual([
        [
          { name: "instance-type", values: ["g4dn.xlarge"] },
          { name: "location", values: ["ap-northeast-2a", "ap-northeast-2c"] },
        ],
      ]);
    });

    test("the agent joins the cluster, sees the GPU, and keeps instance metadata from tasks", async () => {
      const { path, variables } = await templateOf(stack.resource("aws_launch_template").user_data);
      expect(path).toMatch(/cloud-init\.yaml\.tftpl$/);
      expect(variables).toEqual({
        cluster: expr("aws_ecs_cluster.cluster.name"),
        start_timeout_seconds: "600",
        reserved_mib: "512",
      });
    });

    test("spot instances stand beside by weight, with a minimum of none", () => {
      expect(
        options.resources("aws_autoscaling_group").map(({ body }) => [body.name, body.min_size, body.max_size]),
      ).toEqual([
        ["ddn-gpu-on-demand", 0, 1],
        ["ddn-gpu-spot", 0, 3],
      ]);
      expect(options.resource("aws_ecs_service").capacity_provider_strategy).toMatchObject([
        { base: 0, weight: 1 },
        { base: 0, weight: 3 },
      ]);
      expect(options.resource("aws_launch_template").image_id).toBe("ami-0123456789abcdef2");
    });

    test("the agent may join this cluster and take its tasks, and the instance no more than Session Manager", async () => {
      const found = await statementsOf(stack.resource("aws_iam_role_policy", "instance-role_permissions").policy);
      expect(found.map(({ sid, resources }) => [sid, resources])).toEqual([
        ["FindEcs", ["*"]],
        ["JoinCluster", [expr("aws_ecs_cluster.cluster.arn")]],
        ["TakeTasks", ["arn:aws:ecs:ap-northeast-2:000000000000:container-instance/ddn-cluster/*"]],
        ["SessionManager", ["*"]],
      ]);
    });
  });

  describe("task", () => {
    test("Triton has the GPU and comes first; the API waits for its health; the sidecar may end", async () => {
      const [triton, api, metrics] = await containers();
      expect(triton).toMatchObject({
        name: "triton",
        command: DENOISE_COMMANDS.triton,
        resourceRequirements: [{ type: "GPU", value: "1" }],
        healthCheck: { command: DENOISE_HEALTH_CHECKS.triton },
      });
      expect(api).toMatchObject({
        name: "api",
        command: DENOISE_COMMANDS.api,
        dependsOn: [{ containerName: "triton", condition: "HEALTHY" }],
        portMappings: [{ containerPort: 50101 }],
      });
      expect(metrics).toMatchObject({ name: "metrics", command: DENOISE_COMMANDS.metrics, essential: false });
      expect([triton, metrics].filter((container) => container !== undefined && "portMappings" in container)).toEqual(
        [],
      );
    });

    test("the containers together fit every instance type that settings may name", async () => {
      const all = await containers();
      const sum = (key: string) => all.reduce((total, container) => total + Number(container[key]), 0);
      expect(sum("memory")).toBeLessThanOrEqual(Math.min(...GPU_TYPES.map(taskMemoryMib)));
      expect(sum("cpu")).toBeLessThanOrEqual(4 * 1024);
    });

    test("the API keeps the names that the original environment had", async () => {
      const [, api] = await containers();
      const variables = (api?.environment ?? []) as unknown as readonly { name: string; value: string }[];
      const environment = Object.fromEntries(variables.map(({ name, value }) => [name, value]));
      expect(environment).toMatchObject({
        AWS_REGION: "ap-northeast-2",
        ACCOUNT_ID: "000000000000",
        DDN_IN_BUCKET: stored("in_bucket"),
        DDN_OUT_BUCKET: stored("out_bucket"),
        DDN_TRITON_GRPC: "127.0.0.1:58202",
        DDN_TRITON_PROTOCOL: "grpc",
        DDN_MAX_PIXELS: "500000000",
      });
      const [, other] = await containers(options);
      expect(other?.environment).toContainEqual({ name: "DDN_TRITON_PROTOCOL", value: "http" });
    });

    test("its role reads, writes and publishes as its program says; another role starts it", async () => {
      const program = denoiseTaskStatements({
        inBucketArn: stored("in_bucket_arn"),
        outBucketArn: stored("out_bucket_arn"),
        namespace: "Denoise",
      });
      const found = await statementsOf(stack.resource("aws_iam_role_policy", "task-role_permissions").policy);
      expect(found.map(({ sid, actions, resources }) => ({ sid, actions, resources }))).toEqual(
        program.map(({ sid, actions, resources }) => ({ sid, actions: [...actions], resources: [...resources] })),
      );
      const execution = await statementsOf(stack.resource("aws_iam_role_policy", "execution-role_permissions").policy);
      expect(execution.map(({ sid, resources }) => [sid, resources])).toEqual([
        ["SignInToRegistry", ["*"]],
        ["PullImages", [stored("repository_arn")]],
        ["ShipLogs", [`${expr("aws_cloudwatch_log_group.logs.arn")}:log-stream:*`]],
      ]);
    });

    test("an image of another repository may be pulled from there", async () => {
      const execution = await statementsOf(
        options.resource("aws_iam_role_policy", "execution-role_permissions").policy,
      );
      expect(execution.find(({ sid }) => sid === "PullImages")?.resources).toEqual([
        "arn:aws:ecr:ap-northeast-2:444455556666:repository/team/denoise",
      ]);
    });

    test("only tasks of this account take the roles", async () => {
      for (const role of ["task-role", "execution-role"]) {
        const [trust] = await statementsOf(stack.resource("aws_iam_role", role).assume_role_policy);
        expect(trust?.condition).toEqual({ StringEquals: { "aws:SourceAccount": ["000000000000"] } });
      }
    });
  });

  describe("service", () => {
    test("a rollout has a spare instance, or stops the old task first, as settings say", () => {
      const percents = (of: typeof stack) => {
        const body = of.resource("aws_ecs_service");
        return [body.deployment_minimum_healthy_percent, body.deployment_maximum_percent];
      };
      expect(percents(stack)).toEqual([100, 200]);
      expect(percents(options)).toEqual([0, 100]);
    });

    test("a new task has fifteen minutes, and goes to /ecs/ddn-triton-task with its log", () => {
      expect(stack.resource("aws_ecs_service")).toMatchObject({
        name: "ddn-triton-service",
        health_check_grace_period_seconds: 900,
        load_balancer: [{ container_name: "api", container_port: 50101 }],
      });
      expect(stack.resource("aws_cloudwatch_log_group", "logs").name).toBe("/ecs/ddn-triton-task");
    });

    test("is gone before its capacity and its listener go", () => {
      expect(stack.resource("aws_ecs_service").depends_on).toEqual([
        "aws_ecs_cluster_capacity_providers.cluster_capacity",
        "aws_lb_listener.load-balancer_http",
      ]);
    });

    test("scales on what waits in Triton of each task, or on requests", () => {
      expect(stack.resource("aws_appautoscaling_policy").target_tracking_scaling_policy_configuration).toMatchObject({
        target_value: 4,
        scale_out_cooldown: 60,
        scale_in_cooldown: 600,
        customized_metric_specification: {
          namespace: "Denoise",
          metric_name: "PendingRequests",
          statistic: "Average",
          dimensions: [
            { name: "ClusterName", value: "ddn-cluster" },
            { name: "ServiceName", value: "ddn-triton-service" },
          ],
        },
      });
      expect(options.resource("aws_appautoscaling_policy").target_tracking_scaling_policy_configuration).toMatchObject({
        target_value: 60,
        predefined_metric_specification: { predefined_metric_type: "ALBRequestCountPerTarget" },
      });
    });
  });

  test("alarms ring for unhealthy tasks, errors and a backlog, and each names a page that is there", () => {
    const alarms = stack.resources("aws_cloudwatch_metric_alarm");
    expect(alarms.map(({ body }) => body.alarm_name)).toEqual(["ddn-backlog", "ddn-error-rate", "ddn-unhealthy-tasks"]);
    for (const { body } of alarms) {
      expect(body.alarm_actions).toEqual([stored("alarm_topic_arn")]);
      const [page = ""] = /docs\/operations\/[\w-]+\.md$/.exec(String(body.alarm_description)) ?? [];
      expect([page, existsSync(page)]).toEqual([page, true]);
    }
  });
});
