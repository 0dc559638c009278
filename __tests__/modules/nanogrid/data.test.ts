import { jsonencoded } from "../../support/expression";
import { expr, output, stackOf } from "../../support/synth";

const stack = stackOf("dev", "nanogrid-data");
const prod = stackOf("prod", "nanogrid-data");
const options = stackOf("options", "nanogrid-data");

/** Commands by which a program could see or stop others, or more than its own keys. */
const ADMINISTRATIVE = [
  ...["acl", "client", "cluster", "command", "config", "debug", "failover", "flushall", "flushdb", "function", "keys"],
  ...["latency", "memory", "migrate", "module", "monitor", "psync", "randomkey", "replicaof", "reset", "save", "scan"],
  ...["script", "shutdown", "slaveof", "slowlog", "swapdb", "sync", "wait"],
];

describe("nanogrid-data", () => {
  test("nanogrid-task-queue hides a message for a minute and gives up on it after five receives", async () => {
    const queue = stack.resource("aws_sqs_queue", "queue");
    expect(queue).toMatchObject({
      name: "nanogrid-task-queue",
      visibility_timeout_seconds: 60,
      message_retention_seconds: 1_209_600,
      receive_wait_time_seconds: 20,
      sqs_managed_sse_enabled: true,
    });
    expect(await jsonencoded(queue.redrive_policy)).toEqual({
      deadLetterTargetArn: expr("aws_sqs_queue.queue_dead-letters.arn"),
      maxReceiveCount: 5,
    });
    expect(stack.resource("aws_sqs_queue", "queue_dead-letters").name).toBe("nanogrid-task-queue-dlq");
  });

  test("the first dead letter alarms the topic", () => {
    expect(stack.resource("aws_cloudwatch_metric_alarm", "queue_dead-letters-alarm")).toMatchObject({
      dimensions: { QueueName: expr("aws_sqs_queue.queue_dead-letters.name") },
      threshold: 0,
      alarm_actions: [expr("aws_sns_topic.alarms.arn")],
    });
    expect(stack.resource("aws_sns_topic").name).toBe("nanogrid-alarms");
  });

  test("the topic has no key of AWS's own, under which no alarm could publish", () => {
    expect(stack.resource("aws_sns_topic")).not.toHaveProperty("kms_master_key_id");
  });

  test("buckets have the spec's names and keep versions", () => {
    const names = stack.resources("aws_s3_bucket").map(({ body }) => body.bucket);
    expect(names.sort()).toEqual([
      "nanogrid-artifacts-000000000000",
      "nanogrid-code-bucket",
      "nanogrid-user-data-000000000000",
    ]);
    const versioned = stack.resources("aws_s3_bucket_versioning").map(({ body }) => body.bucket);
    expect(versioned.sort()).toEqual(
      stack
        .resources("aws_s3_bucket")
        .map(({ address }) => `\${${address}.id}`)
        .sort(),
    );
  });

  test("names take a suffix where they are taken", () => {
    const names = options.resources("aws_s3_bucket").map(({ body }) => body.bucket);
    expect(names.sort()).toEqual([
      "nanogrid-artifacts-111122223333-acme",
      "nanogrid-code-bucket-acme",
      "nanogrid-user-data-111122223333-acme",
    ]);
  });

  test.each([
    ["functions-table", "NanoGridFunctions", "functionId", ["by-tenant"], undefined],
    ["jobs-table", "NanoGridJobs", "jobId", ["by-tenant", "by-duty"], { attribute_name: "expiresAt", enabled: true }],
    ["api-keys-table", "NanoGridApiKeys", "keyHash", ["by-tenant"], undefined],
  ])("%s: %s is keyed by %s, billed by request, recoverable", (id, name, key, indexes, ttl) => {
    const table = stack.resource("aws_dynamodb_table", id);
    expect(table).toMatchObject({
      name,
      hash_key: key,
      billing_mode: "PAY_PER_REQUEST",
      point_in_time_recovery: { enabled: true },
    });
    expect(table.attribute).toContainEqual({ name: key, type: "S" });
    expect(table.ttl).toEqual(ttl);
    const found = (table.global_secondary_index ?? []) as { name: string }[];
    expect(found.map((index) => index.name)).toEqual(indexes);
  });

  test.each(["functions-table", "jobs-table", "api-keys-table"])("%s lists a tenant's items by time", (id) => {
    expect(stack.resource("aws_dynamodb_table", id).global_secondary_index).toContainEqual({
      name: "by-tenant",
      projection_type: "ALL",
      key_schema: [
        { attribute_name: "tenant", key_type: "HASH" },
        { attribute_name: "createdAt", key_type: "RANGE" },
      ],
    });
  });

  test("jobs about which something is left to do are found by when it is due, a number, without their results", () => {
    const table = stack.resource("aws_dynamodb_table", "jobs-table");
    expect(table.attribute).toContainEqual({ name: "dutyAt", type: "N" });
    expect(table.global_secondary_index).toContainEqual({
      name: "by-duty",
      projection_type: "KEYS_ONLY",
      key_schema: [
        { attribute_name: "duty", key_type: "HASH" },
        { attribute_name: "dutyAt", key_type: "RANGE" },
      ],
    });
  });

  test.each(["python", "node"])("sandbox images of %s have a repository that keeps ten", (runtime) => {
    expect(stack.resource("aws_ecr_repository", `runtime-${runtime}`)).toMatchObject({
      name: `nanogrid/runtime-${runtime}`,
      image_tag_mutability: "IMMUTABLE",
      image_scanning_configuration: { scan_on_push: true },
      force_delete: true,
    });
    expect(stack.resource("aws_ecr_lifecycle_policy", `runtime-${runtime}_lifecycle`).policy).toContain(
      '"countNumber":10',
    );
    expect(prod.resource("aws_ecr_repository", `runtime-${runtime}`).force_delete).toBe(false);
  });

  test("nanogrid-redis is 7.1 on one cache.t3.micro in Private Data 1's zone, encrypted", () => {
    expect(stack.resource("aws_elasticache_replication_group")).toMatchObject({
      replication_group_id: "nanogrid-redis",
      engine_version: "7.1",
      node_type: "cache.t3.micro",
      port: 6379,
      num_cache_clusters: 1,
      automatic_failover_enabled: false,
      preferred_cache_cluster_azs: ["ap-northeast-2a"],
      transit_encryption_enabled: true,
      at_rest_encryption_enabled: "true",
      security_group_ids: [output("nanogrid-network", "redis_security_group_id")],
    });
    expect(stack.resource("aws_elasticache_subnet_group").subnet_ids).toBe(
      output("nanogrid-network", "worker_subnet_ids"),
    );
  });

  test("a setting adds a replica with automatic failover", () => {
    expect(prod.resource("aws_elasticache_replication_group")).toMatchObject({
      num_cache_clusters: 2,
      automatic_failover_enabled: true,
      multi_az_enabled: true,
    });
  });

  test("controllers and workers sign in with IAM and may use NanoGrid's keys and channels, and nothing administrative", () => {
    const users = stack.resources("aws_elasticache_user").filter(({ body }) => body.user_name !== "default");
    expect(users.map(({ body }) => body.user_id)).toEqual(["nanogrid-controller", "nanogrid-worker"]);
    for (const { body } of users) {
      const [on, keys, channels, nothing, ...commands] = String(body.access_string).split(" ");
      expect([on, keys, channels, nothing]).toEqual(["on", "~nanogrid:*", "&nanogrid:*", "-@all"]);
      for (const command of commands) {
        expect(command).toMatch(/^\+(@connection|@fast|[a-z]+)$/);
        expect(ADMINISTRATIVE).not.toContain(command.slice(1));
      }
      expect(body.authentication_mode).toEqual({ type: "iam" });
    }
    expect(stack.resource("aws_elasticache_replication_group")).not.toHaveProperty("auth_token");
  });

  test("programs are told to use TLS and a user, and not to against the stand-ins", () => {
    expect(stack.outputs).toMatchObject({ redis_tls: "true", redis_port: "6379" });
    expect(stackOf("local", "nanogrid-data").outputs).toMatchObject({ redis_tls: "false", redis_port: "6380" });
  });

  test("nanogrid/gcp-credentials is a secret without a value", () => {
    expect(stack.resource("aws_secretsmanager_secret").name).toBe("nanogrid/gcp-credentials");
    expect(stack.resources("aws_secretsmanager_secret_version")).toEqual([]);
  });

  test("a deleted secret can be had back for 30 days where data is protected", () => {
    expect(prod.resource("aws_secretsmanager_secret").recovery_window_in_days).toBe(30);
    expect(stack.resource("aws_secretsmanager_secret").recovery_window_in_days).toBe(0);
  });
});
