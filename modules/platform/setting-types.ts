/** Kinds of values that the settings of more than one system have. */
import { z } from "zod";

/** An IPv4 range. */
export const cidr = z.cidrv4("an IPv4 range in CIDR notation such as 10.0.0.0/16");

/** An availability zone, by its letter. */
export const zone = z
  .string()
  .regex(/^[a-z]$/, "the letter of an availability zone in the region, such as a")
  .describe("Letter of the availability zone within the region.");

/** An EC2 instance type. */
export const instanceType = z.string().regex(/^[a-z][a-z0-9-]*\.[a-z0-9-]+$/, "an EC2 instance type such as t3.small");

/** A machine image, or none. */
export const amiId = z
  .string()
  .regex(/^ami-[0-9a-f]{8,17}$/, "an AMI id such as ami-0123456789abcdef0")
  .optional();

/** What is appended to a name that is taken, or nothing. */
export const nameSuffix = z
  .string()
  .regex(/^$|^[a-z0-9][a-z0-9-]{0,19}$/, "empty, or up to 20 lower-case letters, digits and hyphens")
  .default("");

/** How long CloudWatch Logs keeps a line. */
export const retentionDays = z
  .union(
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653].map(
      (days) => z.literal(days),
    ),
  )
  .default(30)
  .describe("Days that CloudWatch keeps the logs: one of the values CloudWatch Logs offers.");

/** A subnet with its defaults. */
export const subnet = (cidrDefault: string, zoneDefault: string, purpose: string) =>
  z
    .strictObject({
      cidr: cidr.default(cidrDefault).describe("Address range, inside the VPC's."),
      zone: zone.default(zoneDefault),
    })
    .prefault({})
    .describe(purpose);

/** How many there may be; `desired` where a number to begin with is set. */
interface Sizes {
  readonly min: number;
  readonly max: number;
  readonly desired?: number;
}

/**
 * Says what is wrong with a group's numbers.
 *
 * @param ctx of the refinement
 * @param path where the numbers are, below what is refined
 */
export function checkSizes({ min, max, desired }: Sizes, ctx: z.RefinementCtx, path: readonly string[] = []): void {
  if (max < min) {
    const message = `${max} is below min (${min}). Raise max or lower min in cdktf.json.`;
    ctx.addIssue({ code: "custom", path: [...path, "max"], message });
  } else if (desired !== undefined && (desired < min || desired > max)) {
    const message = `${desired} is outside of min (${min}) to max (${max}). Choose a number between them.`;
    ctx.addIssue({ code: "custom", path: [...path, "desired"], message });
  }
}
