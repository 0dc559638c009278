import { runtimeTag } from "../../../userdata/worker/artifact";
import { workerPermissions } from "../../../userdata/worker/permissions";
import { statementsOf, templateOf } from "../../support/expression";
import { expr, output, stackOf } from "../../support/synth";

const stack = stackOf("dev", "nanogrid-workers");
const options = stackOf("options", "nanogrid-workers");
const GROUP_ARN =
  "arn:aws:autoscaling:ap-northeast-2:000000000000:autoScalingGroup:*:autoScalingGroupName/nanogrid-worker-asg";

describe("nanogrid-workers", () => {
  test("nanogrid-worker-asg holds 2 to 5 t3.small in Private Data 1 and 2", () => {
    expect(stack.resource("aws_autoscaling_group")).toMatchObject({
      name: "nanogrid-worker-asg",
      min_size: 2,
      desired_capacity: 2,
      max_size: 5,
      vpc_zone_identifier: output("nanogrid-network", "worker_subnet_ids"),
      enabled_metrics: ["GroupDesiredCapacity", "GroupInServiceInstances"],
      lifecycle: { ignore_changes: ["desired_capacity"] },
    });
  });

  test("workers run Amazon Linux 2023 with IMDSv2, an encrypted gp3 volume and detailed monitoring", () => {
    expect(stack.resource("aws_launch_template")).toMatchObject({
      instance_type: "t3.small",
      image_id: expect.stringMatching(/^resolve:ssm:\/aws\/service\/ami-amazon-linux-latest\/al2023-/),
      metadata_options: { http_tokens: "required", http_put_response_hop_limit: 1 },
      monitoring: { enabled: true },
      block_device_mappings: [{ ebs: { volume_type: "gp3", encrypted: "true", volume_size: 30 } }],
      vpc_security_group_ids: [output("nanogrid-network", "worker_security_group_id")],
    });
  });

  test.each([
    ["nanogrid-sqs-high", "GreaterThanOrEqualToThreshold", 10, 1, "notBreaching", "add-one"],
    ["nanogrid-sqs-low", "LessThanOrEqualToThreshold", 0, 3, "breaching", "remove-one"],
  ])(
    "%s: messages %s %d for %d minutes, missing data is %s: %s",
    (name, operator, threshold, minutes, missing, policy) => {
      expect(stack.resource("aws_cloudwatch_metric_alarm", { alarm_name: name })).toMatchObject({
        metric_name: "ApproximateNumberOfMessagesVisible",
        dimensions: { QueueName: output("nanogrid-data", "queue_name") },
        comparison_operator: operator,
        threshold,
        period: 60,
        evaluation_periods: minutes,
        treat_missing_data: missing,
        alarm_actions: [`\${aws_autoscaling_policy.group_${policy}.arn}`],
      });
    },
  );

  test("adds and removes one at a time with a cooldown of 300 s", () => {
    const policies = stack
      .resources("aws_autoscaling_policy")
      .map(({ body }) => [body.policy_type, body.scaling_adjustment, body.cooldown]);
    expect(policies).toEqual([
      ["SimpleScaling", 1, 300],
      ["SimpleScaling", -1, 300],
    ]);
  });

  test('scaling: "backlog" tracks accepted latency over mean job time instead, and wakes an empty group', () => {
    expect(options.resource("aws_autoscaling_policy", { policy_type: "TargetTrackingScaling" })).toMatchObject({
      target_tracking_configuration: { target_value: 15 },
    });
    expect(options.resources("aws_cloudwatch_metric_alarm").map(({ body }) => body.alarm_name)).toEqual([
      "nanogrid-sqs-no-workers",
    ]);
  });

  test("a worker that must go is given time to drain", () => {
    expect(stack.resource("aws_autoscaling_lifecycle_hook")).toMatchObject({
      autoscaling_group_name: expr("aws_autoscaling_group.group.name"),
      lifecycle_transition: "autoscaling:EC2_INSTANCE_TERMINATING",
      heartbeat_timeout: 300,
      default_result: "CONTINUE",
    });
  });

  test("spot instances are a setting", () => {
    expect(stack.resource("aws_autoscaling_group")).not.toHaveProperty("mixed_instances_policy");
    expect(options.resource("aws_autoscaling_group")).toHaveProperty("mixed_instances_policy");
  });

  describe("nanogrid_worker_role", () => {
    const statements = () => statementsOf(stack.resource("aws_iam_role_policy").policy);

    test("may do what its program's folder says, on exactly these resources, and what an instance needs", async () => {
      expect(stack.resource("aws_iam_role").name).toBe("nanogrid_worker_role");
      const data = (name: string) => output("nanogrid-data", name);
      const program = workerPermissions({
        codeBucket: data("code_bucket_arn"),
        userDataBucket: data("user_data_bucket_arn"),
        queue: data("queue_arn"),
        jobsTable: data("jobs_table_arn"),
        functionSecrets: "arn:aws:secretsmanager:ap-northeast-2:000000000000:secret:nanogrid/functions/*",
        gcpCredentialsSecret: data("gcp_credentials_secret_arn"),
        group: GROUP_ARN,
        redis: data("redis_arn"),
        redisUser: data("redis_worker_user_arn"),
      }).map(({ sid, actions, resources }) => ({ sid, effect: "Allow", actions, resources }));
      const found = await statements();
      expect(found.slice(0, program.length)).toEqual(program);
      expect(found.slice(program.length).map(({ sid }) => sid)).toEqual([
        "FetchArtifact",
        "SignInToRegistry",
        "PullImages",
        "ShipLogs",
        "SessionManager",
      ]);
    });

    test.each([
      ["s3:GetObject", `${output("nanogrid-data", "code_bucket_arn")}/`],
      ["s3:PutObject", `${output("nanogrid-data", "user_data_bucket_arn")}/`],
      ["sqs:ReceiveMessage", output("nanogrid-data", "queue_arn")],
      ["sqs:DeleteMessage", output("nanogrid-data", "queue_arn")],
      ["sqs:ChangeMessageVisibility", output("nanogrid-data", "queue_arn")],
      ["sqs:GetQueueAttributes", output("nanogrid-data", "queue_arn")],
      ["dynamodb:GetItem", output("nanogrid-data", "jobs_table_arn")],
      ["secretsmanager:GetSecretValue", output("nanogrid-data", "gcp_credentials_secret_arn")],
      ["autoscaling:CompleteLifecycleAction", GROUP_ARN],
      ["autoscaling:RecordLifecycleActionHeartbeat", GROUP_ARN],
      ["autoscaling:SetInstanceProtection", GROUP_ARN],
    ])("may %s on %s", async (action, resource) => {
      const granted = (await statements()).filter(({ actions }) => actions.includes(action));
      expect(granted.flatMap(({ resources }) => resources).some((each) => each.startsWith(resource))).toBe(true);
    });

    test("pulls the sandbox images, and nothing else of the registry", async () => {
      const pulled = (await statements()).find(({ sid }) => sid === "PullImages");
      expect(pulled?.resources).toEqual([
        output("nanogrid-data", "runtime_python_repository_arn"),
        output("nanogrid-data", "runtime_node_repository_arn"),
      ]);
    });

    test("may neither change code nor write functions nor read API keys", async () => {
      const found = await statements();
      const code = output("nanogrid-data", "code_bucket_arn");
      const written = found
        .filter(({ actions }) => actions.some((action) => /^s3:(Put|Delete)/.test(action)))
        .flatMap(({ resources }) => resources)
        .filter((resource) => resource.startsWith(code));
      expect(written).toEqual([`${code}/dependencies/*`]);
      const resources = found.flatMap((statement) => statement.resources).join();
      expect(resources).not.toContain("functions_table");
      expect(resources).not.toContain("api_keys_table");
    });
  });

  test("boots with the names that the other states publish", async () => {
    const { variables } = await templateOf(stack.resource("aws_launch_template").user_data);
    expect(variables).toMatchObject({
      code_bucket: output("nanogrid-data", "code_bucket"),
      user_data_bucket: output("nanogrid-data", "user_data_bucket"),
      queue_url: output("nanogrid-data", "queue_url"),
      visibility_timeout_seconds: "60",
      redis_host: output("nanogrid-data", "redis_host"),
      redis_port: output("nanogrid-data", "redis_port"),
      redis_user: output("nanogrid-data", "redis_worker_user"),
      ai_endpoint: "http://10.0.20.100:11434",
      archive_bucket: output("nanogrid-archive", "bucket"),
      gcp_credentials_secret: output("nanogrid-data", "gcp_credentials_secret_arn"),
      gcp_credentials_file: "/etc/ncp-test-465906-417c34e96c23.json",
      group_name: "nanogrid-worker-asg",
    });
    expect(stack.resource("aws_s3_object").key).toBe(`programs/worker/${variables.artifact_sha256}.zip`);
  });

  test.each(["python", "node"] as const)(
    "boots with the %s image by digest, under the tag of its content",
    async (runtime) => {
      const { variables } = await templateOf(stack.resource("aws_launch_template").user_data);
      expect(variables[`runtime_image_${runtime}`]).toBe(expr(`data.aws_ecr_image.runtime-${runtime}.image_uri`));
      expect(stack.data("aws_ecr_image").find(({ name }) => name === `runtime-${runtime}`)?.body).toMatchObject({
        repository_name: `nanogrid/runtime-${runtime}`,
        image_tag: runtimeTag(runtime),
      });
    },
  );

  test("what functions may use of their worker and of the network is a setting", async () => {
    const { variables } = await templateOf(stack.resource("aws_launch_template").user_data);
    expect(variables).toMatchObject({
      concurrency: "1",
      warm_max: "8",
      prewarmed: "1",
      egress_network: "nanogrid-egress",
      egress_allowed_cidrs: "",
      sandbox_runtime: "",
      callback_allowed_cidrs: "",
      lifecycle_hook: "drain",
    });
    const other = await templateOf(options.resource("aws_launch_template").user_data);
    expect(other.variables).toMatchObject({
      concurrency: "4",
      warm_max: "2",
      egress_allowed_cidrs: "10.0.30.0/24,10.0.31.0/24",
      sandbox_runtime: "runsc",
      gvisor_version: "20260914.0",
      callback_allowed_cidrs: "10.0.40.0/24",
    });
    const closed = await templateOf(stackOf("smallest", "nanogrid-workers").resource("aws_launch_template").user_data);
    expect(closed.variables.egress_network).toBe("");
  });

  test("without an AI node and an archive a worker is told of neither", async () => {
    const { variables } = await templateOf(
      stackOf("smallest", "nanogrid-workers").resource("aws_launch_template").user_data,
    );
    expect(variables).toMatchObject({ ai_endpoint: "", archive_bucket: "", gcp_credentials_secret: "" });
  });

  test("a group may be as small as none", () => {
    expect(stackOf("smallest", "nanogrid-workers").resource("aws_autoscaling_group")).toMatchObject({
      min_size: 0,
      desired_capacity: 0,
      max_size: 1,
    });
  });
});
