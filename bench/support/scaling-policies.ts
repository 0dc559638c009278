/** The scaling of the workers' group, read from the Terraform that is emitted for it. */
import { z } from "zod";
import { metricMath, type Value } from "./metric-math";

/** AWS's own cooldown, and warm-up, of a group that states none, in seconds. */
const DEFAULT_COOLDOWN_SECONDS = 300;
const METRIC_PERIOD_SECONDS = 60;
/** Target tracking's own alarms: minutes above the target, and minutes below a share of it. */
const TRACKING = { highMinutes: 3, lowMinutes: 15, lowShare: 0.9 };

/** What a metric can be made of: the queue's visible messages, and the group's instances in service. */
export type Source = "visible" | "inService";

/** A number that CloudWatch keeps, by the period. */
export interface Metric {
  readonly periodSeconds: number;
  /** Its value from the values of a period; undefined where it has none. */
  readonly value: (read: (source: Source, statistic: string) => Value) => Value;
}

/** When an alarm rings. */
export interface AlarmRule {
  readonly name: string;
  readonly metric: Metric;
  readonly breaches: (value: number) => boolean;
  readonly evaluationPeriods: number;
  readonly datapointsToAlarm: number;
  readonly missing: "breaching" | "notBreaching" | "missing" | "ignore";
}

/** What a policy makes of the number of instances. */
export type Change =
  /** Adds or removes so many, with a rest after it. */
  | { readonly kind: "simple"; readonly adjustment: number; readonly cooldownSeconds: number }
  /** Sets the number. */
  | { readonly kind: "exact"; readonly capacity: number }
  /** As many as bring the metric to its target, in proportion. */
  | { readonly kind: "track"; readonly target: number; readonly direction: "out" | "in" };

/** A rule and what follows while it rings. */
export interface Reaction {
  readonly alarm: AlarmRule;
  readonly change: Change;
}

/** A group and how it scales. */
export interface GroupScaling {
  readonly min: number;
  readonly max: number;
  readonly reactions: readonly Reaction[];
  /** How long an instance counts as warming up: target tracking removes nothing meanwhile. */
  readonly warmupSeconds: number;
  /** Time that the group's own instance refresh gives an instance to boot. */
  readonly bootSeconds: number;
}

const dimensioned = z.object({ namespace: z.string(), metric_name: z.string() });
const alarmSchema = z.object({
  alarm_name: z.string(),
  namespace: z.string().optional(),
  metric_name: z.string().optional(),
  statistic: z.string().optional(),
  period: z.number().optional(),
  metric_query: z
    .array(
      z.object({
        id: z.string(),
        expression: z.string().optional(),
        return_data: z.boolean().optional(),
        metric: dimensioned.extend({ period: z.number(), stat: z.string() }).optional(),
      }),
    )
    .optional(),
  comparison_operator: z.string(),
  threshold: z.number(),
  evaluation_periods: z.number(),
  datapoints_to_alarm: z.number().optional(),
  treat_missing_data: z.enum(["breaching", "notBreaching", "missing", "ignore"]).default("missing"),
  alarm_actions: z.array(z.string()).default([]),
});
const tracked = z.object({
  target_value: z.number(),
  disable_scale_in: z.boolean().default(false),
  customized_metric_specification: z.object({
    metrics: z.array(
      z.object({
        id: z.string(),
        expression: z.string().optional(),
        return_data: z.boolean().optional(),
        metric_stat: z.object({ metric: dimensioned, stat: z.string() }).optional(),
      }),
    ),
  }),
});
const policySchema = z.object({
  policy_type: z.string(),
  adjustment_type: z.string().optional(),
  scaling_adjustment: z.number().optional(),
  cooldown: z.number().optional(),
  estimated_instance_warmup: z.number().optional(),
  step_adjustment: z.array(z.object({ scaling_adjustment: z.number() })).optional(),
  target_tracking_configuration: tracked.optional(),
});
const groupSchema = z.object({
  min_size: z.number(),
  max_size: z.number(),
  default_cooldown: z.number().optional(),
  default_instance_warmup: z.number().optional(),
  instance_refresh: z.object({ preferences: z.object({ instance_warmup: z.coerce.number() }) }),
});
const stackSchema = z.object({
  resource: z.object({
    aws_autoscaling_group: z.record(z.string(), groupSchema),
    aws_autoscaling_policy: z.record(z.string(), policySchema),
    aws_cloudwatch_metric_alarm: z.record(z.string(), alarmSchema),
  }),
});

type Emitted = z.output<typeof stackSchema>["resource"];
type EmittedAlarm = z.output<typeof alarmSchema>;
type EmittedPolicy = z.output<typeof policySchema>;

/**
 * @param stack the Terraform JSON of nanogrid-workers
 * @throws Error naming what it does not know, so that nothing that is emitted is passed over
 */
export function scalingOf(stack: unknown): GroupScaling {
  const { resource } = stackSchema.parse(stack);
  const [group] = Object.values(resource.aws_autoscaling_group);
  if (!group) {
    throw new Error("nanogrid-workers: there is no aws_autoscaling_group.");
  }
  const cooldown = group.default_cooldown ?? DEFAULT_COOLDOWN_SECONDS;
  return {
    min: group.min_size,
    max: group.max_size,
    reactions: [...alarmReactions(resource, cooldown), ...trackingReactions(resource)],
    warmupSeconds: group.default_instance_warmup ?? cooldown,
    bootSeconds: group.instance_refresh.preferences.instance_warmup,
  };
}

function alarmReactions(resource: Emitted, cooldown: number): Reaction[] {
  return Object.values(resource.aws_cloudwatch_metric_alarm).flatMap((alarm) =>
    alarm.alarm_actions.map((action) => {
      const [, name = ""] = /aws_autoscaling_policy\.([\w-]+)\.arn/.exec(action) ?? [];
      const policy = resource.aws_autoscaling_policy[name];
      if (!policy) {
        throw new Error(`${alarm.alarm_name}: its action ${action} is no policy of this stack.`);
      }
      return { alarm: ruleOf(alarm), change: changeOf(name, policy, cooldown) };
    }),
  );
}

function ruleOf(alarm: EmittedAlarm): AlarmRule {
  return {
    name: alarm.alarm_name,
    metric: alarm.metric_query ? queried(alarm.metric_query) : single(alarm),
    breaches: comparison(alarm.comparison_operator, alarm.threshold),
    evaluationPeriods: alarm.evaluation_periods,
    datapointsToAlarm: alarm.datapoints_to_alarm ?? alarm.evaluation_periods,
    missing: alarm.treat_missing_data,
  };
}

function single({
  namespace = "",
  metric_name = "",
  statistic = "",
  period = METRIC_PERIOD_SECONDS,
}: EmittedAlarm): Metric {
  const source = sourceOf(namespace, metric_name);
  return { periodSeconds: period, value: (read) => read(source, statistic) };
}

function queried(queries: NonNullable<EmittedAlarm["metric_query"]>): Metric {
  return math(
    queries.map(({ metric, ...query }) => ({ ...query, ...(metric ? { metric, stat: metric.stat } : {}) })),
    queries.find(({ metric }) => metric)?.metric?.period ?? METRIC_PERIOD_SECONDS,
  );
}

interface Query {
  readonly id: string;
  readonly expression?: string | undefined;
  readonly return_data?: boolean | undefined;
  readonly metric?: z.output<typeof dimensioned>;
  readonly stat?: string;
}

function math(queries: readonly Query[], periodSeconds: number): Metric {
  const result = queries.find(({ return_data }) => return_data);
  if (!result?.expression) {
    throw new Error("a metric of several queries returns none of them by an expression.");
  }
  const expression = metricMath(result.expression);
  const inputs = queries.flatMap(({ id, metric, stat = "" }) =>
    metric ? [{ id, stat, source: sourceOf(metric.namespace, metric.metric_name) }] : [],
  );
  return {
    periodSeconds,
    value: (read) => expression(new Map(inputs.map(({ id, source, stat }) => [id, read(source, stat)]))),
  };
}

function sourceOf(namespace: string, name: string): Source {
  switch (`${namespace}/${name}`) {
    case "AWS/SQS/ApproximateNumberOfMessagesVisible":
      return "visible";
    case "AWS/AutoScaling/GroupInServiceInstances":
      return "inService";
    default:
      throw new Error(`the metric ${namespace}/${name} is not simulated.`);
  }
}

function comparison(operator: string, threshold: number): (value: number) => boolean {
  switch (operator) {
    case "GreaterThanOrEqualToThreshold":
      return (value) => value >= threshold;
    case "GreaterThanThreshold":
      return (value) => value > threshold;
    case "LessThanThreshold":
      return (value) => value < threshold;
    case "LessThanOrEqualToThreshold":
      return (value) => value <= threshold;
    default:
      throw new Error(`the comparison ${operator} is not simulated.`);
  }
}

function changeOf(name: string, policy: EmittedPolicy, cooldown: number): Change {
  const kind = `${policy.policy_type} ${policy.adjustment_type}`;
  const steps = policy.step_adjustment ?? [];
  if (kind === "SimpleScaling ChangeInCapacity") {
    return {
      kind: "simple",
      adjustment: policy.scaling_adjustment ?? 0,
      cooldownSeconds: policy.cooldown ?? cooldown,
    };
  }
  if (kind === "StepScaling ExactCapacity" && steps.length === 1) {
    return { kind: "exact", capacity: steps[0]?.scaling_adjustment ?? 0 };
  }
  throw new Error(`${name}: ${kind} with ${steps.length} steps is not simulated.`);
}

function trackingReactions(resource: Emitted): Reaction[] {
  return Object.entries(resource.aws_autoscaling_policy).flatMap(([name, policy]) => {
    const config = policy.target_tracking_configuration;
    if (!config) {
      return [];
    }
    const queries = config.customized_metric_specification.metrics.map(({ metric_stat, ...query }) => ({
      ...query,
      ...(metric_stat ? { metric: metric_stat.metric, stat: metric_stat.stat } : {}),
    }));
    return tracking(name, math(queries, METRIC_PERIOD_SECONDS), config.target_value, config.disable_scale_in);
  });
}

/** The two alarms that AWS makes for a target, and what follows. */
function tracking(name: string, metric: Metric, target: number, onlyOut: boolean): Reaction[] {
  const alarm = (direction: string, minutes: number, breaches: (value: number) => boolean): AlarmRule => ({
    name: `${name}-${direction}`,
    metric,
    breaches,
    evaluationPeriods: minutes,
    datapointsToAlarm: minutes,
    missing: "missing",
  });
  const out: Reaction = {
    alarm: alarm("high", TRACKING.highMinutes, (value) => value > target),
    change: { kind: "track", target, direction: "out" },
  };
  const back: Reaction = {
    alarm: alarm("low", TRACKING.lowMinutes, (value) => value < TRACKING.lowShare * target),
    change: { kind: "track", target, direction: "in" },
  };
  return onlyOut ? [out] : [out, back];
}
