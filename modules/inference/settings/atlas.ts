/** Settings of the database in MongoDB Atlas. */
import { z } from "zod";
import { cidr } from "../../platform/setting-types";

/** Tiers of dedicated clusters, which alone can be peered. */
const DEDICATED = /^M(10|20|30|40|50|60|80|140|200|300|400|700)$/;
/** Ranges that Atlas takes for its side of a peering. */
const PRIVATE = /^(10\.|172\.(1[6-9]|2\d|3[01])\.|192\.168\.)/;
const LARGEST = 21;
const SMALLEST = 24;

export const atlasSettings = z.strictObject({
  organizationId: z
    .string()
    .regex(/^[0-9a-f]{24}$/, "the 24 hexadecimal digits of an Atlas organization's id")
    .optional()
    .describe("Atlas organization that the project belongs to. Required where the cluster is enabled."),
  cidr: cidr
    .default("10.21.0.0/21")
    .superRefine((value, ctx) => {
      const size = Number(value.split("/")[1]);
      if (!PRIVATE.test(value) || size < LARGEST || size > SMALLEST) {
        const message = `Atlas takes no ${value}. Choose a private range from /${LARGEST} to /${SMALLEST} such as 10.21.0.0/21.`;
        ctx.addIssue({ code: "custom", message });
      }
    })
    .describe("Address range of Atlas's side of the peering. It cannot be changed while a cluster is in it."),
  tier: z
    .string()
    .superRefine((value, ctx) => {
      if (!DEDICATED.test(value)) {
        const message = `${value} cannot be peered with a VPC: Atlas peers dedicated clusters only. Choose M10 or larger.`;
        ctx.addIssue({ code: "custom", message });
      }
    })
    .default("M10")
    .describe("Size of the cluster's three nodes."),
  mongodbVersion: z
    .string()
    .regex(/^\d+\.\d+$/, "a major version of MongoDB such as 8.0")
    .default("8.0")
    .describe("Major version of MongoDB."),
  database: z
    .string()
    .regex(/^[a-zA-Z][\w-]{0,37}$/, "1 to 38 letters, digits, _ and -, beginning with a letter")
    .default("shop")
    .describe("Database of the products and titles: the only one that the functions may use."),
  pointInTimeRecovery: z
    .boolean()
    .default(false)
    .describe("Whether backups go back to any minute of the last days, besides the snapshots that are always taken."),
  access: z
    .enum(["subnets", "security-group"])
    .default("subnets")
    .describe("Who is on the IP access list: the private subnets' ranges, or the functions' security group."),
});
