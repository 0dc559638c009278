/** The cluster, a task and its service. */
import { EcsCluster } from "../../constructs/ecs-cluster";
import { EcsService, type EcsServiceProps } from "../../constructs/ecs-service";
import { EcsTask } from "../../constructs/ecs-task";
import { constructed } from "../support/constructed";
import { jsonencoded } from "../support/expression";
import type { Block } from "../support/synth";

const CUSTOM: EcsServiceProps["scaling"] = {
  min: 1,
  max: 4,
  metric: { kind: "custom", namespace: "Acme", metricName: "Waiting", dimensions: { ServiceName: "service" } },
  target: 3,
  outCooldownSeconds: 60,
  inCooldownSeconds: 600,
};

function service(props: Partial<EcsServiceProps> = {}) {
  return constructed((scope) => {
    const cluster = new EcsCluster(scope, "cluster", { name: "cluster" });
    const capacity = cluster.runOn(["gpus"]);
    const task = new EcsTask(scope, "task", {
      family: "task",
      image: "registry.example/image:1",
      taskRoleArn: "arn:task",
      executionRoleArn: "arn:execution",
      logGroupName: "/ecs/task",
      region: "ap-northeast-2",
      containers: [
        {
          name: "model",
          command: ["serve"],
          environment: { HOME: "/tmp" },
          memoryMib: 1024,
          cpuUnits: 512,
          gpus: 1,
          healthCheck: {
            command: ["CMD", "check"],
            intervalSeconds: 30,
            timeoutSeconds: 10,
            retries: 10,
            startSeconds: 300,
          },
          startTimeoutSeconds: 600,
          stopTimeoutSeconds: 30,
        },
        {
          name: "api",
          command: ["listen"],
          environment: { B: "2", A: "1" },
          memoryMib: 256,
          cpuUnits: 256,
          port: 50101,
          after: { model: "HEALTHY" },
          stopTimeoutSeconds: 90,
        },
      ],
    });
    new EcsService(scope, "service", {
      name: "service",
      cluster,
      taskDefinitionArn: task.arn,
      desired: 1,
      strategy: [
        { provider: "gpus", weight: 1, base: 1 },
        { provider: "spot", weight: 3, base: 0 },
      ],
      subnetIds: ["subnet-a", "subnet-c"],
      securityGroupIds: ["sg-1"],
      target: { groupArn: "arn:targets", container: "api", port: 50101 },
      graceSeconds: 600,
      rollout: "spare",
      scaling: CUSTOM,
      dependsOn: [capacity],
      ...props,
    });
  });
}

describe("EcsCluster", () => {
  test("is watched by Container Insights and runs on the named capacity providers", () => {
    const plain = service();
    expect(plain.resource("aws_ecs_cluster").setting).toEqual([{ name: "containerInsights", value: "enabled" }]);
    expect(plain.resource("aws_ecs_cluster_capacity_providers").capacity_providers).toEqual(["gpus"]);
  });
});

describe("EcsTask", () => {
  const task = service().resource("aws_ecs_task_definition");
  let model: Block;
  let api: Block;

  beforeAll(async () => {
    [model, api] = (await jsonencoded(task.container_definitions)) as unknown as [Block, Block];
  });

  test("has an address of its own on EC2, and a role to run apart from the role to start", () => {
    expect(task).toMatchObject({
      network_mode: "awsvpc",
      requires_compatibilities: ["EC2"],
      task_role_arn: "arn:task",
      execution_role_arn: "arn:execution",
    });
  });

  test("a container writes its own /tmp and nothing else, has no capabilities, and logs without holding up", () => {
    expect(task.volume).toEqual([{ name: "model-tmp" }, { name: "api-tmp" }]);
    for (const container of [model, api]) {
      expect(container).toMatchObject({
        readonlyRootFilesystem: true,
        privileged: false,
        mountPoints: [{ sourceVolume: `${container.name}-tmp`, containerPath: "/tmp", readOnly: false }],
        linuxParameters: { initProcessEnabled: true, capabilities: { drop: ["ALL"] } },
        logConfiguration: {
          logDriver: "awslogs",
          options: { "awslogs-group": "/ecs/task", "awslogs-stream-prefix": container.name, mode: "non-blocking" },
        },
      });
    }
  });

  test("only the container that asks for it has the GPU, and only the one with a port can be reached", () => {
    expect(model.resourceRequirements).toEqual([{ type: "GPU", value: "1" }]);
    expect(model).not.toHaveProperty("portMappings");
    expect(api).not.toHaveProperty("resourceRequirements");
    expect(api.portMappings).toEqual([{ containerPort: 50101, hostPort: 50101, protocol: "tcp" }]);
  });

  test("containers start in their order, by health", () => {
    expect(model).toMatchObject({
      startTimeout: 600,
      healthCheck: { command: ["CMD", "check"], interval: 30, timeout: 10, retries: 10, startPeriod: 300 },
    });
    expect(model).not.toHaveProperty("dependsOn");
    expect(api.dependsOn).toEqual([{ containerName: "model", condition: "HEALTHY" }]);
  });

  test("the environment is in a fixed order, so that no plan differs by it", () => {
    expect(api.environment).toEqual([
      { name: "A", value: "1" },
      { name: "B", value: "2" },
    ]);
  });
});

describe("EcsService", () => {
  const plain = service();
  const body = plain.resource("aws_ecs_service");

  test("a rollout that fails goes back, and a new task has its time to start", () => {
    expect(body).toMatchObject({
      deployment_circuit_breaker: { enable: true, rollback: true },
      health_check_grace_period_seconds: 600,
    });
  });

  test.each([
    ["spare", 100, 200],
    ["stop-first", 0, 100],
  ] as const)("a rollout %s keeps %i %% of the tasks and goes up to %i %%", (rollout, minimum, maximum) => {
    expect(service({ rollout }).resource("aws_ecs_service")).toMatchObject({
      deployment_minimum_healthy_percent: minimum,
      deployment_maximum_percent: maximum,
    });
  });

  test("runs on capacity providers by base and weight, and is gone before they go", () => {
    expect(body).not.toHaveProperty("launch_type");
    expect(body.capacity_provider_strategy).toEqual([
      { capacity_provider: "gpus", weight: 1, base: 1 },
      { capacity_provider: "spot", weight: 3, base: 0 },
    ]);
    expect(body.depends_on).toEqual([plain.one("aws_ecs_cluster_capacity_providers").address]);
  });

  test("its tasks have private addresses, and no apply changes how many there are", () => {
    expect(body.network_configuration).toEqual({
      subnets: ["subnet-a", "subnet-c"],
      security_groups: ["sg-1"],
      assign_public_ip: false,
    });
    expect(body.lifecycle).toEqual({ ignore_changes: ["desired_count"] });
  });

  test("scales on a metric of its own: out fast, in slow", () => {
    const [cluster, name] = ["aws_ecs_cluster", "aws_ecs_service"].map((type) =>
      plain.reference(type, undefined, "name"),
    );
    expect(plain.resource("aws_appautoscaling_target")).toMatchObject({
      resource_id: `service/${cluster}/${name}`,
      min_capacity: 1,
      max_capacity: 4,
    });
    expect(plain.resource("aws_appautoscaling_policy").target_tracking_scaling_policy_configuration).toEqual({
      target_value: 3,
      scale_out_cooldown: 60,
      scale_in_cooldown: 600,
      customized_metric_specification: {
        namespace: "Acme",
        metric_name: "Waiting",
        statistic: "Average",
        dimensions: [{ name: "ServiceName", value: "service" }],
      },
    });
  });

  test("scales on the load balancer's requests instead", () => {
    const byRequests = service({
      scaling: { ...CUSTOM, metric: { kind: "requests", resourceLabel: "app/a/1/targetgroup/b/2" } },
    });
    expect(byRequests.resource("aws_appautoscaling_policy").target_tracking_scaling_policy_configuration).toMatchObject(
      {
        predefined_metric_specification: {
          predefined_metric_type: "ALBRequestCountPerTarget",
          resource_label: "app/a/1/targetgroup/b/2",
        },
      },
    );
  });
});
