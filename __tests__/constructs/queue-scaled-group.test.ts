import { AutoscalingGroup } from "@cdktf/provider-aws/lib/autoscaling-group";
import { AutoscalingLifecycleHook } from "@cdktf/provider-aws/lib/autoscaling-lifecycle-hook";
import { AutoscalingPolicy } from "@cdktf/provider-aws/lib/autoscaling-policy";
import { QueueScaledGroup, type QueueScaledGroupProps } from "../../constructs/queue-scaled-group";
import { constructed } from "../support/constructed";
import { instanceTemplate } from "../support/fixtures";

const DEPTH = { kind: "depth", addFromMessages: 12, removeAfterMinutes: 4, cooldownSeconds: 240 } as const;
const BACKLOG = { kind: "backlog", acceptedLatencySeconds: 60, meanJobSeconds: 8 } as const;

function group(props: Partial<QueueScaledGroupProps> = {}) {
  return constructed((scope) => {
    new QueueScaledGroup(scope, "group", {
      name: "workers",
      alarmPrefix: "jobs",
      min: 1,
      desired: 3,
      max: 7,
      template: instanceTemplate(scope),
      subnetIds: ["subnet-a", "subnet-c"],
      queueName: "tasks",
      scaling: DEPTH,
      drainHook: "leave",
      drainSeconds: 300,
      ...props,
    });
  });
}

describe("QueueScaledGroup", () => {
  const depth = group();
  const backlog = group({ scaling: BACKLOG });

  describe("whatever it scales by", () => {
    test.each([
      ["depth", depth],
      ["backlog", backlog],
    ])("%s: no apply undoes scaling: the desired capacity is ignored after creation", (_, synthesis) => {
      expect(synthesis.text).toHaveResourceWithProperties(AutoscalingGroup, {
        min_size: 1,
        desired_capacity: 3,
        max_size: 7,
        lifecycle: { ignore_changes: ["desired_capacity"] },
      });
    });

    test.each([
      ["depth", depth],
      ["backlog", backlog],
    ])("%s: a worker that must go may drain first, and goes if it says nothing", (_, synthesis) => {
      expect(synthesis.text).toHaveResourceWithProperties(AutoscalingLifecycleHook, {
        name: "leave",
        lifecycle_transition: "autoscaling:EC2_INSTANCE_TERMINATING",
        heartbeat_timeout: 300,
        default_result: "CONTINUE",
      });
    });

    test("the hook that a group has only after creation is not inside the group, where it would replace it", () => {
      expect(depth.resource("aws_autoscaling_group")).not.toHaveProperty("initial_lifecycle_hook");
    });

    test("publishes how many workers are wanted and in service", () => {
      expect(depth.resource("aws_autoscaling_group")).toMatchObject({
        metrics_granularity: "1Minute",
        enabled_metrics: ["GroupDesiredCapacity", "GroupInServiceInstances"],
      });
    });

    test("replaces workers half at a time when the template changes", () => {
      expect(depth.resource("aws_autoscaling_group").instance_refresh).toEqual({
        strategy: "Rolling",
        preferences: { min_healthy_percentage: 50, instance_warmup: "180", scale_in_protected_instances: "Wait" },
      });
    });
  });

  describe("by depth", () => {
    test("one worker is added, or removed, by simple scaling: the only kind with a cooldown", () => {
      expect(depth.resources("aws_autoscaling_policy")).toHaveLength(2);
      for (const [name, adjustment] of [
        ["workers-add-one", 1],
        ["workers-remove-one", -1],
      ] as const) {
        expect(depth.text).toHaveResourceWithProperties(AutoscalingPolicy, {
          name,
          policy_type: "SimpleScaling",
          adjustment_type: "ChangeInCapacity",
          scaling_adjustment: adjustment,
          cooldown: 240,
        });
      }
      expect(depth.resource("aws_autoscaling_group").default_cooldown).toBe(240);
    });

    test("adds from that many waiting messages; a queue that says nothing is not deep", () => {
      expect(depth.resource("aws_cloudwatch_metric_alarm", { alarm_name: "jobs-sqs-high" })).toMatchObject({
        namespace: "AWS/SQS",
        metric_name: "ApproximateNumberOfMessagesVisible",
        dimensions: { QueueName: "tasks" },
        comparison_operator: "GreaterThanOrEqualToThreshold",
        threshold: 12,
        period: 60,
        evaluation_periods: 1,
        treat_missing_data: "notBreaching",
        alarm_actions: [depth.reference("aws_autoscaling_policy", { name: "workers-add-one" }, "arn")],
      });
    });

    test("removes once the queue was empty that long; a queue that says nothing is empty", () => {
      expect(depth.resource("aws_cloudwatch_metric_alarm", { alarm_name: "jobs-sqs-low" })).toMatchObject({
        metric_name: "ApproximateNumberOfMessagesVisible",
        dimensions: { QueueName: "tasks" },
        comparison_operator: "LessThanOrEqualToThreshold",
        threshold: 0,
        period: 60,
        evaluation_periods: 4,
        treat_missing_data: "breaching",
        alarm_actions: [depth.reference("aws_autoscaling_policy", { name: "workers-remove-one" }, "arn")],
      });
    });
  });

  describe("by backlog", () => {
    test("tracks messages per worker in service; the target is what the accepted latency allows", () => {
      const { target_tracking_configuration: tracking } = backlog.resource("aws_autoscaling_policy", {
        policy_type: "TargetTrackingScaling",
      });
      expect(tracking).toEqual({
        target_value: 7.5,
        customized_metric_specification: {
          metrics: [
            expect.objectContaining({ id: "visible", return_data: false }),
            expect.objectContaining({ id: "workers", return_data: false }),
            expect.objectContaining({
              id: "backlog",
              return_data: true,
              expression: expect.stringMatching(/visible.*\/.*workers/),
            }),
          ],
        },
      });
    });

    test("an empty group, which tracking never leaves, is woken by an alarm", () => {
      expect(backlog.resource("aws_autoscaling_policy", { policy_type: "StepScaling" })).toMatchObject({
        adjustment_type: "ExactCapacity",
        step_adjustment: [{ metric_interval_lower_bound: "0", scaling_adjustment: 1 }],
      });
      const alarm = backlog.resource("aws_cloudwatch_metric_alarm");
      expect(alarm).toMatchObject({
        alarm_name: "jobs-sqs-no-workers",
        comparison_operator: "GreaterThanThreshold",
        threshold: 0,
        treat_missing_data: "notBreaching",
        alarm_actions: [backlog.reference("aws_autoscaling_policy", { policy_type: "StepScaling" }, "arn")],
      });
      expect(alarm.metric_query).toContainEqual(
        expect.objectContaining({ expression: "IF(FILL(workers, 0) == 0, visible, 0)", return_data: true }),
      );
    });

    test("exactly one metric of each query is returned, as CloudWatch demands", () => {
      const { metric_query: queries } = backlog.resource("aws_cloudwatch_metric_alarm");
      expect((queries as { return_data?: boolean }[]).filter(({ return_data }) => return_data)).toHaveLength(1);
    });

    test("has no simple scaling and no cooldown", () => {
      const kinds = backlog.resources("aws_autoscaling_policy").map(({ body }) => body.policy_type);
      expect(kinds.sort()).toEqual(["StepScaling", "TargetTrackingScaling"]);
      expect(backlog.resource("aws_autoscaling_group")).not.toHaveProperty("default_cooldown");
      expect(backlog.text).not.toContain('"cooldown"');
    });
  });

  describe("spot", () => {
    test("none unless asked", () => {
      expect(depth.resource("aws_autoscaling_group")).not.toHaveProperty("mixed_instances_policy");
      expect(depth.resource("aws_autoscaling_group")).toHaveProperty("launch_template");
    });

    test("mixes types and keeps a base on demand, instead of the plain template", () => {
      const spot = group({
        spot: { instanceTypes: ["t3.small", "t3a.small"], onDemandBase: 1, onDemandPercentageAboveBase: 25 },
      });
      const body = spot.resource("aws_autoscaling_group");
      expect(body).not.toHaveProperty("launch_template");
      expect(body.mixed_instances_policy).toEqual({
        instances_distribution: {
          on_demand_base_capacity: 1,
          on_demand_percentage_above_base_capacity: 25,
          spot_allocation_strategy: "price-capacity-optimized",
        },
        launch_template: {
          launch_template_specification: {
            launch_template_id: spot.reference("aws_launch_template", undefined, "id"),
            version: spot.reference("aws_launch_template", undefined, "latest_version"),
          },
          override: [{ instance_type: "t3.small" }, { instance_type: "t3a.small" }],
        },
      });
    });
  });
});
