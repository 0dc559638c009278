/** Load balancers that let no malformed header through, and write down what they served. */
import { blocks, isTrue } from "../json";
import type { Rule } from "../rule";

export const loadBalancersDropInvalidHeaders: Rule = {
  id: "load-balancers-drop-invalid-headers",
  title: "Application load balancers drop invalid headers and keep access logs.",
  reason: "Headers that two servers read differently smuggle requests, and without access logs nobody sees it.",
  remedy: "Use constructs/load-balancer.ts, or set drop_invalid_header_fields and access_logs.",
  types: ["aws_lb", "aws_alb"],
  check: ({ body }) => {
    const application = (body.load_balancer_type ?? "application") === "application";
    const found = [
      ...(!application || isTrue(body.drop_invalid_header_fields) ? [] : ["drop_invalid_header_fields is not true"]),
      ...(blocks(body.access_logs).some(({ enabled }) => isTrue(enabled)) ? [] : ["there are no access logs"]),
    ];
    return found.length === 0 ? undefined : found.join(", ");
  },
};
