/** What the pricing of a resource type is made of. */
import { always, each, type Levels, type UsageName } from "./assumptions";
import type { Body, CostedResource, Inventory } from "./inventory";
import { HOURS } from "./prices";

/** One thing that is charged. */
export interface Charge {
  /** For a person: `2 × t3.small`. */
  readonly what: string;
  /** Key in the price table. */
  readonly price: string;
  /** A month's quantity in the price's unit. */
  readonly quantity: Levels;
  /** Whether it depends on use and not on size alone. */
  readonly usage: boolean;
  /** Instance type, where it is the running of instances. */
  readonly instanceType?: string;
}

/** What pricing may look at. */
export interface PricingContext {
  readonly inventory: Inventory;
  /** The assumption for the resource that is priced. */
  readonly usage: (name: UsageName) => Levels;
}

/** What a resource of one type is charged for; nothing when this one is free. */
export type Pricing = (resource: CostedResource, context: PricingContext) => readonly Charge[];

/** Thrown where a resource's cost cannot be said: its message says why. */
export class Unpriced extends Error {}

/** A charge by the hour, for so many at a time. */
export function hourly(what: string, price: string, count: Levels): Charge {
  return { what, price, quantity: each(count, (at) => at * HOURS), usage: false };
}

/** A charge by the month, for so many. */
export function monthly(what: string, price: string, count: number): Charge {
  return { what, price, quantity: always(count), usage: false };
}

/** A charge by use. */
export function used(what: string, price: string, quantity: Levels): Charge {
  return { what, price, quantity, usage: true };
}

/** The blocks of an attribute: what is synthesized has one block as itself, a plan has each in a list. */
export function blocks(body: Body | undefined, attribute: string): Body[] {
  const value = body?.[attribute];
  if (value === undefined || value === null || typeof value === "string") {
    return [];
  }
  return (Array.isArray(value) ? value : [value]) as Body[];
}

/** The first block of an attribute. */
export function block(body: Body | undefined, attribute: string): Body | undefined {
  return blocks(body, attribute)[0];
}

/**
 * A number of a resource.
 *
 * @param fallback where the attribute is not there @default - none: it has to be there
 * @throws Unpriced when it is an expression, or missing
 */
export function numberOf(body: Body | undefined, attribute: string, fallback?: number): number {
  const value = body?.[attribute] ?? fallback;
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number)) {
    throw new Unpriced(`${attribute} is ${JSON.stringify(value) ?? "missing"}, and a number is needed`);
  }
  return number;
}

/**
 * A word of a resource.
 *
 * @param fallback where the attribute is not there @default - none: it has to be there
 * @throws Unpriced when it is an expression, or missing
 */
export function textOf(body: Body | undefined, attribute: string, fallback?: string): string {
  const value = body?.[attribute] ?? fallback;
  if (typeof value !== "string" || value.includes("${")) {
    throw new Unpriced(`${attribute} is ${JSON.stringify(value) ?? "missing"}, and a plain text is needed`);
  }
  return value;
}

/** Whether an attribute is true. */
export function isTrue(body: Body | undefined, attribute: string): boolean {
  const value = body?.[attribute];
  return value === true || value === "true";
}

/** `2 × t3.small`, or `2 to 5 × t3.small`. */
export function times({ low, high }: Levels, what: string): string {
  return low === high ? `${low} × ${what}` : `${low} to ${high} × ${what}`;
}
