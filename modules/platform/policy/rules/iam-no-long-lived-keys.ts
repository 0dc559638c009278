/** No identity that lives longer than its use. */
import type { Rule } from "../rule";

export const iamNoLongLivedKeys: Rule = {
  id: "iam-no-long-lived-keys",
  title: "No IAM user, access key or key of a Google service account is made.",
  reason: "A key that never ends is found years later in a log, a laptop or a fork.",
  remedy:
    "Use a role: an instance's, a task's, or one that an identity provider's token assumes (OIDC, workload identity federation).",
  types: ["aws_iam_user", "aws_iam_access_key", "aws_iam_user_login_profile", "google_service_account_key"],
  check: ({ type }) => `it is an ${type}`,
};
