/** Layer 3: what must be true of everything that is emitted, whichever stack or environment it is in. */
import { existsSync } from "node:fs";
import { controlPlaneStatements } from "../constructs/eks-cluster";
import { sendTraces } from "../constructs/function-basis";
import { pullImages, sessionManager } from "../constructs/instance-permissions";
import { attachToVpc } from "../constructs/node-function";
import type { Statement } from "../constructs/role";
import { denoiseTaskStatements } from "../containers/denoise/permissions";
import { OUTPUTS } from "../modules/ml-function/names";
import {
  autoscalerStatements,
  ebsCsiStatements,
  efsCsiStatements,
  nodeStatements,
  vpcCniStatements,
} from "../modules/music/permissions";
import { ecsAgent } from "../modules/platform/ecs-permissions";
import { type PolicyStatement, statementsOf } from "./support/expression";
import {
  ALL_ENVIRONMENTS,
  type Block,
  type Environment,
  expr,
  type Json,
  type Resource,
  type Synthesis,
  stackOf,
  synthesized,
} from "./support/synth";

const ANY_CLUSTER = { region: "", accountId: "", clusterName: "" };

/** Statements of the constructs that may name `*` as their resource; each has its reason in the code. */
const WILDCARD_STATEMENTS: readonly Statement[] = [
  sessionManager(),
  ...pullImages([]),
  sendTraces(),
  attachToVpc(),
  ...ecsAgent({ cluster: "", instances: "" }),
  ...denoiseTaskStatements({ inBucketArn: "", outBucketArn: "", namespace: "" }),
  ...controlPlaneStatements(""),
  ...nodeStatements(ANY_CLUSTER, []),
  ...vpcCniStatements(ANY_CLUSTER),
  ...efsCsiStatements(""),
  ...ebsCsiStatements(ANY_CLUSTER),
  ...autoscalerStatements(ANY_CLUSTER, []),
];

/** The outputs that other states, commands and people rely on: a name may be added here, never changed. */
const FROZEN_OUTPUTS: Readonly<Record<string, readonly string[]>> = {
  "state-backend": ["state_bucket"],
  "nanogrid-network": [
    "vpc_id",
    "public_subnet_ids",
    "private_app_subnet_id",
    "worker_subnet_ids",
    "ai_subnet_id",
    "load_balancer_security_group_id",
    "controller_security_group_id",
    "worker_security_group_id",
    "redis_security_group_id",
    "ai_security_group_id",
  ],
  "nanogrid-data": [
    "queue_url",
    "queue_arn",
    "queue_name",
    "dead_letter_queue_url",
    "dead_letter_queue_arn",
    "dead_letter_queue_name",
    "code_bucket",
    "code_bucket_arn",
    "user_data_bucket",
    "user_data_bucket_arn",
    "artifacts_bucket",
    "artifacts_bucket_arn",
    "functions_table",
    "functions_table_arn",
    "jobs_table",
    "jobs_table_arn",
    "api_keys_table",
    "api_keys_table_arn",
    "redis_host",
    "redis_port",
    "redis_tls",
    "redis_name",
    "redis_arn",
    "redis_controller_user",
    "redis_controller_user_arn",
    "redis_worker_user",
    "redis_worker_user_arn",
    "runtime_python_repository_arn",
    "runtime_node_repository_arn",
    "gcp_credentials_secret_arn",
    "alarm_topic_arn",
  ],
  "nanogrid-archive": ["bucket"],
  "nanogrid-controllers": [
    "service_url",
    "load_balancer_dns_name",
    "load_balancer_arn_suffix",
    "target_group_arn_suffix",
    "controller_group_name",
    "controller_launch_template_id",
    "controller_log_group",
  ],
  "nanogrid-workers": ["worker_group_name", "worker_launch_template_id", "worker_log_group"],
  "nanogrid-ai": ["ai_instance_id", "ai_endpoint", "ai_log_group"],
  "nanogrid-observability": [],
  "denoise-storage": [
    "in_bucket",
    "in_bucket_arn",
    "out_bucket",
    "out_bucket_arn",
    "repository_name",
    "repository_url",
    "repository_arn",
    "image_uri",
    "alarm_topic_arn",
  ],
  "denoise-service": [
    "vpc_id",
    "subnet_ids",
    "link_security_group_id",
    "listener_arn",
    "load_balancer_dns_name",
    "load_balancer_arn_suffix",
    "target_group_arn",
    "target_group_arn_suffix",
    "cluster_name",
    "service_name",
    "task_family",
    "task_log_group",
    "capacity_groups",
  ],
  "denoise-api": ["api_id", "api_url", "presign_function_name", "presign_log_group", "access_log_group"],
  "inference-network": [
    "vpc_id",
    "private_subnet_ids",
    "private_zones",
    "function_security_group_id",
    "link_security_group_id",
    "load_balancer_security_group_id",
    "task_security_group_id",
    "instance_security_group_id",
    "database_uri",
    "database_name",
    "alarm_topic_arn",
  ],
  "inference-gpu": [
    "service_url",
    "listener_arn",
    "load_balancer_arn_suffix",
    "target_group_arn",
    "target_group_arn_suffix",
    "cluster_name",
    "service_name",
    "task_family",
    "task_log_group",
    "capacity_groups",
    "repository_name",
    "image_uri",
  ],
  "inference-api": [
    "api_id",
    "api_url",
    "products_function_name",
    "search_function_name",
    "titles_function_name",
    "batches_function_name",
    "bootstrap_function_name",
    "products_log_group",
    "search_log_group",
    "titles_log_group",
    "batches_log_group",
    "bootstrap_log_group",
    "access_log_group",
    "queue_url",
    "dead_letter_queue_url",
  ],
  // The last two are spelled as their specification spells them.
  "ml-function": [
    "function_name",
    "log_group",
    "repository_name",
    "image_uri",
    "alarm_topic_arn",
    "fnUrlRoleArn",
    "EndpointUrl",
  ],
  "music-cluster": [
    "cluster_name",
    "cluster_endpoint",
    "cluster_certificate_authority",
    "vpc_id",
    "file_system_id",
    "access_point_id",
    "front_image_uri",
    "back_image_uri",
    "first_stage_image_uri",
    "second_stage_image_uri",
    "step_image_uri",
    "artifacts_bucket",
    "alarm_topic_arn",
  ],
  "music-platform": ["prometheus_url", "storage_class"],
  "music-services": ["namespace", "front_url", "back_url"],
  "ci-access": ["plan_role_arn", "deploy_role_arn", "boundary_arn"],
};

/** Outputs whose spelling is their specification's. */
const SPELLED: readonly string[] = Object.values(OUTPUTS);
/** The one role that identities of the account assume: what each may do besides, their own policies say. */
const ACCOUNT_ROLE = "ml-function: aws_iam_role.caller";

/** Providers of stacks whose resources are in a Kubernetes cluster. */
const IN_CLUSTER = {
  helm: { source: "helm", version: ">= 3.1, < 4" },
  kubernetes: { source: "kubernetes", version: ">= 2.38, < 4" },
};

/** Providers of single stacks, besides AWS's. */
const PROVIDERS: Readonly<Record<string, object>> = {
  "nanogrid-archive": { google: { source: "google", version: ">= 6.50, < 9" } },
  "inference-network": { mongodbatlas: { source: "mongodb/mongodbatlas", version: "~> 1.41" } },
  "music-platform": IN_CLUSTER,
  "music-services": IN_CLUSTER,
};

/** Attributes that are a resource's physical name, in the order in which they are looked for. */
const PHYSICAL_NAMES = [
  "name",
  "bucket",
  "alarm_name",
  "replication_group_id",
  "user_group_id",
  "user_id",
  "dashboard_name",
  "workload_identity_pool_id",
  "account_id",
];

/** Types whose `name` or `bucket` says where they belong, not who they are. */
const NOT_NAMED =
  /^aws_(apigatewayv2_(authorizer|stage)|s3_bucket_.+|s3_object|iam_role_policy|(app)?autoscaling_(policy|lifecycle_hook))$|_iam_member$/;

/** Types that hold data. */
const HOLDS_DATA = ["aws_s3_bucket", "aws_dynamodb_table", "aws_ebs_volume", "google_storage_bucket"];

const SECRETS: Readonly<Record<string, RegExp>> = {
  "an AWS access key": /\b(AKIA|ASIA)[0-9A-Z]{16}\b/,
  "a private key": /-----BEGIN [A-Z ]*PRIVATE KEY/,
  "a Google service account key": /"private_key(_id)?"/,
  "a GitHub token": /\bgh[pousr]_[0-9A-Za-z]{36}/,
  "an npm or PyPI token": /\b(npm_[0-9A-Za-z]{36}|pypi-[0-9A-Za-z_-]{16,})/,
  "a Slack token": /\bxox[abpr]-/,
  "a JSON web token": /\beyJ[0-9A-Za-z_-]{10,}\.eyJ/,
  "an API key of NanoGrid": /\bng_[0-9A-Za-z_-]{43}\b/,
  "a password": /"(auth_token|password|passwords|secret_key|master_password)":/,
};

interface Located extends Resource {
  readonly stack: string;
}

function stacksOf(environment: Environment): [string, Synthesis][] {
  return Object.entries(synthesized(environment).stacks);
}

/** Resources of one type, or all, with their stack in the address. */
function resourcesOf(environment: Environment, type?: string): Located[] {
  return stacksOf(environment).flatMap(([stack, synthesis]) =>
    synthesis.resources(type).map((resource) => ({ ...resource, stack, address: `${stack}: ${resource.address}` })),
  );
}

/** What else of the same stack has this attribute value, by type. */
function companions(
  environment: Environment,
  { stack }: Located,
  type: string,
  attribute: string,
  value: string,
): Block[] {
  return resourcesOf(environment, type)
    .filter((other) => other.stack === stack && other.body[attribute] === value)
    .map(({ body }) => body);
}

/** Every IAM statement, in policies of roles, trusts and resources, with the address of what holds it. */
async function statements(environment: Environment): Promise<(PolicyStatement & { holder: string })[]> {
  const policies = resourcesOf(environment).flatMap(({ address, type, body }) =>
    // A lifecycle policy of images shares nothing with one of IAM but the name.
    (type === "aws_ecr_lifecycle_policy" ? [] : ["policy", "assume_role_policy"]).flatMap((key) =>
      body[key] === undefined ? [] : [[address, body[key]] as const],
    ),
  );
  const found = await Promise.all(
    policies.map(async ([holder, policy]) =>
      (await statementsOf(policy)).map((statement) => ({ ...statement, holder })),
    ),
  );
  return found.flat();
}

/** Every string in a document, with the keys that lead to it. */
function strings(value: Json, path = ""): [string, string][] {
  if (typeof value === "string") {
    return [[path, value]];
  }
  if (value === null || typeof value !== "object") {
    return [];
  }
  return Object.entries(value).flatMap(([key, each]) => strings(each, `${path}.${key}`));
}

describe.each(ALL_ENVIRONMENTS)("%s", (environment) => {
  describe("tags", () => {
    test("every aws provider tags what it makes with project, environment, stack, owner and repository", () => {
      for (const [id, stack] of stacksOf(environment)) {
        const providers = stack.at("provider", "aws") as readonly Block[];
        expect(providers.length).toBeGreaterThan(0);
        for (const provider of providers) {
          expect(provider.default_tags).toEqual([
            {
              tags: {
                project: "nanogrid-cloud",
                environment,
                stack: id,
                owner: expect.stringMatching(/./),
                repository: expect.stringMatching(/./),
              },
            },
          ]);
        }
      }
    });

    test("what auto-scaling groups and launch templates launch is tagged alike", () => {
      const tagsOf = (stack: string) =>
        synthesized(environment).stacks[stack]?.at("provider", "aws", 0, "default_tags", 0, "tags");
      const groups = resourcesOf(environment, "aws_autoscaling_group");
      const templates = resourcesOf(environment, "aws_launch_template");
      expect(groups.length).toBeGreaterThan(0);
      expect(templates.length).toBeGreaterThan(0);
      for (const { stack, body } of groups) {
        const tags = body.tag as readonly { key: string; value: string; propagate_at_launch: boolean }[];
        // ECS marks its own groups.
        const ours = tags.filter(({ key }) => key !== "AmazonECSManaged");
        expect(Object.fromEntries(ours.map(({ key, value }) => [key, value]))).toEqual(tagsOf(stack));
        expect(tags.every(({ propagate_at_launch }) => propagate_at_launch)).toBe(true);
      }
      for (const { stack, body } of templates) {
        const specifications = body.tag_specifications as readonly { resource_type: string; tags: Block }[];
        expect(specifications.map(({ resource_type }) => resource_type)).toEqual([
          "instance",
          "volume",
          "network-interface",
        ]);
        for (const { tags } of specifications) {
          expect(tags).toMatchObject(tagsOf(stack) as Block);
        }
      }
    });

    test("so are the root volumes of instances", () => {
      for (const { stack, body } of resourcesOf(environment, "aws_instance")) {
        expect(body.root_block_device).toMatchObject({ tags: { environment, stack } });
      }
    });
  });

  describe("network", () => {
    test("nothing is open to the world but the load balancer's 80 and 443", () => {
      const open = resourcesOf(environment, "aws_vpc_security_group_ingress_rule")
        .filter(({ body }) => body.cidr_ipv4 === "0.0.0.0/0" || body.cidr_ipv6 === "::/0" || body.ip_protocol === "-1")
        .map(({ stack, body }) => [stack, body.security_group_id, body.from_port, body.to_port]);
      const front = expr("aws_security_group.load-balancer-security-group.id");
      expect(open).toEqual([
        ["nanogrid-network", front, 80, 80],
        ["nanogrid-network", front, 443, 443],
      ]);
    });

    test("no security group has inline rules, and no rule is of the old kind", () => {
      for (const { body } of [
        ...resourcesOf(environment, "aws_security_group"),
        ...resourcesOf(environment, "aws_default_security_group"),
      ]) {
        expect(body).not.toHaveProperty("ingress");
        expect(body).not.toHaveProperty("egress");
      }
      expect(resourcesOf(environment, "aws_security_group_rule")).toEqual([]);
    });

    test("every launch template and instance requires IMDSv2 with a hop limit of 1", () => {
      const launched = [
        ...resourcesOf(environment, "aws_launch_template"),
        ...resourcesOf(environment, "aws_instance"),
      ];
      expect(launched.length).toBeGreaterThan(0);
      for (const { body } of launched) {
        expect(body.metadata_options).toMatchObject({ http_tokens: "required", http_put_response_hop_limit: 1 });
      }
    });
  });

  describe("data", () => {
    test("every bucket is private, encrypted and reachable over TLS only", async () => {
      const buckets = resourcesOf(environment, "aws_s3_bucket");
      expect(buckets.length).toBeGreaterThanOrEqual(5);
      for (const bucket of buckets) {
        const reference = `\${aws_s3_bucket.${bucket.name}.id}`;
        const arn = `\${aws_s3_bucket.${bucket.name}.arn}`;
        const beside = (type: string) => companions(environment, bucket, type, "bucket", reference);
        expect(beside("aws_s3_bucket_public_access_block")).toEqual([
          expect.objectContaining({
            block_public_acls: true,
            block_public_policy: true,
            ignore_public_acls: true,
            restrict_public_buckets: true,
          }),
        ]);
        expect(beside("aws_s3_bucket_server_side_encryption_configuration")).toHaveLength(1);
        const [policy, ...others] = beside("aws_s3_bucket_policy");
        expect(others).toEqual([]);
        expect(await statementsOf(policy?.policy)).toContainEqual({
          sid: "TlsOnly",
          effect: "Deny",
          principal: "*",
          actions: ["s3:*"],
          resources: [arn, arn.replace("}", "}/*")],
          condition: { Bool: { "aws:SecureTransport": "false" } },
        });
      }
    });

    test("every volume, queue and cache is encrypted", () => {
      for (const { body } of resourcesOf(environment, "aws_ebs_volume")) expect(body.encrypted).toBe(true);
      for (const { body } of resourcesOf(environment, "aws_sqs_queue")) expect(body.sqs_managed_sse_enabled).toBe(true);
      for (const { body } of resourcesOf(environment, "aws_instance")) {
        expect(body.root_block_device).toMatchObject({ encrypted: true });
      }
      for (const { body } of resourcesOf(environment, "aws_launch_template")) {
        for (const { ebs } of body.block_device_mappings as readonly { ebs: Block }[]) {
          expect(ebs.encrypted).toBe("true");
        }
      }
      for (const { body } of resourcesOf(environment, "aws_elasticache_replication_group")) {
        expect(body).toMatchObject({ transit_encryption_enabled: true, at_rest_encryption_enabled: "true" });
      }
    });

    test("every log group forgets after a while", () => {
      for (const { body } of resourcesOf(environment, "aws_cloudwatch_log_group")) {
        expect(body.retention_in_days).toBeGreaterThan(0);
      }
    });

    const isProtected = !["local", "dev"].includes(environment);

    test(`what holds data is ${isProtected ? "protected from destruction" : "destroyable"}`, () => {
      for (const type of HOLDS_DATA) {
        for (const { body } of resourcesOf(environment, type)) {
          expect(body.lifecycle).toMatchObject({ prevent_destroy: isProtected });
          expect(body.force_destroy ?? !isProtected).toBe(!isProtected);
        }
      }
      const found = new Set(resourcesOf(environment).map(({ type }) => type));
      expect(HOLDS_DATA.filter((type) => environment !== "smallest" && !found.has(type))).toEqual([]);
    });
  });

  describe("IAM", () => {
    test("no action that is allowed has a wildcard", async () => {
      const loose = (await statements(environment)).filter(
        ({ effect, actions }) => effect === "Allow" && actions.some((action) => !/^[a-z0-9-]+:[A-Za-z]+$/.test(action)),
      );
      expect(loose).toEqual([]);
    });

    test("everything that is allowed names its resources, or has a written reason not to", async () => {
      const wild = (await statements(environment)).filter(
        ({ effect, resources, holder }) =>
          // Those of ci-access are held action by action against AWS's own definitions, in its test.
          !holder.startsWith("ci-access:") &&
          effect === "Allow" &&
          resources.some((resource) => /^[*?]+$|^arn:[^$]*:\*$/.test(resource)),
      );
      for (const { sid, actions, holder } of wild) {
        const reasoned = WILDCARD_STATEMENTS.find((statement) => statement.sid === sid);
        expect([holder, sid, reasoned?.wildcardReason]).toEqual([holder, sid, expect.stringMatching(/\w+ \w+/)]);
        expect(actions).toEqual(reasoned?.actions);
      }
      expect(wild.length).toBeGreaterThan(0);
    });

    test("no statement of a role lacks a resource: one that is not known at synth would be null", async () => {
      const found = (await statements(environment)).filter(({ principal }) => principal === undefined);
      for (const { holder, sid, resources } of found) {
        expect([holder, sid, resources.length > 0 && resources.every((each) => /^(arn:|\$\{|\*$)/.test(each))]).toEqual(
          [holder, sid, true],
        );
      }
    });

    test("nobody but services, CI and callers of the ML function may assume a role, and none is let in by a resource's policy but by name", async () => {
      for (const { effect, principal, holder, condition } of await statements(environment)) {
        if (holder === ACCOUNT_ROLE) {
          const { allowed_account_ids: accounts } = stackOf(environment, "ml-function").at(
            "provider",
            "aws",
            0,
          ) as Block;
          expect(principal).toEqual({ AWS: `arn:aws:iam::${String(accounts)}:root` });
        } else if (holder.startsWith("ci-access: aws_iam_role.")) {
          expect(principal).toEqual({ Federated: expr("aws_iam_openid_connect_provider.github.arn") });
        } else if (/: aws_vpc_endpoint\./.test(holder)) {
          // An endpoint's policy lets in what is in the VPC already: whom, its conditions say by the roles' ARNs.
          const roles = (condition as { StringEquals?: Record<string, string[]> }).StringEquals?.["aws:PrincipalArn"];
          expect([holder, roles?.length]).not.toEqual([holder, 0]);
          for (const role of roles ?? ["nobody named"]) {
            expect([holder, role]).toEqual([holder, expect.stringMatching(/^arn:aws:iam::\d{12}:role\/[\w-]+$/)]);
          }
        } else if (holder.endsWith(": aws_efs_file_system_policy.files_policy")) {
          // NFS clients sign nothing: who gets to a mount target is the security group's to say.
          expect(condition).toEqual({
            Bool:
              effect === "Allow"
                ? { "elasticfilesystem:AccessedViaMountTarget": "true" }
                : { "aws:SecureTransport": "false" },
          });
        } else if (effect === "Allow" && principal !== undefined) {
          expect([holder, principal]).toEqual([
            holder,
            { Service: expect.stringMatching(/^[a-z0-9.-]+\.amazonaws\.com$/) },
          ]);
        }
      }
    });

    test("no role has a policy that its stack does not make, no user and no access key exists", () => {
      for (const { body } of resourcesOf(environment, "aws_iam_role_policy_attachment")) {
        expect(body.policy_arn).toMatch(/^\$\{aws_iam_policy\.[\w-]+\.arn\}$/);
      }
      const types = new Set(resourcesOf(environment).map(({ type }) => type));
      for (const type of ["aws_iam_user", "aws_iam_access_key", "aws_iam_policy_attachment"]) {
        expect(types).not.toContain(type);
      }
    });

    test("statements of one policy have names of their own", async () => {
      const names = (await statements(environment)).map(({ holder, sid }) => `${holder} ${sid}`);
      expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
      for (const name of names) {
        expect(name).toMatch(/ [A-Za-z0-9]+$/);
      }
    });
  });

  describe("states", () => {
    test("each has its own key in the one bucket, locked natively and for one account", () => {
      const keys = stacksOf(environment).map(([id, stack]) => {
        const backend = stack.at("terraform", "backend", "s3") as Block;
        const [account] = stack.at("provider", "aws", 0, "allowed_account_ids") as readonly string[];
        expect(account).toMatch(/^\d{12}$/);
        expect(backend).toMatchObject({
          bucket: `nanogrid-cloud-state-${account}`,
          key: `nanogrid-cloud/${environment}/${id}.tfstate`,
          region: "ap-northeast-2",
          encrypt: true,
          use_lockfile: true,
          allowed_account_ids: [account],
        });
        expect(backend).not.toHaveProperty("dynamodb_table");
        return backend.key;
      });
      expect(new Set(keys).size).toBe(keys.length);
    });

    test("versions are ranges in which fixes arrive", () => {
      for (const [id, stack] of stacksOf(environment)) {
        expect(stack.at("terraform", "required_version")).toBe(">= 1.11");
        expect(stack.at("terraform", "required_providers")).toEqual({
          aws: { source: "aws", version: "~> 6.47" },
          ...PROVIDERS[id],
        });
      }
    });

    test("the names of their contracts are frozen", () => {
      for (const [id, stack] of stacksOf(environment)) {
        expect([id, Object.keys(stack.outputs).sort()]).toEqual([id, [...(FROZEN_OUTPUTS[id] ?? [])].sort()]);
      }
    });

    test("every output has a description and a name in snake case, but for those that a specification spells otherwise", () => {
      for (const [, stack] of stacksOf(environment)) {
        for (const [name, { description }] of Object.entries((stack.at("output") ?? {}) as Record<string, Block>)) {
          expect(SPELLED.includes(name) ? "spelled" : name).toMatch(/^[a-z]+(_[a-z]+)*$/);
          expect(description).toMatch(/\w/);
        }
      }
    });

    test("a stack reads only what another one publishes, from where that one keeps it, and waits for it", () => {
      const { stacks, dependencies } = synthesized(environment);
      for (const [id, stack] of stacksOf(environment)) {
        const producers = stack.data("terraform_remote_state");
        expect(producers.map(({ name }) => name).sort()).toEqual([...(dependencies[id] ?? [])].sort());
        for (const { name, body } of producers) {
          expect(body.config).toEqual(stacks[name]?.at("terraform", "backend", "s3"));
        }
        for (const [, producer, output] of stack.text.matchAll(/terraform_remote_state\.([\w-]+)\.outputs\.(\w+)/g)) {
          expect(Object.keys(stacks[producer ?? ""]?.outputs ?? {})).toContain(output);
        }
      }
    });

    test("no stack waits for itself, however far around", () => {
      const { dependencies } = synthesized(environment);
      const done = new Set<string>();
      const visit = (id: string, path: readonly string[]): void => {
        expect([...path, id]).toEqual([...new Set([...path, id])]);
        if (!done.has(id)) {
          for (const next of dependencies[id] ?? []) {
            visit(next, [...path, id]);
          }
          done.add(id);
        }
      };
      for (const id of Object.keys(dependencies)) {
        visit(id, []);
      }
    });
  });

  describe("what is written", () => {
    test.each(Object.entries(SECRETS))("holds not %s", (_, pattern) => {
      for (const [id, stack] of stacksOf(environment)) {
        expect([id, pattern.exec(stack.text)?.[0]]).toEqual([id, undefined]);
      }
    });

    test("holds no path of this machine", () => {
      const { folder } = synthesized(environment);
      const machine = [
        process.cwd(),
        folder,
        process.env.HOME ?? "/root",
        "/home/",
        "/Users/",
        "/tmp/",
        "node_modules",
      ];
      for (const [id, stack] of stacksOf(environment)) {
        expect([id, machine.filter((path) => stack.text.includes(path))]).toEqual([id, []]);
      }
    });

    test("refers to files by paths below the stack's folder", () => {
      const files = stacksOf(environment).flatMap(([, stack]) =>
        strings(stack.json).flatMap(([, text]) => [
          ...[...text.matchAll(/templatefile\("([^"]+)"/g)].map(([, path]) => path),
          ...(text.endsWith(".zip") && !text.startsWith("programs/") ? [text] : []),
        ]),
      );
      expect(files.length).toBeGreaterThan(0);
      for (const file of files) {
        expect(file).toMatch(/^assets\/[^.]/);
      }
    });

    test("has every token resolved, and no expression of which half is missing", () => {
      for (const [id, stack] of stacksOf(environment)) {
        expect([id, /TfToken|TOKEN\[|\[object Object\]|\bundefined\b/.exec(stack.text)?.[0]]).toEqual([id, undefined]);
        for (const [path, text] of strings(stack.json)) {
          const opened = text.match(/(?<!\$)\$\{/g)?.length ?? 0;
          const closed = text.match(/\}/g)?.length ?? 0;
          expect([`${id}${path}`, closed >= opened]).toEqual([`${id}${path}`, true]);
        }
      }
    });

    test("no address ends in a hash, and each says its role in lower case", () => {
      for (const { name, address } of resourcesOf(environment)) {
        expect([address, name]).toEqual([address, expect.stringMatching(/^[a-z][a-z0-9_-]*$/)]);
        expect([address, name]).toEqual([address, expect.not.stringMatching(/(^|[_-])(?=[a-f]*\d)[0-9a-f]{8,}$/)]);
      }
    });

    test("no two resources of a type have the same physical name", () => {
      const names = resourcesOf(environment)
        .filter(({ type }) => !NOT_NAMED.test(type))
        .flatMap(({ stack, type, body }) => {
          const name = PHYSICAL_NAMES.map((attribute) => body[attribute]).find((value) => value !== undefined);
          // A reference means something else in each stack.
          const scope = String(name).includes("${") ? `${stack} ` : "";
          return name === undefined ? [] : [`${scope}${type} ${name}`];
        });
      expect(names.length).toBeGreaterThan(30);
      expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    });

    test("every page of the operations guide that an alarm names is there", () => {
      const pages = resourcesOf(environment, "aws_cloudwatch_metric_alarm").flatMap(
        ({ body }) => /docs\/operations\/[\w-]+\.md/.exec(String(body.alarm_description)) ?? [],
      );
      expect(pages.length).toBeGreaterThan(3);
      expect(pages.filter((page) => !existsSync(page))).toEqual([]);
    });

    test("every alarm says what it means, does something, and knows what missing data is", () => {
      for (const { address, body } of resourcesOf(environment, "aws_cloudwatch_metric_alarm")) {
        expect([address, body]).toEqual([
          address,
          expect.objectContaining({
            alarm_description: expect.stringMatching(/\w/),
            alarm_actions: expect.arrayContaining([expect.stringMatching(/^arn:|^\$\{/)]),
            treat_missing_data: expect.stringMatching(/^(notB|b)reaching$/),
          }),
        ]);
      }
    });
  });
});

const DENOISE = ["denoise-storage", "denoise-service", "denoise-api"];
const INFERENCE = ["inference-network", "inference-gpu", "inference-api"];
const MUSIC = ["music-cluster", "music-platform", "music-services"];

describe("environments", () => {
  test("each has its stacks, in which nothing is missing and nothing is too much", () => {
    const all = Object.keys(FROZEN_OUTPUTS).sort();
    for (const environment of ALL_ENVIRONMENTS) {
      const left = [
        ...(environment === "smallest"
          ? ["nanogrid-ai", "nanogrid-archive", ...DENOISE, ...INFERENCE, "ml-function"]
          : []),
        ...(environment === "options" ? [] : ["ci-access"]),
        ...(environment === "dev" || environment === "options" ? [] : MUSIC),
      ];
      const expected = all.filter((id) => !left.includes(id));
      expect([environment, Object.keys(synthesized(environment).stacks).sort()]).toEqual([environment, expected]);
    }
  });

  test("no two share a state", () => {
    const keys = ALL_ENVIRONMENTS.flatMap((environment) =>
      stacksOf(environment).map(([, stack]) => {
        const { bucket, key } = stack.at("terraform", "backend", "s3") as Block;
        return `${bucket}/${key}`;
      }),
    );
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("only the stand-ins' relaxes the provider", () => {
    for (const environment of ALL_ENVIRONMENTS) {
      for (const [, stack] of stacksOf(environment)) {
        expect([environment, "skip_credentials_validation" in (stack.at("provider", "aws", 0) as Block)]).toEqual([
          environment,
          environment === "local",
        ]);
      }
    }
  });
});
