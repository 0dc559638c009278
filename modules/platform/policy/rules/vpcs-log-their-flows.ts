/** VPCs that write down who talked to whom. */
import type { Rule } from "../rule";

export const vpcsLogTheirFlows: Rule = {
  id: "vpcs-log-their-flows",
  title: "Every VPC has flow logs of all traffic.",
  reason: "After an incident, nothing else says who talked to whom.",
  remedy: "Make the VPC with constructs/vpc.ts, or add an aws_flow_log of traffic type ALL.",
  types: ["aws_vpc"],
  check: (vpc) =>
    vpc.companions("aws_flow_log", "vpc_id").some(({ body }) => body.traffic_type === "ALL")
      ? undefined
      : "no flow log of all traffic refers to the VPC",
};
