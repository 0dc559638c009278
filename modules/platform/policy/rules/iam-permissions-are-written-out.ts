/** Roles whose permissions stand in this repository. */
import { strings } from "../json";
import type { Rule } from "../rule";

export const iamPermissionsAreWrittenOut: Rule = {
  id: "iam-permissions-are-written-out",
  title: "Roles have statements of their own: no managed policy of AWS.",
  reason: "A managed policy allows more than one program needs, and AWS adds to it without asking.",
  remedy: "Use constructs/role.ts with the statements that the program needs.",
  types: [
    "aws_iam_role_policy_attachment",
    "aws_iam_policy_attachment",
    "aws_iam_role_policy_attachments_exclusive",
    "aws_iam_role",
    "aws_iam_user_policy_attachment",
    "aws_iam_group_policy_attachment",
  ],
  check: ({ type, body }) => {
    const attached = type === "aws_iam_role" ? body.managed_policy_arns : (body.policy_arn ?? body.policy_arns);
    // A policy of the same stack is written out; it is judged there.
    const managed = strings(attached).filter((arn) => !/^\$\{aws_iam_policy\./.test(arn));
    return managed.length === 0 ? undefined : `${managed.join(", ")} is attached`;
  },
};
