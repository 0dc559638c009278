import { jsonencoded } from "../../support/expression";
import { type Block, output, stackOf } from "../../support/synth";

const stack = stackOf("dev", "nanogrid-observability");
const TOPIC = output("nanogrid-data", "alarm_topic_arn");

describe("nanogrid-observability", () => {
  test.each([
    ["nanogrid-error-rate", "GreaterThanThreshold", 5, 5, "notBreaching"],
    ["nanogrid-unhealthy-controllers", "GreaterThanThreshold", 0, 3, "notBreaching"],
    ["nanogrid-oldest-message", "GreaterThanThreshold", 900, 5, "notBreaching"],
    ["nanogrid-redis-memory-1", "GreaterThanThreshold", 80, 5, "notBreaching"],
    ["nanogrid-workers-silent", "LessThanThreshold", 1, 5, "breaching"],
    ["nanogrid-ai-node-down", "LessThanThreshold", 1, 5, "breaching"],
  ])("%s: %s %d for %d minutes, missing data is %s", (name, operator, threshold, minutes, missing) => {
    expect(stack.resource("aws_cloudwatch_metric_alarm", { alarm_name: name })).toMatchObject({
      comparison_operator: operator,
      threshold,
      evaluation_periods: minutes,
      treat_missing_data: missing,
      alarm_actions: [TOPIC],
      ok_actions: [TOPIC],
    });
  });

  test("with the dead letters' and the AI host's, all alarms of the spec are there and notify one topic", () => {
    const alarms = ["nanogrid-data", "nanogrid-ai", "nanogrid-observability"].flatMap((id) =>
      stackOf("dev", id)
        .resources("aws_cloudwatch_metric_alarm")
        .map(({ body }) => body.alarm_name),
    );
    expect(alarms.sort()).toEqual([
      "nanogrid-ai-host-failed",
      "nanogrid-ai-node-down",
      "nanogrid-error-rate",
      "nanogrid-oldest-message",
      "nanogrid-redis-memory-1",
      "nanogrid-task-queue-dlq-not-empty",
      "nanogrid-unhealthy-controllers",
      "nanogrid-workers-silent",
    ]);
  });

  test("each node of Redis has an alarm of its own, since its memory is measured by node", () => {
    const watched = stackOf("prod", "nanogrid-observability")
      .resources("aws_cloudwatch_metric_alarm")
      .filter(({ body }) => body.metric_name === "DatabaseMemoryUsagePercentage")
      .map(({ body }) => body.dimensions);
    const name = output("nanogrid-data", "redis_name");
    expect(watched).toEqual([{ CacheClusterId: `${name}-001` }, { CacheClusterId: `${name}-002` }]);
  });

  test("a group that may be empty may be silent", () => {
    const silent = stackOf("smallest", "nanogrid-observability").resource("aws_cloudwatch_metric_alarm", {
      alarm_name: "nanogrid-workers-silent",
    });
    expect(silent.treat_missing_data).toBe("notBreaching");
  });

  test("the error rate counts the controllers' and the load balancer's own 5xx against all requests", () => {
    const { metric_query } = stack.resource("aws_cloudwatch_metric_alarm", { alarm_name: "nanogrid-error-rate" });
    const queries = metric_query as readonly Block[];
    expect(queries.map(({ id, return_data }) => [id, return_data ?? false])).toEqual([
      ["target", false],
      ["own", false],
      ["requests", false],
      ["rate", true],
    ]);
  });

  test.each([
    ["worker-heartbeat", "WorkerHeartbeats", "nanogrid-workers", "worker_log_group"],
    ["ai-heartbeat", "AiNodeHealthy", "nanogrid-ai", "ai_log_group"],
  ])("%s: lines of the log become the metric %s", (id, metric, producer, output) => {
    expect(stack.resource("aws_cloudwatch_log_metric_filter", id)).toMatchObject({
      log_group_name: `\${data.terraform_remote_state.${producer}.outputs.${output}}`,
      metric_transformation: { name: metric, namespace: "NanoGrid", value: "1" },
    });
    expect(
      stack.resources("aws_cloudwatch_metric_alarm").filter(({ body }) => body.metric_name === metric),
    ).toHaveLength(1);
  });

  test("whoever is named gets mail, and nobody otherwise", () => {
    expect(stack.resources("aws_sns_topic_subscription")).toEqual([]);
    const mails = stackOf("options", "nanogrid-observability").resources("aws_sns_topic_subscription");
    expect(mails.map(({ body }) => [body.protocol, body.endpoint, body.topic_arn])).toEqual([
      ["email", "ops@example.com", TOPIC],
      ["email", "boss@example.com", TOPIC],
    ]);
  });

  test("one dashboard shows latency, traffic, errors, queue depth, age and shares, workers, and Redis memory", async () => {
    const { widgets } = await jsonencoded(stack.resource("aws_cloudwatch_dashboard").dashboard_body);
    const shown = (widgets as readonly Block[]).map(({ properties }) => properties as Block);
    expect(shown.map(({ title }) => title)).toEqual([
      "Latency (seconds)",
      "Traffic (requests a minute)",
      "Errors (a minute)",
      "Queue depth (messages)",
      "Oldest message (seconds)",
      "Fair shares (tenants, messages)",
      "Workers",
      "Redis memory (%)",
    ]);
    const [latency] = shown;
    expect(JSON.stringify(latency?.metrics)).toMatch(/"p50".*"p99"/);
    expect(shown.map(({ region }) => region)).toEqual(shown.map(() => "ap-northeast-2"));
  });

  test("no two widgets lie on each other, and none leaves the 24 columns", async () => {
    const { widgets } = await jsonencoded(stack.resource("aws_cloudwatch_dashboard").dashboard_body);
    const places = (widgets as readonly { x: number; y: number; width: number; height: number }[]).map(
      ({ x, y, width, height }) => ({ left: x, right: x + width, top: y, bottom: y + height }),
    );
    for (const [index, one] of places.entries()) {
      expect(one.right).toBeLessThanOrEqual(24);
      for (const other of places.slice(index + 1)) {
        const apart =
          one.right <= other.left || other.right <= one.left || one.bottom <= other.top || other.bottom <= one.top;
        expect(apart).toBe(true);
      }
    }
  });
});
