/** What Terraform calls for roles, logs, alarms and notifications. */
import { type ActionTable, EVERYTHING, fixed, NAME, named, PATH, read, type Scope, write } from "./scope";

const ROLES = named("Roles", `iam::{account}:role/${NAME}*`);
const PROFILES = named("Profiles", `iam::{account}:instance-profile/${NAME}*`);
/** A role may be made, and be given permissions, only under the boundary: so that none can do more than the programs' roles together. */
const BOUNDED_ROLES: Scope = {
  label: "BoundedRoles",
  arns: ROLES.arns,
  conditions: [{ test: "StringEquals", variable: "iam:PermissionsBoundary", values: ["{boundary}"] }],
};
/** A role may be handed to the services that the stacks' own roles trust, and to no other. */
const PASSED_ROLES: Scope = {
  label: "PassedRoles",
  arns: ROLES.arns,
  conditions: [{ test: "StringEquals", variable: "iam:PassedToService", values: ["{services}"] }],
};
const LOG_GROUPS = named(
  "LogGroups",
  ...[NAME, PATH].flatMap((name) => ["", ":*"].map((end) => `logs:{region}:{account}:log-group:${name}*${end}`)),
);
const ALARMS = named("Alarms", `cloudwatch:{region}:{account}:alarm:${NAME}*`);
const ANY_ALARM = fixed(
  "AnyAlarm",
  "AWS answers for composite alarms only where any alarm may be described",
  "cloudwatch:{region}:{account}:alarm:*",
);
const DASHBOARDS = named("Dashboards", `cloudwatch::{account}:dashboard/${NAME}*`);
const TOPICS = named("Topics", `sns:{region}:{account}:${NAME}*`);
const PROVIDERS = fixed(
  "Providers",
  "one provider of GitHub's for the account",
  "iam::{account}:oidc-provider/token.actions.githubusercontent.com",
);
const POLICIES = fixed("Policies", "the policies of ci-access", "iam::{account}:policy/{project}-{environment}-*");

export const ACCESS_ACTIONS: ActionTable = {
  aws_iam_role: {
    name: "name",
    rows: [
      read(ROLES, "iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"),
      write(
        ROLES,
        "iam:DeleteRole",
        "iam:ListInstanceProfilesForRole",
        "iam:TagRole",
        "iam:UntagRole",
        "iam:UpdateAssumeRolePolicy",
        "iam:UpdateRole",
        "iam:UpdateRoleDescription",
      ),
      write(BOUNDED_ROLES, "iam:CreateRole", "iam:PutRolePermissionsBoundary"),
      write(PASSED_ROLES, "iam:PassRole"),
    ],
  },
  aws_iam_role_policy: {
    rows: [read(ROLES, "iam:GetRolePolicy"), write(BOUNDED_ROLES, "iam:DeleteRolePolicy", "iam:PutRolePolicy")],
  },
  aws_iam_instance_profile: {
    rows: [
      read(PROFILES, "iam:GetInstanceProfile"),
      write(
        PROFILES,
        "iam:AddRoleToInstanceProfile",
        "iam:CreateInstanceProfile",
        "iam:DeleteInstanceProfile",
        "iam:RemoveRoleFromInstanceProfile",
        "iam:TagInstanceProfile",
        "iam:UntagInstanceProfile",
      ),
    ],
  },
  // These belong to ci-access: a person with more permissions applies it, and CI only looks.
  aws_iam_openid_connect_provider: {
    rows: [read(PROVIDERS, "iam:GetOpenIDConnectProvider")],
  },
  aws_iam_policy: {
    rows: [read(POLICIES, "iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListPolicyVersions")],
  },
  aws_iam_role_policy_attachment: {
    rows: [read(ROLES, "iam:ListAttachedRolePolicies")],
  },
  aws_cloudwatch_log_group: {
    name: "name",
    rows: [
      read(EVERYTHING, "logs:DescribeLogGroups"),
      read(LOG_GROUPS, "logs:ListTagsForResource"),
      write(
        LOG_GROUPS,
        "logs:CreateLogGroup",
        "logs:DeleteLogGroup",
        "logs:DeleteRetentionPolicy",
        "logs:PutRetentionPolicy",
        "logs:TagResource",
        "logs:UntagResource",
      ),
    ],
  },
  aws_cloudwatch_log_metric_filter: {
    rows: [
      read(LOG_GROUPS, "logs:DescribeMetricFilters"),
      write(LOG_GROUPS, "logs:DeleteMetricFilter", "logs:PutMetricFilter"),
    ],
  },
  aws_cloudwatch_metric_alarm: {
    name: "alarm_name",
    rows: [
      read(ANY_ALARM, "cloudwatch:DescribeAlarms"),
      read(ALARMS, "cloudwatch:ListTagsForResource"),
      write(
        ALARMS,
        "cloudwatch:DeleteAlarms",
        "cloudwatch:PutMetricAlarm",
        "cloudwatch:TagResource",
        "cloudwatch:UntagResource",
      ),
    ],
  },
  aws_cloudwatch_dashboard: {
    name: "dashboard_name",
    rows: [
      read(DASHBOARDS, "cloudwatch:GetDashboard"),
      write(DASHBOARDS, "cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard"),
    ],
  },
  aws_sns_topic: {
    name: "name",
    rows: [
      read(TOPICS, "sns:GetTopicAttributes", "sns:ListTagsForResource"),
      write(
        TOPICS,
        "sns:CreateTopic",
        "sns:DeleteTopic",
        "sns:SetTopicAttributes",
        "sns:TagResource",
        "sns:UntagResource",
      ),
    ],
  },
  aws_sns_topic_subscription: {
    rows: [
      read(TOPICS, "sns:GetSubscriptionAttributes"),
      write(TOPICS, "sns:SetSubscriptionAttributes", "sns:Subscribe", "sns:Unsubscribe"),
    ],
  },
};
