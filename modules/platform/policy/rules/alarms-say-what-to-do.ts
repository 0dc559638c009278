/** Alarms that somebody hears and understands. */
import { strings } from "../json";
import type { Rule } from "../rule";

export const alarmsSayWhatToDo: Rule = {
  id: "alarms-say-what-to-do",
  title: "Every alarm has a description, does something when it rings, and knows what missing data is.",
  reason: "An alarm that nobody hears, or nobody understands at 3 a.m., is none.",
  remedy: "Use constructs/alarm.ts, or set alarm_description, alarm_actions and treat_missing_data.",
  types: ["aws_cloudwatch_metric_alarm", "aws_cloudwatch_composite_alarm"],
  check: ({ type, body }) => {
    const missing = [
      ...(body.alarm_description ? [] : ["alarm_description"]),
      ...(strings(body.alarm_actions).length > 0 ? [] : ["alarm_actions"]),
      ...(body.treat_missing_data || type === "aws_cloudwatch_composite_alarm" ? [] : ["treat_missing_data"]),
    ];
    return missing.length === 0 ? undefined : `${missing.join(", ")} is not set`;
  },
};
