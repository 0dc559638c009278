/** The offline price table: one JSON file a region, each price with its unit, offer, source, date and how sure it is. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { Problem } from "../problem";

const FOLDER = join(__dirname, "prices");
/** Hours of a month, as AWS's own calculator counts them. */
export const HOURS = 730;

const CONFIDENCES = ["high", "medium", "low"] as const;

const source = z.strictObject({
  title: z.string(),
  url: z.string().startsWith("https://"),
  /** Day that the prices are of, or, where the title says so, on which they were looked up. */
  date: z.iso.date(),
  /** `high`: from the provider's price list; `medium`: quoted from its page; `low`: not compared with anything. */
  confidence: z.enum(CONFIDENCES),
});

const price = z.strictObject({
  /** US dollars for one unit, without tax, discounts and free tiers. */
  usd: z.number().min(0),
  unit: z.string(),
  /** Key of its source. */
  source: z.string(),
  /** The provider's name for it: service and usage type. */
  offer: z.string(),
});

const priceFile = z
  .strictObject({
    region: z.string(),
    currency: z.literal("USD"),
    sources: z.record(z.string(), source),
    prices: z.record(z.string(), price),
  })
  .superRefine((file, ctx) => {
    for (const [key, { source: name }] of Object.entries(file.prices)) {
      if (!file.sources[name]) {
        ctx.addIssue({ code: "custom", path: ["prices", key], message: `its source "${name}" is not in sources` });
      }
    }
  });

/** How sure a price is. */
export type Confidence = (typeof CONFIDENCES)[number];
/** Where prices are from. */
export type PriceSource = z.output<typeof source>;
/** What one unit costs. */
export type Price = z.output<typeof price>;

/** The prices of one region. */
export class PriceTable {
  private constructor(private readonly file: z.output<typeof priceFile>) {}

  /** @throws Problem when there is no table of the region */
  static of(region: string): PriceTable {
    const path = join(FOLDER, `${region}.json`);
    if (!existsSync(path)) {
      throw new Problem(
        `There are no prices of ${region}; there are prices of ${pricedRegions().join(", ")}.`,
        `Write commands/support/cost/prices/${region}.json as docs/costs.md says, or choose another region.`,
      );
    }
    return PriceTable.parse(readFileSync(path, "utf8"));
  }

  /** @throws ZodError when it is no price table */
  static parse(text: string): PriceTable {
    return new PriceTable(priceFile.parse(JSON.parse(text)));
  }

  get region(): string {
    return this.file.region;
  }

  /** Every key, such as `ec2/t3.small`. */
  get keys(): string[] {
    return Object.keys(this.file.prices);
  }

  /** The price of that key, or undefined. */
  find(key: string): Price | undefined {
    return this.file.prices[key];
  }

  /** Where a price is from. */
  sourceOf({ source: name }: Price): PriceSource {
    const found = this.file.sources[name];
    if (!found) {
      throw new Error(`The price table of ${this.region} has no source "${name}".`);
    }
    return found;
  }
}

/** The regions that have a table. */
export function pricedRegions(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length))
    .sort();
}
