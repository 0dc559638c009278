import { controllerPermissions } from "../../../userdata/controller/permissions";
import { statementsOf, templateOf } from "../../support/expression";
import { type Block, expr, output, stackOf } from "../../support/synth";
import { decide } from "../../support/web-acl";

const stack = stackOf("dev", "nanogrid-controllers");
const options = stackOf("options", "nanogrid-controllers");

describe("nanogrid-controllers", () => {
  test("nanogrid-alb faces the internet over the public subnets and waits for 4,000 s", () => {
    expect(stack.resource("aws_lb")).toMatchObject({
      name: "nanogrid-alb",
      internal: false,
      subnets: output("nanogrid-network", "public_subnet_ids"),
      security_groups: [output("nanogrid-network", "load_balancer_security_group_id")],
      idle_timeout: 4000,
      access_logs: { enabled: true },
    });
  });

  test("80 leads to HTTP 8080 at the controllers, whose /health decides; a leaving one may finish for an hour", () => {
    expect(stack.resources("aws_lb_listener")).toHaveLength(1);
    expect(stack.resource("aws_lb_listener")).toMatchObject({
      port: 80,
      default_action: [{ type: "forward", target_group_arn: expr("aws_lb_target_group.load-balancer_targets.arn") }],
    });
    expect(stack.resource("aws_lb_target_group")).toMatchObject({
      port: 8080,
      protocol: "HTTP",
      health_check: { path: "/health" },
      deregistration_delay: "3600",
    });
    expect(stack.outputs.service_url).toBe(`http://${expr("aws_lb.load-balancer.dns_name")}`);
  });

  test("a certificate puts the service on 443 with TLS 1.3 and redirects 80", () => {
    expect(options.resource("aws_lb_listener", { port: 443 }).ssl_policy).toContain("TLS13");
    expect(options.resource("aws_lb_listener", { port: 80 }).default_action).toMatchObject([{ type: "redirect" }]);
    expect(options.outputs.service_url).toBe(`https://${expr("aws_lb.load-balancer.dns_name")}`);
  });

  test("two t3.small of Ubuntu LTS in a group that heals itself by EC2's own checks", () => {
    expect(stack.resource("aws_autoscaling_group")).toMatchObject({
      name: "nanogrid-controller-asg",
      min_size: 2,
      max_size: 2,
      health_check_type: "EC2",
      vpc_zone_identifier: output("nanogrid-network", "public_subnet_ids"),
      target_group_arns: [expr("aws_lb_target_group.load-balancer_targets.arn")],
      instance_refresh: { strategy: "Rolling" },
    });
    expect(stack.resource("aws_launch_template")).toMatchObject({
      instance_type: "t3.small",
      image_id: expect.stringMatching(/^resolve:ssm:\/aws\/service\/canonical\/ubuntu\/server\//),
      vpc_security_group_ids: [output("nanogrid-network", "controller_security_group_id")],
    });
  });

  test("the AMI is a setting", () => {
    expect(options.resource("aws_launch_template").image_id).toBe("ami-0123456789abcdef0");
  });

  describe("nanogrid_controller_role", () => {
    const statements = () => statementsOf(stack.resource("aws_iam_role_policy").policy);

    test("may do what the spec lists, on exactly these resources, and what an instance needs", async () => {
      expect(stack.resource("aws_iam_role").name).toBe("nanogrid_controller_role");
      const data = (name: string) => output("nanogrid-data", name);
      const program = controllerPermissions({
        codeBucket: data("code_bucket_arn"),
        userDataBucket: data("user_data_bucket_arn"),
        functionsTable: data("functions_table_arn"),
        jobsTable: data("jobs_table_arn"),
        apiKeysTable: data("api_keys_table_arn"),
        queue: data("queue_arn"),
        deadLetterQueue: data("dead_letter_queue_arn"),
        redisReplicationGroup: data("redis_arn"),
        redisUser: data("redis_controller_user_arn"),
      }).map(({ sid, actions, resources }) => ({ sid, effect: "Allow", actions, resources }));
      const found = await statements();
      expect(found.slice(0, program.length)).toEqual(program);
      expect(found.slice(program.length).map(({ sid }) => sid)).toEqual([
        "FetchArtifact",
        "ShipLogs",
        "SessionManager",
      ]);
    });

    test.each([
      ["s3:PutObject", "code_bucket_arn"],
      ["s3:GetObject", "code_bucket_arn"],
      ["s3:DeleteObject", "code_bucket_arn"],
      ["dynamodb:PutItem", "functions_table_arn"],
      ["dynamodb:GetItem", "functions_table_arn"],
      ["dynamodb:UpdateItem", "functions_table_arn"],
      ["dynamodb:Query", "functions_table_arn"],
      ["dynamodb:DeleteItem", "functions_table_arn"],
      ["sqs:SendMessage", "queue_arn"],
      ["sqs:GetQueueAttributes", "queue_arn"],
    ])("may %s on nanogrid-data's %s", async (action, name) => {
      const granted = (await statements()).filter(({ actions }) => actions.includes(action));
      expect(granted.flatMap(({ resources }) => resources).join()).toContain(output("nanogrid-data", name));
    });

    test("may neither receive work nor scan a table nor read a secret", async () => {
      const actions = (await statements()).flatMap((statement) => statement.actions);
      for (const denied of [
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "dynamodb:Scan",
        "secretsmanager:GetSecretValue",
      ]) {
        expect(actions).not.toContain(denied);
      }
    });
  });

  test("boots with the names that the other states publish, waits at most 3,500 s, and checks its artifact's hash", async () => {
    const { path, variables } = await templateOf(stack.resource("aws_launch_template").user_data);
    expect(path).toMatch(/cloud-init\.yaml\.tftpl$/);
    expect(variables).toMatchObject({
      port: "8080",
      code_bucket: output("nanogrid-data", "code_bucket"),
      functions_table: output("nanogrid-data", "functions_table"),
      jobs_table: output("nanogrid-data", "jobs_table"),
      queue_url: output("nanogrid-data", "queue_url"),
      dead_letter_queue_url: output("nanogrid-data", "dead_letter_queue_url"),
      key_requests_per_minute: "600",
      redis_host: output("nanogrid-data", "redis_host"),
      redis_user: output("nanogrid-data", "redis_controller_user"),
      sync_max_wait_seconds: "3500",
      artifact_key: expr("aws_s3_object.artifact.key"),
      artifact_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const { key } = stack.resource("aws_s3_object");
    expect(key).toBe(`programs/controller/${variables.artifact_sha256}.zip`);
  });

  test("signs in to Redis with no user against the stand-ins", async () => {
    const local = stackOf("local", "nanogrid-controllers").resource("aws_launch_template").user_data;
    expect((await templateOf(local)).variables.redis_user).toBe("");
  });

  describe("the web ACL", () => {
    const acl = stack.resource("aws_wafv2_web_acl");
    const headers = { "user-agent": "test" };

    test("stands before nanogrid-alb with the spec's rules and limits", () => {
      expect(stack.resource("aws_wafv2_web_acl_association").resource_arn).toBe(expr("aws_lb.load-balancer.arn"));
      expect((acl.rule as readonly Block[]).map(({ name }) => name)).toEqual(
        expect.arrayContaining([
          "AWSManagedRulesCommonRuleSet",
          "AWSManagedRulesSQLiRuleSet",
          "AWSManagedRulesKnownBadInputsRuleSet",
          "RateLimitRule",
          "SizeConstraintRule",
        ]),
      );
      expect(decide(acl, { path: "/health", headers, requestsInWindow: 1001 })).toEqual({
        action: "block",
        rule: "RateLimitRule",
      });
      expect(decide(acl, { path: "/v1/functions", headers: { ...headers, "content-length": "1073741825" } })).toEqual({
        action: "block",
        rule: "SizeConstraintRule",
      });
    });

    test("lets source code up to the controller's own limit through to where it is uploaded and invoked", () => {
      for (const path of ["/v1/functions", "/v1/functions/fn_01JD8Q4YB3R6Z7K2M5N8P0QWER/invoke"]) {
        const upload = {
          path,
          bodyBytes: 52_428_800,
          bodyMatches: true,
          headers: { ...headers, "content-length": "52428800" },
        };
        expect(decide(acl, upload)).toEqual({ action: "allow" });
      }
    });

    test("logs to a group whose name WAF accepts", () => {
      expect(stack.resource("aws_cloudwatch_log_group", "web-acl_log-group").name).toMatch(/^aws-waf-logs-/);
    });
  });
});
