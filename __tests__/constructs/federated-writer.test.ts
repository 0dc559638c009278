import { IamWorkloadIdentityPoolProvider } from "@cdktf/provider-google/lib/iam-workload-identity-pool-provider";
import { ServiceAccountIamMember } from "@cdktf/provider-google/lib/service-account-iam-member";
import { TerraformOutput } from "cdktf";
import { FederatedWriter } from "../../constructs/federated-writer";
import { constructed } from "../support/constructed";
import { jsonencoded } from "../support/expression";

const synthesis = constructed((scope) => {
  const writer = new FederatedWriter(scope, "writer", {
    name: "nanogrid",
    description: "Writes",
    awsAccountId: "111122223333",
    awsRoleName: "worker_role",
  });
  new TerraformOutput(scope, "credentials", { value: writer.credentialConfiguration });
  new TerraformOutput(scope, "member", { value: writer.member });
});

const POOL = synthesis.one("google_iam_workload_identity_pool").address;

describe("FederatedWriter", () => {
  test("trusts one AWS account", () => {
    expect(synthesis.text).toHaveResourceWithProperties(IamWorkloadIdentityPoolProvider, {
      workload_identity_pool_id: `\${${POOL}.workload_identity_pool_id}`,
      workload_identity_pool_provider_id: "nanogrid-aws",
      aws: { account_id: "111122223333" },
    });
  });

  test("one AWS role, whatever its session is called, may act as the service account", () => {
    expect(synthesis.text).toHaveResourceWithProperties(ServiceAccountIamMember, {
      service_account_id: synthesis.reference("google_service_account", undefined, "name"),
      role: "roles/iam.workloadIdentityUser",
      member: `principalSet://iam.googleapis.com/\${${POOL}.name}/attribute.aws_role/arn:aws:sts::111122223333:assumed-role/worker_role`,
    });
    expect(synthesis.resources("google_service_account_iam_member")).toHaveLength(1);
  });

  test("no other role of the account gets a token at all", () => {
    expect(synthesis.resource("google_iam_workload_identity_pool_provider").attribute_condition).toBe(
      "attribute.aws_role == 'arn:aws:sts::111122223333:assumed-role/worker_role'",
    );
  });

  test("the principal's attribute is the role's ARN without the session", () => {
    const { attribute_mapping: mapping } = synthesis.resource("google_iam_workload_identity_pool_provider");
    expect(mapping).toEqual({
      "google.subject": "assertion.arn",
      "attribute.aws_role": expect.stringContaining("assertion.arn.extract('{account_arn}assumed-role/')"),
    });
  });

  test("the credential configuration is Google's external_account with IMDSv2", async () => {
    const account = synthesis.one("google_service_account").address;
    const provider = synthesis.one("google_iam_workload_identity_pool_provider").address;
    expect(await jsonencoded(synthesis.outputs.credentials)).toEqual({
      type: "external_account",
      audience: `//iam.googleapis.com/\${${provider}.name}`,
      subject_token_type: "urn:ietf:params:aws:token-type:aws4_request",
      token_url: "https://sts.googleapis.com/v1/token",
      service_account_impersonation_url: `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/\${${account}.email}:generateAccessToken`,
      credential_source: {
        environment_id: "aws1",
        region_url: "http://169.254.169.254/latest/meta-data/placement/availability-zone",
        url: "http://169.254.169.254/latest/meta-data/iam/security-credentials",
        regional_cred_verification_url:
          "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
        imdsv2_session_token_url: "http://169.254.169.254/latest/api/token",
      },
    });
  });

  test("there is no service account key", () => {
    expect(synthesis.resources().map(({ type }) => type)).not.toContain("google_service_account_key");
    expect(synthesis.text).not.toContain("private_key");
  });

  test("names stay within Google's limits: 4 to 32 characters for pools, 6 to 30 for service accounts", () => {
    const pool = String(synthesis.resource("google_iam_workload_identity_pool").workload_identity_pool_id);
    const account = String(synthesis.resource("google_service_account").account_id);
    expect(pool).toMatch(/^[a-z0-9-]{4,32}$/);
    expect(account).toMatch(/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/);
  });
});
