/**
 * How often a key may ask. The count is kept in Redis, for all controllers; while Redis is away, or slow, each controller counts for
 * itself.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import type { KeyOwner } from "./keys";
import type { Logger } from "./log";
import { Problem } from "./problems";
import type { JobEvents } from "./redis";

const WINDOW_S = 60;
/** Longest wait for Redis, in milliseconds: a request waits for it. */
const REDIS_MS = 250;

/** Where a key stands. */
export interface Standing {
  /** Headers that tell the client. */
  readonly headers: Readonly<Record<string, string>>;
  /** Why the request is refused; undefined when it may go on. */
  readonly refusal: Problem | undefined;
}

export class RequestLimits {
  /** One for each limit that a key has. */
  private readonly limiters = new Map<number, Limiter>();

  /** @param perMinute limit of a key that has none of its own */
  constructor(
    private readonly events: JobEvents,
    private readonly perMinute: number,
    private readonly log: Logger,
  ) {}

  /** Counts a request. Never rejects. */
  async count({ keyId, requestsPerMinute = this.perMinute }: KeyOwner): Promise<Standing> {
    const limiter = this.limiters.get(requestsPerMinute) ?? new Limiter(this.events, requestsPerMinute, this.log);
    this.limiters.set(requestsPerMinute, limiter);
    const { remainingPoints, msBeforeNext, consumedPoints } = await limiter.consume(keyId);
    const seconds = Math.max(1, Math.ceil(msBeforeNext / 1_000));
    const headers = {
      "RateLimit-Policy": `"key";q=${requestsPerMinute};w=${WINDOW_S}`,
      RateLimit: `"key";r=${remainingPoints};t=${seconds}`,
    };
    const refused = consumedPoints > requestsPerMinute;
    return { headers, refusal: refused ? tooMany(requestsPerMinute, seconds) : undefined };
  }
}

/** Counts requests of keys with the same limit. */
class Limiter {
  private readonly own: RateLimiterMemory;
  private readonly shared: RateLimiterRedis;

  constructor(
    private readonly events: JobEvents,
    points: number,
    private readonly log: Logger,
  ) {
    const common = { points, duration: WINDOW_S };
    this.own = new RateLimiterMemory(common);
    this.shared = new RateLimiterRedis({
      ...common,
      storeClient: events.client,
      keyPrefix: "nanogrid:rate",
      rejectIfRedisNotReady: true,
      // A key far over its limit costs Redis nothing more.
      inMemoryBlockOnConsumed: points + 1,
    });
  }

  async consume(key: string): Promise<RateLimiterRes> {
    const answered = new AbortController();
    const slow = sleep(REDIS_MS, undefined, { signal: answered.signal }).catch(() => undefined);
    const counted = await Promise.race([this.countShared(key), slow]);
    answered.abort();
    return counted ?? (await outcome(this.own, key));
  }

  /** What all controllers have counted; undefined when Redis does not say. */
  private async countShared(key: string): Promise<RateLimiterRes | undefined> {
    try {
      return await outcome(this.shared, key);
    } catch (err) {
      if (this.events.connected) {
        this.log.warn({ err, keyId: key }, "Redis: a request was not counted; this controller counts for itself");
      }
      return undefined;
    }
  }
}

/** What a limiter says: it rejects with the same when the limit is exceeded. */
async function outcome(limiter: RateLimiterRedis | RateLimiterMemory, key: string): Promise<RateLimiterRes> {
  try {
    return await limiter.consume(key);
  } catch (error) {
    if (error instanceof RateLimiterRes) {
      return error;
    }
    throw error;
  }
}

function tooMany(perMinute: number, seconds: number): Problem {
  return new Problem({
    status: 429,
    kind: "rate-limited",
    title: "Too many requests with this key",
    detail: `This key may make ${perMinute} requests a minute, and has made more.`,
    remedy: `Wait ${seconds} s. Follow jobs by /v1/jobs/{jobId}/events instead of asking again and again, or ask for a higher limit.`,
    headers: { "Retry-After": String(seconds) },
  });
}
