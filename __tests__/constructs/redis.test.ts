import { isDeepStrictEqual } from "node:util";
import { ElasticacheReplicationGroup } from "@cdktf/provider-aws/lib/elasticache-replication-group";
import { Redis, type RedisProps } from "../../constructs/redis";
import { constructed } from "../support/constructed";

const PROPS: RedisProps = {
  name: "cache",
  description: "Status of jobs",
  engineVersion: "7.1",
  nodeType: "cache.t3.micro",
  port: 6379,
  subnetIds: ["subnet-a", "subnet-c"],
  primaryZone: "ap-northeast-2a",
  securityGroupIds: ["sg-1"],
  users: [
    { name: "reader", access: "on ~jobs:* -@all +get" },
    { name: "writer", access: "on ~jobs:* -@all +set" },
  ],
};

function redis(props: Partial<RedisProps> = {}) {
  return constructed((scope) => {
    new Redis(scope, "redis", { ...PROPS, ...props });
  });
}

describe("Redis", () => {
  const single = redis();

  test("is encrypted in transit and at rest", () => {
    expect(single.text).toHaveResourceWithProperties(ElasticacheReplicationGroup, {
      replication_group_id: "cache",
      engine: "redis",
      engine_version: "7.1",
      node_type: "cache.t3.micro",
      port: 6379,
      transit_encryption_enabled: true,
      at_rest_encryption_enabled: "true",
      security_group_ids: ["sg-1"],
    });
  });

  test("survives a destroy unless told otherwise", () => {
    for (const [synthesis, kept] of [
      [single, true],
      [redis({ protect: false }), false],
    ] as const) {
      const { lifecycle } = synthesis.resource("aws_elasticache_replication_group");
      expect(lifecycle).toEqual({ prevent_destroy: kept });
    }
  });

  test("one node has its zone and no failover", () => {
    expect(single.resource("aws_elasticache_replication_group")).toMatchObject({
      num_cache_clusters: 1,
      automatic_failover_enabled: false,
      multi_az_enabled: false,
      preferred_cache_cluster_azs: ["ap-northeast-2a"],
    });
  });

  test("with replicas, failover is automatic and nodes spread over zones", () => {
    const body = redis({ replicas: 2 }).resource("aws_elasticache_replication_group");
    expect(body).toMatchObject({ num_cache_clusters: 3, automatic_failover_enabled: true, multi_az_enabled: true });
    expect(body).not.toHaveProperty("preferred_cache_cluster_azs");
  });

  test("no shared secret enters the state: no AUTH token and no password", () => {
    expect(single.resource("aws_elasticache_replication_group")).not.toHaveProperty("auth_token");
    for (const { body } of single.resources("aws_elasticache_user")) {
      expect(body).not.toHaveProperty("passwords");
      expect(body.authentication_mode ?? {}).not.toHaveProperty("passwords");
    }
  });

  test("users sign in with IAM, under one id and name, with their own access", () => {
    const users = single.resources("aws_elasticache_user").filter(({ body }) => body.user_name !== "default");
    expect(
      users.map(({ body: { user_id, user_name, access_string, authentication_mode } }) => [
        user_id,
        user_name,
        access_string,
        authentication_mode,
      ]),
    ).toEqual([
      ["reader", "reader", "on ~jobs:* -@all +get", { type: "iam" }],
      ["writer", "writer", "on ~jobs:* -@all +set", { type: "iam" }],
    ]);
  });

  test("the default user, which every group must have, is switched off and may do nothing", () => {
    const open = single
      .resources("aws_elasticache_user")
      .filter(({ body }) => !isDeepStrictEqual(body.authentication_mode, { type: "iam" }));
    expect(open.map(({ body: { user_name, access_string } }) => [user_name, access_string])).toEqual([
      ["default", "off -@all"],
    ]);
  });

  test("all users, and only they, are in the group's user group", () => {
    expect(single.resource("aws_elasticache_user_group").user_ids).toEqual(
      ["default", "reader", "writer"].map((name) =>
        single.reference("aws_elasticache_user", { user_name: name }, "user_id"),
      ),
    );
    expect(single.resource("aws_elasticache_replication_group").user_group_ids).toEqual([
      single.reference("aws_elasticache_user_group", undefined, "user_group_id"),
    ]);
  });

  test("asking for a user that does not exist names those that do", () => {
    constructed((scope) => {
      const construct = new Redis(scope, "redis", PROPS);
      expect(() => construct.userArn("nobody")).toThrow(
        'stack/redis: no user is named "nobody" (there are: reader, writer).',
      );
    });
  });
});
