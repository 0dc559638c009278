/** Logs that end. */
import type { Rule } from "../rule";

export const logGroupsExpire: Rule = {
  id: "log-groups-expire",
  title: "Every log group forgets after a number of days.",
  reason: "Logs that are kept forever cost more every month, and keep what people asked to be forgotten.",
  remedy: "Set retention_in_days from a setting.",
  types: ["aws_cloudwatch_log_group"],
  check: (group) => {
    const days = group.resolved(group.body.retention_in_days);
    return typeof days === "string" || Number(days ?? 0) > 0 ? undefined : `retention_in_days is ${days ?? "not set"}`;
  },
};
