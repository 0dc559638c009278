/** A month's cost of an environment, from its resources, the price table and what is assumed of use. */
import { each, type Levels, sum, type Usage } from "./assumptions";
import { type GpuCost, gpuCosts } from "./gpu";
import type { CostedResource, Inventory } from "./inventory";
import type { Confidence, PriceTable } from "./prices";
import { type Charge, type Pricing, type PricingContext, Unpriced } from "./pricing";
import { COMPUTE } from "./types/compute";
import { DATA } from "./types/data";
import { freeBecause } from "./types/free";
import { KUBERNETES } from "./types/kubernetes";
import { NETWORK } from "./types/network";
import { SERVERLESS } from "./types/serverless";

const PRICED: Readonly<Record<string, Pricing>> = { ...COMPUTE, ...NETWORK, ...DATA, ...SERVERLESS, ...KUBERNETES };

/** What one thing costs a month. */
export interface CostLine extends Charge {
  readonly stack: string;
  /** `<type>.<name>` */
  readonly address: string;
  readonly usd: Levels;
  readonly confidence: Confidence;
}

/** A resource whose cost is not known. */
export interface UnknownCost {
  readonly stack: string;
  readonly address: string;
  readonly reason: string;
}

/** A stack's cost a month, in US dollars. */
export interface StackCost {
  readonly stack: string;
  readonly total: Levels;
  /** The part that use does not change, at the typical size. */
  readonly fixed: number;
  readonly lines: readonly CostLine[];
  readonly unknown: readonly UnknownCost[];
  /** Accelerated instances: what they cost on a day on which nobody calls them, and how to pause them. */
  readonly gpu: readonly GpuCost[];
}

/** What an estimate is made from. */
export interface EstimateOptions {
  readonly inventory: Inventory;
  readonly prices: PriceTable;
  readonly usage: Usage;
}

/** Estimates stacks, in that order. */
export function estimate(options: EstimateOptions, stacks: readonly string[]): StackCost[] {
  return stacks.map((stack) => estimateStack(options, stack));
}

function estimateStack(options: EstimateOptions, stack: string): StackCost {
  const lines: CostLine[] = [];
  const unknown: UnknownCost[] = [];
  for (const resource of options.inventory.resources.filter((one) => one.stack === stack)) {
    const address = `${resource.type}.${resource.name}`;
    try {
      lines.push(...linesOf(options, resource, address));
    } catch (error) {
      if (!(error instanceof Unpriced)) {
        throw error;
      }
      unknown.push({ stack, address, reason: error.message });
    }
  }
  return {
    stack,
    total: sum(lines.map(({ usd }) => usd)),
    fixed: lines.filter(({ usage }) => !usage).reduce((total, { usd }) => total + usd.typical, 0),
    lines,
    unknown,
    gpu: gpuCosts(
      lines,
      options.inventory.resources.filter((one) => one.stack === stack),
    ),
  };
}

/** @throws Unpriced with the reason */
function linesOf({ inventory, prices, usage }: EstimateOptions, resource: CostedResource, address: string): CostLine[] {
  const { type, stack } = resource;
  const pricing = Object.hasOwn(PRICED, type) ? PRICED[type] : undefined;
  if (!pricing) {
    if (freeBecause(type) === undefined) {
      throw new Unpriced(`${type} is neither priced nor known to be free`);
    }
    return [];
  }
  const context: PricingContext = { inventory, usage: (name) => usage.levels(name, stack) };
  const count = countOf(resource);
  return pricing(resource, context).map((charge) => {
    const price = prices.find(charge.price);
    if (!price) {
      throw new Unpriced(`there is no price "${charge.price}" of ${prices.region}`);
    }
    const usd = each(charge.quantity, (quantity) => quantity * price.usd * count);
    return { ...charge, stack, address, usd, confidence: prices.sourceOf(price).confidence };
  });
}

/** How many there are of a resource: `count` as a number; an expression is not known before a plan. */
function countOf({ body }: CostedResource): number {
  if (body.for_each !== undefined || (body.count !== undefined && typeof body.count !== "number")) {
    throw new Unpriced("how many there are of it is an expression");
  }
  return body.count ?? 1;
}
