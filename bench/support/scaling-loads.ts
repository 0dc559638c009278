/** Loads for the simulation of scaling, from a seed: the same seed gives the same jobs. */
import type { Load } from "./scaling-simulation";

/** Gives numbers from 0 to below 1. */
export type Random = () => number;

const DAY_SECONDS = 86_400;
/** Expected arrivals over which a normal distribution stands for Poisson's. */
const MANY = 50;

/** A generator of 32 bits of state (mulberry32): good enough for a simulation, and the same everywhere. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Whole seconds, at least 1, of this mean, without memory: most jobs are short and some are long. */
export function memoryless(meanSeconds: number, random: Random): () => number {
  const goesOn = Math.log(1 - 1 / meanSeconds);
  return meanSeconds <= 1 ? () => 1 : () => 1 + Math.floor(Math.log(1 - random()) / goesOn);
}

/** All jobs in the first second. */
export function burst(jobs: number, jobSeconds: () => number): Load {
  return { arrivals: (second) => (second === 0 ? jobs : 0), lastArrival: 0, jobSeconds };
}

/** So many jobs a second on average, for so long. */
export function steady(perSecond: number, seconds: number, jobSeconds: () => number, random: Random): Load {
  return {
    arrivals: (second) => (second < seconds ? poisson(perSecond, random) : 0),
    lastArrival: seconds - 1,
    jobSeconds,
  };
}

/** A day: nothing at its beginning and end, the peak in the middle, a sine wave between. */
export function daily(peakPerSecond: number, jobSeconds: () => number, random: Random): Load {
  const rate = (second: number) => (peakPerSecond * (1 - Math.cos((2 * Math.PI * second) / DAY_SECONDS))) / 2;
  return {
    arrivals: (second) => (second < DAY_SECONDS ? poisson(rate(second), random) : 0),
    lastArrival: DAY_SECONDS - 1,
    jobSeconds,
  };
}

function poisson(mean: number, random: Random): number {
  if (mean > MANY) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal));
  }
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) {
    count++;
  }
  return count;
}
