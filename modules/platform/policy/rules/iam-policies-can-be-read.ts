/** Policies whose statements are known before they are applied. */
import type { Rule } from "../rule";
import { POLICY_TYPES, policiesOf } from "../statements";

export const iamPoliciesCanBeRead: Rule = {
  id: "iam-policies-can-be-read",
  title: "Every IAM policy is written so that its statements can be read at synth.",
  reason: "A policy that is put together by Terraform cannot be judged by the other rules.",
  remedy:
    "Write it with policyDocument() of constructs/role.ts, as JSON, or as a data source aws_iam_policy_document of the same stack.",
  types: POLICY_TYPES,
  check: (resource) => {
    const { unreadable } = policiesOf(resource);
    return unreadable.length === 0 ? undefined : `${unreadable.join(", ")} is an expression that cannot be read`;
  },
};
