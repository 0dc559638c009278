/** Secrets that no state ever holds. */
import type { Rule } from "../rule";

/** Attributes that end in the state as they are. Those that end in `_wo` are sent and never kept. */
const SECRET_ATTRIBUTES = [
  "auth_token",
  "master_password",
  "master_user_password",
  "password",
  "passwords",
  "private_key_pem",
  "secret_binary",
  "secret_string",
];
/** Resources that exist to make a secret, in the state. */
const SECRET_TYPES: Readonly<Record<string, string>> = {
  aws_iam_access_key: "an access key",
  aws_iam_user_login_profile: "a password",
  google_service_account_key: "a service account key",
  mongodbatlas_database_user: "a password, unless it signs in with IAM",
  random_password: "a password",
  tls_private_key: "a private key",
};

export const noSecretsInState: Rule = {
  id: "no-secrets-in-state",
  title: "No secret passes through Terraform: the state would keep it in clear text.",
  reason: "Whoever may read a state, such as the plan of a pull request, would read the secret.",
  remedy:
    "Sign in with IAM, let AWS manage the secret (manage_master_user_password), or use a write-only attribute (_wo).",
  types: /^(?!data\.|terraform$)/,
  check: ({ type, body }) => {
    const makes = SECRET_TYPES[type];
    if (makes !== undefined && !usesIam(body)) {
      return `it puts ${makes} into the state`;
    }
    const set = SECRET_ATTRIBUTES.filter((name) => body[name] !== undefined && body[name] !== null);
    const parameter = type === "aws_ssm_parameter" && body.type === "SecureString" && body.value !== undefined;
    const found = [...set, ...(parameter ? ["value"] : [])];
    return found.length === 0 ? undefined : `${found.join(", ")} ends in the state`;
  },
};

/** An Atlas user that is an IAM role has no password. */
function usesIam({ aws_iam_type }: { readonly aws_iam_type?: unknown }): boolean {
  return aws_iam_type === "ROLE" || aws_iam_type === "USER";
}
