/** Services that are reached through a load balancer only. */
import { blocks, isTrue } from "../json";
import type { Rule } from "../rule";

export const ecsServicesHavePrivateAddresses: Rule = {
  id: "ecs-services-have-private-addresses",
  title: "Tasks of ECS services have no public address.",
  reason: "A public address goes around the load balancer, its WAF and its logs.",
  remedy: "Set assign_public_ip to false and run the tasks in private subnets.",
  types: ["aws_ecs_service"],
  check: ({ body }) =>
    blocks(body.network_configuration).some(({ assign_public_ip }) => isTrue(assign_public_ip))
      ? "assign_public_ip is true"
      : undefined,
};
