/** Whether a caller may call a function through its URL, by the policies that were deployed to the AWS stand-in. */
import { GetPolicyCommand, LambdaClient, ResourceNotFoundException } from "@aws-sdk/client-lambda";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { runSimulation } from "@cloud-copilot/iam-simulate";
import { AwsClient } from "aws4fetch";

/** Both are asked of every call, since October 2025: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html */
export const URL_ACTIONS = ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"] as const;

const SECRET = "local";
const ATTEMPTS = 3;
const TIMEOUTS = { connectionTimeout: 2_000, requestTimeout: 10_000 };
/** What Lambda says of a call through a URL. */
const CONTEXT = { "lambda:FunctionUrlAuthType": "AWS_IAM", "lambda:InvokedViaFunctionUrl": "true" };

/** Where the policies are. */
export interface PolicySource {
  /** URL of the AWS stand-in. */
  readonly awsEndpoint: string;
  readonly region: string;
  /** ARN of the function. */
  readonly functionArn: string;
}

/** A decision. */
export interface Permission {
  /** ARN of the caller. */
  readonly caller: string;
  /** The actions that no policy allows: none of them, and the call goes through. */
  readonly denied: readonly string[];
}

/** Decides about the session that an access key belongs to. */
export async function permissionOf(source: PolicySource, accessKeyId: string): Promise<Permission> {
  const caller = await callerOf(source, accessKeyId);
  const [, account = "", kind = "", name = ""] = /^arn:aws:(?:sts|iam)::(\d{12}):([\w-]+)\/([^/]+)/.exec(caller) ?? [];
  const [identity, resource] = await Promise.all([
    kind === "assumed-role" ? policiesOf(source, name) : [],
    resourcePolicyOf(source),
  ]);
  const verdicts = await Promise.all(
    URL_ACTIONS.map((action) => isAllowed({ action, caller, account, identity, resource, ...source })),
  );
  return { caller, denied: URL_ACTIONS.filter((_, index) => !verdicts[index]) };
}

interface Question extends PolicySource {
  readonly action: string;
  readonly caller: string;
  readonly account: string;
  readonly identity: readonly object[];
  readonly resource: object | undefined;
}

async function isAllowed(question: Question): Promise<boolean> {
  const { account, action, caller, functionArn, identity, region, resource } = question;
  const answer = await runSimulation(
    {
      request: {
        principal: caller,
        action,
        resource: { resource: functionArn, accountId: functionArn.split(":")[4] ?? "" },
        contextVariables: { "aws:PrincipalAccount": account, "aws:RequestedRegion": region, ...CONTEXT },
      },
      identityPolicies: identity.map((policy, index) => ({ name: `policy-${index + 1}`, policy })),
      ...(resource ? { resourcePolicy: resource } : {}),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  );
  if (answer.resultType === "error") {
    throw new Error(`${action} by ${caller} cannot be judged: ${JSON.stringify(answer)}`);
  }
  return answer.overallResult === "Allowed";
}

async function callerOf({ awsEndpoint, region }: PolicySource, accessKeyId: string): Promise<string> {
  const credentials = { accessKeyId, secretAccessKey: SECRET };
  const sts = new STSClient({
    region,
    endpoint: awsEndpoint,
    credentials,
    maxAttempts: ATTEMPTS,
    requestHandler: TIMEOUTS,
  });
  try {
    return (await sts.send(new GetCallerIdentityCommand({}))).Arn ?? "";
  } finally {
    sts.destroy();
  }
}

/** The inline policies of a role: stacks here give no others. */
async function policiesOf(source: PolicySource, RoleName: string): Promise<object[]> {
  const listed = await askIam(source, { Action: "ListRolePolicies", RoleName });
  const names = [...listed.matchAll(/<member>([^<]+)<\/member>/g)].map(([, name = ""]) => name);
  return Promise.all(
    names.map(async (PolicyName) => {
      const answer = await askIam(source, { Action: "GetRolePolicy", RoleName, PolicyName });
      const [, document = ""] = /<PolicyDocument>([^<]+)<\/PolicyDocument>/.exec(answer) ?? [];
      return JSON.parse(decodeURIComponent(document)) as object;
    }),
  );
}

/** IAM's answer as XML. A role that is not there has no policies. */
async function askIam({ awsEndpoint, region }: PolicySource, query: Record<string, string>): Promise<string> {
  const keys = { accessKeyId: SECRET, secretAccessKey: SECRET };
  const client = new AwsClient({ ...keys, service: "iam", region, retries: ATTEMPTS - 1 });
  const response = await client.fetch(awsEndpoint, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: String(new URLSearchParams({ ...query, Version: "2010-05-08" })),
    signal: AbortSignal.timeout(TIMEOUTS.requestTimeout),
  });
  return response.text();
}

async function resourcePolicyOf({ awsEndpoint, functionArn, region }: PolicySource): Promise<object | undefined> {
  const lambda = new LambdaClient({
    region,
    endpoint: awsEndpoint,
    credentials: { accessKeyId: SECRET, secretAccessKey: SECRET },
    maxAttempts: ATTEMPTS,
    requestHandler: TIMEOUTS,
  });
  try {
    const { Policy } = await lambda.send(new GetPolicyCommand({ FunctionName: functionArn }));
    return Policy === undefined ? undefined : (JSON.parse(Policy) as object);
  } catch (error) {
    if (error instanceof ResourceNotFoundException) {
      return undefined;
    }
    throw error;
  } finally {
    lambda.destroy();
  }
}
