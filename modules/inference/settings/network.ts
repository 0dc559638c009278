/** Settings of the network of stack inference-network. */
import { z } from "zod";
import { subnetIssues } from "../../platform/cidr";
import { cidr, retentionDays, subnet } from "../../platform/setting-types";

export const networkSettings = z
  .strictObject({
    cidr: cidr.default("10.20.0.0/16").describe("Address range of `inference-vpc`."),
    subnets: z
      .strictObject({
        public1: subnet("10.20.1.0/24", "a", "Public 1: NAT gateway."),
        public2: subnet("10.20.2.0/24", "c", "Public 2: NAT gateway, with natPerZone."),
        private1: subnet("10.20.16.0/20", "a", "Private 1: functions, tasks and the load balancer."),
        private2: subnet("10.20.32.0/20", "c", "Private 2: functions, tasks and the load balancer."),
      })
      .prefault({})
      .describe("The four subnets."),
    natPerZone: z.boolean().default(false).describe("A NAT gateway in each zone instead of one in Public 1."),
    egress: z
      .enum(["nat", "endpoints"])
      .default("nat")
      .describe("How private subnets reach AWS: by a NAT gateway, or by interface endpoints and nothing else."),
    flowLogsRetentionDays: retentionDays,
  })
  .superRefine((value, ctx) => {
    for (const { subnet: name, message } of subnetIssues(value.cidr, value.subnets)) {
      ctx.addIssue({ code: "custom", path: ["subnets", name, "cidr"], message });
    }
    if (value.natPerZone && value.egress === "endpoints") {
      const message = "is set, and egress is endpoints: there is no NAT gateway. Remove it, or set egress to nat.";
      ctx.addIssue({ code: "custom", path: ["natPerZone"], message });
    }
  });
