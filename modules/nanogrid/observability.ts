/** One dashboard and the alarms, over what the other stacks publish. */
import { CloudwatchDashboard } from "@cdktf/provider-aws/lib/cloudwatch-dashboard";
import { CloudwatchLogMetricFilter } from "@cdktf/provider-aws/lib/cloudwatch-log-metric-filter";
import { SnsTopicSubscription } from "@cdktf/provider-aws/lib/sns-topic-subscription";
import { Fn } from "cdktf";
import type { Construct } from "constructs";
import { Alarm, loadBalancerErrorPercent } from "../../constructs/alarm";
import type { ValuesOf } from "../platform/contract";
import { PlatformStack } from "../platform/platform-stack";
import type { Settings } from "../platform/settings";
import { ai } from "./ai";
import { controllers } from "./controllers";
import { data } from "./data";
import { workers } from "./workers";

/** Namespace of the metrics that log lines make. */
const NAMESPACE = "NanoGrid";
/** The line that a worker's agent and the AI node's timer log every minute. */
const WORKER_HEARTBEAT = { id: "worker-heartbeat", metric: "WorkerHeartbeats", pattern: '"worker.heartbeat"' };
const AI_HEARTBEAT = { id: "ai-heartbeat", metric: "AiNodeHealthy", pattern: '"AI_NODE_HEALTHY"' };
const DASHBOARD_WIDTH = 24;
const WIDGET = { width: 8, height: 6 };

type Stored = ValuesOf<typeof data>;
type Front = ValuesOf<typeof controllers>;
type Group = ValuesOf<typeof workers>;

/** A metric of a widget, as CloudWatch dashboards write it: namespace, name, dimension and value pairs, options. */
type DashboardMetric = readonly (string | object)[];

export class NanogridObservability extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, "nanogrid-observability", settings);
    const stored = this.read(data);
    const front = this.read(controllers);
    const group = this.read(workers);
    this.countLines(group.workerLogGroup, WORKER_HEARTBEAT);
    if (settings.nanogrid.ai.enabled) {
      this.countLines(this.read(ai).aiLogGroup, AI_HEARTBEAT);
    }
    settings.nanogrid.observability.alarmEmails.forEach((endpoint, index) => {
      new SnsTopicSubscription(this, `email-${index + 1}`, {
        topicArn: stored.alarmTopicArn,
        protocol: "email",
        endpoint,
      });
    });
    this.createAlarms(stored, front);
    this.createDashboard(stored, front, group);
  }

  private countLines(logGroupName: string, { id, metric, pattern }: typeof WORKER_HEARTBEAT): void {
    new CloudwatchLogMetricFilter(this, id, {
      name: `nanogrid-${id}`,
      logGroupName,
      pattern,
      metricTransformation: { name: metric, namespace: NAMESPACE, value: "1", unit: "Count" },
    });
  }

  private createAlarms(stored: Stored, front: Front): void {
    const { oldestMessageSeconds, errorRatePercent, redisMemoryPercent } = this.settings.nanogrid.observability;
    const topicArn = stored.alarmTopicArn;
    const targets = { LoadBalancer: front.loadBalancerArnSuffix, TargetGroup: front.targetGroupArnSuffix };
    new Alarm(this, "error-rate-alarm", {
      name: "nanogrid-error-rate",
      description: `More than ${errorRatePercent} % of answers are 5xx`,
      runbook: "error-rate",
      topicArn,
      minutes: 5,
      threshold: errorRatePercent,
      treatMissingData: "notBreaching",
      metricQuery: loadBalancerErrorPercent(front.loadBalancerArnSuffix),
    });
    new Alarm(this, "unhealthy-controllers-alarm", {
      name: "nanogrid-unhealthy-controllers",
      description: "A controller cannot accept work",
      runbook: "unhealthy-controllers",
      topicArn,
      minutes: 3,
      namespace: "AWS/ApplicationELB",
      metricName: "UnHealthyHostCount",
      dimensions: targets,
      statistic: "Maximum",
      threshold: 0,
      treatMissingData: "notBreaching",
    });
    new Alarm(this, "oldest-message-alarm", {
      name: "nanogrid-oldest-message",
      description: `The oldest job, waiting or running, is older than ${oldestMessageSeconds} seconds`,
      runbook: "oldest-message",
      topicArn,
      minutes: 5,
      namespace: "AWS/SQS",
      metricName: "ApproximateAgeOfOldestMessage",
      dimensions: { QueueName: stored.queueName },
      statistic: "Maximum",
      threshold: oldestMessageSeconds,
      treatMissingData: "notBreaching",
    });
    this.redisNodes(stored).forEach((node, index) => {
      new Alarm(this, `redis-memory-alarm-${index + 1}`, {
        name: `nanogrid-redis-memory-${index + 1}`,
        description: `Redis node ${index + 1} uses more than ${redisMemoryPercent} % of its memory`,
        runbook: "redis-memory",
        topicArn,
        minutes: 5,
        namespace: "AWS/ElastiCache",
        metricName: "DatabaseMemoryUsagePercentage",
        dimensions: { CacheClusterId: node },
        statistic: "Maximum",
        threshold: redisMemoryPercent,
        treatMissingData: "notBreaching",
      });
    });
    new Alarm(this, "workers-silent-alarm", {
      name: "nanogrid-workers-silent",
      description: "No worker's agent has been heard of for five minutes",
      runbook: "workers-silent",
      topicArn,
      minutes: 5,
      below: true,
      namespace: NAMESPACE,
      metricName: WORKER_HEARTBEAT.metric,
      statistic: "Sum",
      threshold: 1,
      // A group that may be empty is silent when it is.
      treatMissingData: this.settings.nanogrid.workers.min > 0 ? "breaching" : "notBreaching",
    });
    if (this.settings.nanogrid.ai.enabled) {
      new Alarm(this, "ai-node-down-alarm", {
        name: "nanogrid-ai-node-down",
        description: "Ollama has not answered its health check for five minutes",
        runbook: "ai-node-down",
        topicArn,
        minutes: 5,
        below: true,
        namespace: NAMESPACE,
        metricName: AI_HEARTBEAT.metric,
        statistic: "Sum",
        threshold: 1,
        treatMissingData: "breaching",
      });
    }
  }

  /** Members of the replication group, as ElastiCache names them: its metrics are per member. */
  private redisNodes(stored: Stored): string[] {
    const count = 1 + this.settings.nanogrid.data.redis.replicas;
    return Array.from({ length: count }, (_, index) => `${stored.redisName}-${String(index + 1).padStart(3, "0")}`);
  }

  private createDashboard(stored: Stored, front: Front, group: Group): void {
    const loadBalancer = ["LoadBalancer", front.loadBalancerArnSuffix];
    const queue = ["QueueName", stored.queueName];
    const scaling = ["AutoScalingGroupName", group.workerGroupName];
    const elb = (name: string, options: object): DashboardMetric => [
      "AWS/ApplicationELB",
      name,
      ...loadBalancer,
      options,
    ];
    const widgets: { title: string; metrics: DashboardMetric[] }[] = [
      {
        title: "Latency (seconds)",
        metrics: [
          elb("TargetResponseTime", { stat: "p50", label: "p50" }),
          elb("TargetResponseTime", { stat: "p99", label: "p99" }),
        ],
      },
      { title: "Traffic (requests a minute)", metrics: [elb("RequestCount", { stat: "Sum", label: "requests" })] },
      {
        title: "Errors (a minute)",
        metrics: [
          elb("HTTPCode_Target_5XX_Count", { stat: "Sum", label: "5xx of controllers" }),
          elb("HTTPCode_ELB_5XX_Count", { stat: "Sum", label: "5xx of the load balancer" }),
          elb("HTTPCode_Target_4XX_Count", { stat: "Sum", label: "4xx of controllers" }),
        ],
      },
      {
        title: "Queue depth (messages)",
        metrics: [
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", ...queue, { stat: "Maximum", label: "waiting" }],
          ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", ...queue, { stat: "Maximum", label: "running" }],
          [
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            "QueueName",
            stored.deadLetterQueueName,
            { stat: "Maximum", label: "dead letters" },
          ],
        ],
      },
      {
        title: "Oldest message (seconds)",
        metrics: [["AWS/SQS", "ApproximateAgeOfOldestMessage", ...queue, { stat: "Maximum", label: "age" }]],
      },
      {
        title: "Fair shares (tenants, messages)",
        metrics: [
          ["AWS/SQS", "ApproximateNumberOfNoisyGroups", ...queue, { stat: "Maximum", label: "noisy tenants" }],
          [
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisibleInQuietGroups",
            ...queue,
            { stat: "Maximum", label: "waiting of the others" },
          ],
        ],
      },
      {
        title: "Workers",
        metrics: [
          ["AWS/AutoScaling", "GroupInServiceInstances", ...scaling, { stat: "Maximum", label: "in service" }],
          ["AWS/AutoScaling", "GroupDesiredCapacity", ...scaling, { stat: "Maximum", label: "desired" }],
        ],
      },
      {
        title: "Redis memory (%)",
        metrics: this.redisNodes(stored).map((node, index) => [
          "AWS/ElastiCache",
          "DatabaseMemoryUsagePercentage",
          "CacheClusterId",
          node,
          { stat: "Maximum", label: `node ${index + 1}` },
        ]),
      },
    ];
    const perRow = DASHBOARD_WIDTH / WIDGET.width;
    new CloudwatchDashboard(this, "dashboard", {
      dashboardName: "nanogrid",
      dashboardBody: Fn.jsonencode({
        widgets: widgets.map(({ title, metrics }, index) => ({
          type: "metric",
          ...WIDGET,
          x: (index % perRow) * WIDGET.width,
          y: Math.floor(index / perRow) * WIDGET.height,
          properties: { title, metrics, region: this.settings.region, period: 60, view: "timeSeries", stacked: false },
        })),
      }),
    });
  }
}
