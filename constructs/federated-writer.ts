/** Lets an AWS role act as a Google service account without any key. */
import { IamWorkloadIdentityPool } from "@cdktf/provider-google/lib/iam-workload-identity-pool";
import { IamWorkloadIdentityPoolProvider } from "@cdktf/provider-google/lib/iam-workload-identity-pool-provider";
import { ServiceAccount } from "@cdktf/provider-google/lib/service-account";
import { ServiceAccountIamMember } from "@cdktf/provider-google/lib/service-account-iam-member";
import { Fn } from "cdktf";
import { Construct } from "constructs";
import { exception } from "./exception";

const IMDS = "http://169.254.169.254/latest";

export interface FederatedWriterProps {
  /** Id of the pool and, with suffixes, of what belongs to it: 4 to 24 lower-case letters, digits and hyphens. */
  readonly name: string;
  /** What the service account does. */
  readonly description: string;
  /** AWS account of the role. */
  readonly awsAccountId: string;
  /** Name of the AWS role that acts as the service account. */
  readonly awsRoleName: string;
}

/** A workload identity pool with one AWS account as its provider, and the service account that one role of it may be. */
export class FederatedWriter extends Construct {
  /** IAM member string of the service account. */
  readonly member: string;
  /**
   * The `external_account` credential configuration that Google's client libraries read: where to get tokens, and no key. It names the
   * IMDSv2 token URL because the instances require IMDSv2.
   */
  readonly credentialConfiguration: string;

  constructor(scope: Construct, id: string, props: FederatedWriterProps) {
    super(scope, id);
    const role = `arn:aws:sts::${props.awsAccountId}:assumed-role/${props.awsRoleName}`;
    const pool = new IamWorkloadIdentityPool(this, "pool", {
      workloadIdentityPoolId: `${props.name}-pool`,
      displayName: `${props.name} workloads`,
    });
    const provider = new IamWorkloadIdentityPoolProvider(this, "aws", {
      workloadIdentityPoolId: pool.workloadIdentityPoolId,
      workloadIdentityPoolProviderId: `${props.name}-aws`,
      displayName: `AWS account ${props.awsAccountId}`,
      aws: { accountId: props.awsAccountId },
      attributeMapping: {
        "google.subject": "assertion.arn",
        // The session name changes with every instance; the role does not.
        "attribute.aws_role":
          "assertion.arn.contains('assumed-role') ? assertion.arn.extract('{account_arn}assumed-role/') + 'assumed-role/' + " +
          "assertion.arn.extract('assumed-role/{role_name}/') : assertion.arn",
      },
      // Whoever else of the account asks gets no token at all.
      attributeCondition: `attribute.aws_role == '${role}'`,
    });
    exception(provider, "CKV_GCP_125", "It is AWS that vouches here; the check is about workflows of GitHub.");
    const account = new ServiceAccount(this, "service-account", {
      accountId: `${props.name}-writer`,
      displayName: props.description,
    });
    new ServiceAccountIamMember(this, "impersonation", {
      serviceAccountId: account.name,
      role: "roles/iam.workloadIdentityUser",
      member: `principalSet://iam.googleapis.com/${pool.name}/attribute.aws_role/${role}`,
    });
    this.member = account.member;
    this.credentialConfiguration = Fn.jsonencode({
      type: "external_account",
      audience: `//iam.googleapis.com/${provider.name}`,
      subject_token_type: "urn:ietf:params:aws:token-type:aws4_request",
      token_url: "https://sts.googleapis.com/v1/token",
      service_account_impersonation_url: `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${account.email}:generateAccessToken`,
      credential_source: {
        environment_id: "aws1",
        region_url: `${IMDS}/meta-data/placement/availability-zone`,
        url: `${IMDS}/meta-data/iam/security-credentials`,
        regional_cred_verification_url:
          "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
        imdsv2_session_token_url: `${IMDS}/api/token`,
      },
    });
  }
}
