/** A group of workers that grows and shrinks with the queue that it empties. */
import { AutoscalingGroup, type AutoscalingGroupConfig } from "@cdktf/provider-aws/lib/autoscaling-group";
import { AutoscalingLifecycleHook } from "@cdktf/provider-aws/lib/autoscaling-lifecycle-hook";
import { AutoscalingPolicy } from "@cdktf/provider-aws/lib/autoscaling-policy";
import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { Construct } from "constructs";
import type { InstanceTemplate } from "./instance-template";

const QUEUE_DEPTH = "ApproximateNumberOfMessagesVisible";

/** Spot instances beside on-demand ones. */
export interface SpotProps {
  /** Instance types to choose from. */
  readonly instanceTypes: readonly string[];
  /** On-demand instances before any spot instance. */
  readonly onDemandBase: number;
  /** Percentage of on-demand instances above the base. */
  readonly onDemandPercentageAboveBase: number;
}

/** Adds one worker while the queue is deep and removes one once it is empty: simple scaling, the only kind with a cooldown. */
export interface DepthScaling {
  readonly kind: "depth";
  /** Waiting messages from which one worker is added. */
  readonly addFromMessages: number;
  /** Minutes of an empty queue after which one is removed. */
  readonly removeAfterMinutes: number;
  /** Rest after each step, in seconds. */
  readonly cooldownSeconds: number;
}

/** Keeps the messages per worker in service at what the accepted latency allows. */
export interface BacklogScaling {
  readonly kind: "backlog";
  /** Wait in the queue that users accept, in seconds. */
  readonly acceptedLatencySeconds: number;
  /** Mean duration of a job, in seconds. */
  readonly meanJobSeconds: number;
}

export interface QueueScaledGroupProps {
  /** Physical name of the group. */
  readonly name: string;
  /** Prefix of the alarms' names. */
  readonly alarmPrefix: string;
  /** Fewest, initial and most workers. */
  readonly min: number;
  readonly desired: number;
  readonly max: number;
  /** What they are launched from. */
  readonly template: InstanceTemplate;
  /** Subnets; the group spreads over their zones. */
  readonly subnetIds: readonly string[];
  /** Name of the queue. */
  readonly queueName: string;
  /** How the group scales. */
  readonly scaling: DepthScaling | BacklogScaling;
  /** Mixes spot instances in. @default - on-demand only */
  readonly spot?: SpotProps;
  /** Name of the termination hook at which a worker that must go drains. */
  readonly drainHook: string;
  /** How long a worker that must go may finish its job, in seconds. A worker extends it while it is busy. */
  readonly drainSeconds: number;
}

/** An auto-scaling group whose termination waits for the worker to drain. */
export class QueueScaledGroup extends Construct {
  /** Name of the group. */
  readonly name: string;
  private readonly props: QueueScaledGroupProps;

  constructor(scope: Construct, id: string, props: QueueScaledGroupProps) {
    super(scope, id);
    this.props = props;
    const group = new AutoscalingGroup(this, "Resource", {
      name: props.name,
      minSize: props.min,
      desiredCapacity: props.desired,
      maxSize: props.max,
      vpcZoneIdentifier: [...props.subnetIds],
      healthCheckType: "EC2",
      ...launch(props),
      instanceRefresh: {
        strategy: "Rolling",
        // A busy worker is protected: by default it would be left out, and keep the old program.
        preferences: { minHealthyPercentage: 50, instanceWarmup: "180", scaleInProtectedInstances: "Wait" },
      },
      metricsGranularity: "1Minute",
      enabledMetrics: ["GroupDesiredCapacity", "GroupInServiceInstances"],
      defaultCooldown: props.scaling.kind === "depth" ? props.scaling.cooldownSeconds : undefined,
      waitForCapacityTimeout: "0",
      // Scaling owns the number: every apply would undo it.
      lifecycle: { ignoreChanges: ["desired_capacity"] },
    });
    this.name = group.name;
    new AutoscalingLifecycleHook(this, "drain", {
      name: props.drainHook,
      autoscalingGroupName: group.name,
      lifecycleTransition: "autoscaling:EC2_INSTANCE_TERMINATING",
      heartbeatTimeout: props.drainSeconds,
      defaultResult: "CONTINUE",
    });
    if (props.scaling.kind === "depth") {
      this.scaleByDepth(props.scaling);
    } else {
      this.scaleByBacklog(props.scaling);
    }
  }

  private scaleByDepth(scaling: DepthScaling): void {
    const step = (id: string, name: string, adjustment: number) =>
      new AutoscalingPolicy(this, id, {
        name,
        autoscalingGroupName: this.name,
        policyType: "SimpleScaling",
        adjustmentType: "ChangeInCapacity",
        scalingAdjustment: adjustment,
        cooldown: scaling.cooldownSeconds,
      });
    const addOne = step("add-one", `${this.props.name}-add-one`, 1);
    const removeOne = step("remove-one", `${this.props.name}-remove-one`, -1);
    new CloudwatchMetricAlarm(this, "queue-high", {
      ...this.depthAlarm(`${this.props.alarmPrefix}-sqs-high`),
      alarmDescription: `${scaling.addFromMessages} or more messages wait: adds one worker`,
      comparisonOperator: "GreaterThanOrEqualToThreshold",
      threshold: scaling.addFromMessages,
      evaluationPeriods: 1,
      treatMissingData: "notBreaching",
      alarmActions: [addOne.arn],
    });
    new CloudwatchMetricAlarm(this, "queue-low", {
      ...this.depthAlarm(`${this.props.alarmPrefix}-sqs-low`),
      alarmDescription: `No message waited for ${scaling.removeAfterMinutes} minutes: removes one worker`,
      comparisonOperator: "LessThanOrEqualToThreshold",
      threshold: 0,
      evaluationPeriods: scaling.removeAfterMinutes,
      // A queue that nobody uses stops sending metrics after six hours: that is as empty as it gets.
      treatMissingData: "breaching",
      alarmActions: [removeOne.arn],
    });
  }

  private scaleByBacklog(scaling: BacklogScaling): void {
    new AutoscalingPolicy(this, "backlog", {
      name: `${this.props.name}-backlog`,
      autoscalingGroupName: this.name,
      policyType: "TargetTrackingScaling",
      targetTrackingConfiguration: {
        targetValue: scaling.acceptedLatencySeconds / scaling.meanJobSeconds,
        customizedMetricSpecification: {
          metrics: [
            { id: "visible", returnData: false, metricStat: { metric: this.queueDepthMetric(), stat: "Average" } },
            {
              id: "workers",
              returnData: false,
              metricStat: {
                metric: {
                  namespace: "AWS/AutoScaling",
                  metricName: "GroupInServiceInstances",
                  dimensions: [{ name: "AutoScalingGroupName", value: this.name }],
                },
                stat: "Average",
              },
            },
            {
              id: "backlog",
              label: "Messages per worker in service",
              // An empty group divides by one; the alarm below wakes it.
              expression: "FILL(visible, 0) / IF(FILL(workers, 0) > 0, workers, 1)",
              returnData: true,
            },
          ],
        },
      },
    });
    const wake = new AutoscalingPolicy(this, "wake", {
      name: `${this.props.name}-wake`,
      autoscalingGroupName: this.name,
      policyType: "StepScaling",
      adjustmentType: "ExactCapacity",
      metricAggregationType: "Maximum",
      stepAdjustment: [{ metricIntervalLowerBound: "0", scalingAdjustment: 1 }],
    });
    new CloudwatchMetricAlarm(this, "waiting-without-workers", {
      alarmName: `${this.props.alarmPrefix}-sqs-no-workers`,
      alarmDescription: "Messages wait and no worker is in service: starts one",
      comparisonOperator: "GreaterThanThreshold",
      threshold: 0,
      evaluationPeriods: 1,
      treatMissingData: "notBreaching",
      metricQuery: [
        { id: "visible", metric: { ...this.queueDepth(), period: 60, stat: "Maximum" } },
        {
          id: "workers",
          metric: {
            namespace: "AWS/AutoScaling",
            metricName: "GroupInServiceInstances",
            dimensions: { AutoScalingGroupName: this.name },
            period: 60,
            stat: "Maximum",
          },
        },
        {
          id: "waiting",
          expression: "IF(FILL(workers, 0) == 0, visible, 0)",
          label: "Waiting without workers",
          returnData: true,
        },
      ],
      alarmActions: [wake.arn],
    });
  }

  private depthAlarm(alarmName: string) {
    return { alarmName, ...this.queueDepth(), statistic: "Maximum", period: 60 };
  }

  private queueDepth() {
    return { namespace: "AWS/SQS", metricName: QUEUE_DEPTH, dimensions: { QueueName: this.props.queueName } };
  }

  private queueDepthMetric() {
    return {
      namespace: "AWS/SQS",
      metricName: QUEUE_DEPTH,
      dimensions: [{ name: "QueueName", value: this.props.queueName }],
    };
  }
}

function launch({
  template,
  spot,
}: QueueScaledGroupProps): Pick<AutoscalingGroupConfig, "launchTemplate" | "mixedInstancesPolicy"> {
  if (!spot) {
    return { launchTemplate: { id: template.id, version: template.latestVersion } };
  }
  return {
    mixedInstancesPolicy: {
      instancesDistribution: {
        onDemandBaseCapacity: spot.onDemandBase,
        onDemandPercentageAboveBaseCapacity: spot.onDemandPercentageAboveBase,
        spotAllocationStrategy: "price-capacity-optimized",
      },
      launchTemplate: {
        launchTemplateSpecification: { launchTemplateId: template.id, version: template.latestVersion },
        override: spot.instanceTypes.map((instanceType) => ({ instanceType })),
      },
    },
  };
}
