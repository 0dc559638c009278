/** What is assumed of use, a month: what an environment costs beyond its size depends on it, so each figure can be set. */
import { Problem } from "../problem";

/** A quantity at four degrees of use. `idle`: everything is deployed and nobody calls it. */
export interface Levels {
  readonly idle: number;
  readonly low: number;
  readonly typical: number;
  readonly high: number;
}

/** An assumption: for each resource of a kind. */
export interface Assumption extends Levels {
  readonly what: string;
  readonly unit: string;
}

function of(what: string, unit: string, idle: number, low: number, typical: number, high: number): Assumption {
  return { what, unit, idle, low, typical, high };
}

/** By name, as settings (`budget.usage`) and `npm run cost -- --usage` take it. */
export const ASSUMPTIONS = {
  natGb: of("through each NAT gateway", "GB", 1, 5, 50, 500),
  loadBalancerLcu: of("capacity in use of each load balancer, on average", "LCU", 0, 0.1, 1, 5),
  internetOutGb: of("answered to the internet by each load balancer and API", "GB", 0, 5, 50, 500),
  crossZoneGb: of("between the zones of each VPC", "GB", 0, 5, 50, 500),
  endpointGb: of("through each interface endpoint", "GB", 0, 1, 20, 200),
  bucketGb: of("kept in each bucket, old versions included", "GB", 0.1, 1, 20, 200),
  bucketPutMillions: of("writes and listings of each bucket", "million", 0, 0.01, 0.1, 1),
  bucketGetMillions: of("reads of each bucket", "million", 0, 0.05, 0.5, 5),
  tableGb: of("kept in each table", "GB", 0, 0.1, 1, 10),
  tableWriteMillions: of("write units of each table, indexes included", "million", 0, 0.1, 2, 20),
  tableReadMillions: of("read units of each table", "million", 0.1, 0.5, 5, 50),
  logGb: of("written to each log group", "GB", 0.05, 0.2, 2, 20),
  queueMillions: of("requests of each queue, polling included", "million", 0.2, 0.3, 1, 10),
  topicMillions: of("messages of each topic", "million", 0, 0.001, 0.01, 0.1),
  webAclMillions: of("requests that each web ACL looks at", "million", 0, 0.1, 1, 10),
  apiMillions: of("requests of each API", "million", 0, 0.1, 1, 10),
  lambdaMillions: of("calls of each Lambda function", "million", 0, 0.1, 1, 10),
  lambdaMs: of("duration of a call, on average", "ms", 100, 100, 200, 500),
  imageGb: of("kept in each image repository", "GB", 0.5, 1, 5, 20),
  fileSystemGb: of("kept in each file system", "GB", 1, 10, 50, 200),
  archiveGb: of("kept in each Cloud Storage bucket", "GB", 0, 1, 20, 200),
  embeddingTokenMillions: of("tokens embedded through each Bedrock endpoint", "million", 0, 1, 20, 200),
  textTokenMillions: of(
    "tokens read and written by text models through each Bedrock endpoint",
    "million",
    0,
    0.5,
    5,
    50,
  ),
  insightsMetrics: of("metrics of each cluster's Container Insights", "metric", 20, 30, 50, 150),
  spotShare: of("price of a spot instance, as a share of on demand", "share", 0.3, 0.3, 0.4, 0.7),
} as const satisfies Record<string, Assumption>;

/** Name of an assumption. */
export type UsageName = keyof typeof ASSUMPTIONS;

/** The assumptions, with what settings and flags say instead. */
export class Usage {
  /**
   * @param overrides values by `<name>`, for every stack, or by `<stack>.<name>`
   * @throws Problem when a name is not one of the assumptions
   */
  constructor(private readonly overrides: Readonly<Record<string, number>> = {}) {
    for (const key of Object.keys(overrides)) {
      const name = key.slice(key.lastIndexOf(".") + 1);
      if (!Object.hasOwn(ASSUMPTIONS, name)) {
        throw new Problem(
          `There is no assumption "${name}" about use.`,
          `The names are ${Object.keys(ASSUMPTIONS).join(", ")}; npm run cost -- --assumptions prints them.`,
        );
      }
    }
  }

  /** What is assumed for a resource of a stack: one value, where somebody knows it, for low, typical and high. */
  levels(name: UsageName, stack: string): Levels {
    const known = this.overrides[`${stack}.${name}`] ?? this.overrides[name];
    const { idle, low, typical, high } = ASSUMPTIONS[name];
    return known === undefined
      ? { idle, low, typical, high }
      : { idle: Math.min(idle, known), low: known, typical: known, high: known };
  }
}

/** The same at every degree of use. */
export function always(quantity: number): Levels {
  return { idle: quantity, low: quantity, typical: quantity, high: quantity };
}

/** Levels, each changed alike. */
export function each(levels: Levels, change: (quantity: number, level: keyof Levels) => number): Levels {
  return {
    idle: change(levels.idle, "idle"),
    low: change(levels.low, "low"),
    typical: change(levels.typical, "typical"),
    high: change(levels.high, "high"),
  };
}

/** The sum of several, level by level. */
export function sum(all: readonly Levels[]): Levels {
  return all.reduce((total, one) => each(total, (quantity, level) => quantity + one[level]), always(0));
}
