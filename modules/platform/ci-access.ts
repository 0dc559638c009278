/**
 * What lets CI into an environment's account without any key: GitHub's OIDC provider, a role that plans, a role that deploys, and the
 * boundary of every role that a deployment makes. A person with more permissions applies it; CI never changes it.
 */
import { IamOpenidConnectProvider } from "@cdktf/provider-aws/lib/iam-openid-connect-provider";
import { IamPolicy } from "@cdktf/provider-aws/lib/iam-policy";
import type { Construct } from "constructs";
import { exception } from "../../constructs/exception";
import { GithubRole, type PolicyStatement } from "../../constructs/github-role";
import { policyDocument } from "../../constructs/role";
import { emittedBy } from "./ci/emitted";
import { CI_ACCESS, ciNames, GITHUB_ISSUER } from "./ci/names";
import { type CiStatement, ciPermissions } from "./ci/statements";
import { contract } from "./contract";
import { PlatformStack } from "./platform-stack";
import type { Settings } from "./settings";

export const ciAccess = contract(CI_ACCESS, {
  planRoleArn: "Role of pull requests and of the drift check: reads",
  deployRoleArn: "Role of deployments",
  boundaryArn: "Policy that no role of a stack may exceed",
});

/** An apply of a replication group takes longer than an hour at worst. */
const DEPLOY_SESSION_SECONDS = 7_200;
/** Its own types, which are not there yet when the other stacks are looked at. */
const OWN_TYPES = ["aws_iam_openid_connect_provider", "aws_iam_policy", "aws_iam_role_policy_attachment"];

/** Constructed after every other stack, since what its roles may do follows from what they emit. */
export class CiAccess extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, ciAccess.stack, settings);
    const { ci } = settings;
    const names = ciNames(settings);
    const emitted = emittedBy(this.node.root);
    const { plan, deploy, boundary } = ciPermissions(settings, {
      ...emitted,
      types: [...new Set([...emitted.types, ...OWN_TYPES])].sort(),
    });

    const provider = ci.existingProvider
      ? undefined
      : new IamOpenidConnectProvider(this, "github", {
          url: `https://${GITHUB_ISSUER}`,
          clientIdList: ["sts.amazonaws.com"],
        });
    const common = { providerArn: provider?.arn ?? names.providerArn, issuer: GITHUB_ISSUER };
    const repository = `repo:${ci.repository}`;
    const planRole = new GithubRole(this, "plan", {
      ...common,
      name: names.planRole,
      description: `Pull requests and drift of ${settings.environment}: reads`,
      subjects: [`${repository}:pull_request`, `${repository}:ref:refs/heads/${ci.branch}`],
      statements: plan.map(toPolicy),
      reasons: reasonsOf(plan),
    });
    const deployRole = new GithubRole(this, "deploy", {
      ...common,
      name: names.deployRole,
      description: `Deployments of ${settings.environment}`,
      subjects: [`${repository}:environment:${settings.environment}`],
      statements: deploy.map(toPolicy),
      reasons: reasonsOf(deploy),
      maxSessionSeconds: DEPLOY_SESSION_SECONDS,
    });
    const boundaryPolicy = new IamPolicy(this, "boundary", {
      name: names.boundary,
      description: `What no role of a stack of ${settings.environment} may exceed`,
      policy: policyDocument(boundary.map(toPolicy)),
    });
    for (const [sid, reason] of Object.entries(reasonsOf(boundary))) {
      exception(boundaryPolicy, "iam-no-wildcard-resource", reason, sid);
    }
    this.publish(ciAccess, {
      planRoleArn: planRole.arn,
      deployRoleArn: deployRole.arn,
      boundaryArn: boundaryPolicy.arn,
    });
  }
}

function reasonsOf(statements: readonly CiStatement[]): Record<string, string> {
  return Object.fromEntries(statements.flatMap(({ sid, reason }) => (reason === undefined ? [] : [[sid, reason]])));
}

function toPolicy({ sid, effect, actions, resources, conditions = [] }: CiStatement): PolicyStatement {
  const block: Record<string, Record<string, readonly string[]>> = {};
  for (const { test, variable, values } of conditions) {
    block[test] = { ...block[test], [variable]: values };
  }
  return {
    Sid: sid,
    Effect: effect,
    Action: actions,
    Resource: resources,
    ...(conditions.length > 0 ? { Condition: block } : {}),
  };
}
