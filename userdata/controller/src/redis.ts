/**
 * Redis: status and events of jobs, see docs/protocol.md. It only makes things fast: every call here fails within seconds while
 * Redis is away, and no caller depends on it.
 */
import { Redis } from "ioredis";
import type { Logger } from "./log";
import type { TokenProvider } from "./redis-token";
import type { RedisSettings } from "./settings";

const COMMAND_MS = 2_000;
const CONNECT_MS = 3_000;
const PING_MS = 15_000;
const MAX_BACKOFF_MS = 5_000;
/** ElastiCache ends a connection that signed in with IAM after 12 hours. */
const SIGNED_IN_MS = 11 * 3_600_000;
const JOB_TTL_S = 24 * 3_600;
const CANCEL_CHANNEL = "nanogrid:cancel";
const FUNCTIONS_CHANNEL = "nanogrid:functions";
const WORKERS_KEY = "nanogrid:workers";

type Listener = (event: string) => void;

/** One connection that finds its way back by itself, and subscribes again when it has. */
export class JobEvents {
  private readonly redis: Redis;
  private readonly listeners = new Map<string, Set<Listener>>();
  private readonly timers: NodeJS.Timeout[];
  private closed = false;
  private hears = false;
  private functionChanged: (functionId: string | undefined) => void = () => undefined;

  /** @param token makes the password of each connection; undefined for a Redis without users */
  constructor(
    settings: RedisSettings,
    private readonly token: TokenProvider | undefined,
    private readonly log: Logger,
  ) {
    this.redis = new Redis({
      host: settings.host,
      port: settings.port,
      tls: settings.tls ? {} : undefined,
      username: settings.user || undefined,
      lazyConnect: true,
      connectTimeout: CONNECT_MS,
      commandTimeout: COMMAND_MS,
      keepAlive: PING_MS,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      retryStrategy: backoff,
    });
    this.redis.on("ready", () => this.onReady());
    this.redis.on("message", (channel: string, event: string) => this.onEvent(channel, event));
    this.redis.on("error", (err: Error) => this.log.warn({ err }, "Redis: the connection failed"));
    // The next attempt comes after a pause, by when the token is there; where it is not, the attempt after has it.
    this.redis.on("close", () => {
      this.hears = false;
      this.functionChanged(undefined);
      void this.renewToken();
    });
    this.listeners.set(FUNCTIONS_CHANNEL, new Set([(functionId) => this.functionChanged(functionId)]));
    this.timers = [setInterval(() => void this.probe(), PING_MS)];
    if (token) {
      this.timers.push(setInterval(() => this.redis.disconnect(true), SIGNED_IN_MS));
    }
    for (const timer of this.timers) {
      timer.unref();
    }
  }

  /** The connection, for the counters of requests. */
  get client(): Redis {
    return this.redis;
  }

  /** Whether Redis can be used now. */
  get connected(): boolean {
    return this.redis.status === "ready";
  }

  /** Begins to connect; never throws, and goes on until `close`. */
  async start(): Promise<void> {
    await this.renewToken();
    if (!this.closed) {
      await this.redis.connect().catch(() => undefined);
    }
  }

  /**
   * Calls `listener` with each event of a job until the returned function is called. Resolves when Redis has taken the
   * subscription, or is known not to; then it is subscribed as soon as Redis is back.
   */
  async subscribe(jobId: string, listener: Listener): Promise<() => void> {
    const channel = `${keyOf(jobId)}:events`;
    const others = this.listeners.get(channel);
    if (others) {
      others.add(listener);
    } else {
      this.listeners.set(channel, new Set([listener]));
    }
    try {
      await this.redis.subscribe(channel);
    } catch (err) {
      this.log.warn({ err, jobId }, "Redis: not subscribed to the job's events; its result comes from the table");
    }
    return () => this.unsubscribe(channel, listener);
  }

  /** Notes that a job is pending, unless more is known about it. Does not wait, and a failure is only logged. */
  notePending(jobId: string): void {
    const view = JSON.stringify({ job_id: jobId, status: "PENDING", updated_at: new Date().toISOString() });
    this.redis.set(keyOf(jobId), view, "EX", JOB_TTL_S, "NX").catch((err: unknown) => {
      this.log.warn({ err, jobId }, "Redis: the pending status was not stored");
    });
  }

  /** Whether changes of functions by other controllers are heard. */
  get hearsFunctionChanges(): boolean {
    return this.hears;
  }

  /** Calls `listener` with the id of each function that a controller has changed, and with undefined when some may go unheard. */
  onFunctionChange(listener: (functionId: string | undefined) => void): void {
    this.functionChanged = listener;
  }

  /** Tells the controllers that a function was changed or deleted. A failure is only logged: they remember it for moments. */
  async tellFunctionChange(functionId: string): Promise<void> {
    try {
      await this.redis.publish(FUNCTIONS_CHANNEL, functionId);
    } catch (err) {
      this.log.warn({ err, functionId }, "Redis: the change of a function was not told");
    }
  }

  /**
   * Tells everybody of a job that was cancelled: those that wait for it, and the worker that runs it. Does not wait, and a failure is
   * only logged.
   * @param result its result document, as JSON
   */
  noteCancelled(jobId: string, result: string): void {
    const view = JSON.stringify({ ...JSON.parse(result), updated_at: new Date().toISOString() });
    Promise.all([
      this.redis.publish(CANCEL_CHANNEL, jobId),
      this.redis.set(keyOf(jobId), view, "EX", JOB_TTL_S),
      this.redis.publish(`${keyOf(jobId)}:events`, view),
    ]).catch((err: unknown) => {
      this.log.warn({ err, jobId }, "Redis: the cancellation was not told; the worker finds its lease lost");
    });
  }

  /**
   * A part of an attempt's live log.
   * @param start offset in bytes; negative from the end
   * @param end offset of its last byte @default - the end of the log
   */
  liveLog(jobId: string, attempt: number, start: number, end = -1): Promise<Buffer> {
    return this.redis.getrangeBuffer(`${keyOf(jobId)}:log:${attempt}`, start, end);
  }

  /** What the workers say of themselves: JSON by worker. */
  workers(): Promise<Record<string, string>> {
    return this.redis.hgetall(WORKERS_KEY);
  }

  /** What Redis knows about a job, as JSON; null for nothing. */
  view(jobId: string): Promise<string | null> {
    return this.redis.get(keyOf(jobId));
  }

  /** Resolves when Redis answers. */
  async ping(): Promise<void> {
    await this.redis.ping();
  }

  /** Ends the connection for good. */
  close(): void {
    this.closed = true;
    for (const timer of this.timers) {
      clearInterval(timer);
    }
    this.redis.disconnect();
  }

  private onReady(): void {
    this.log.info("Redis: connected");
    this.redis.subscribe(...this.listeners.keys()).then(
      () => {
        this.hears = this.connected;
      },
      (err: unknown) => {
        this.log.warn({ err }, "Redis: not subscribed again; results come from the table");
      },
    );
  }

  private onEvent(channel: string, event: string): void {
    for (const listener of this.listeners.get(channel) ?? []) {
      listener(event);
    }
  }

  private unsubscribe(channel: string, listener: Listener): void {
    const listeners = this.listeners.get(channel);
    listeners?.delete(listener);
    if (listeners?.size === 0) {
      this.listeners.delete(channel);
      // Without a connection there is nothing to undo.
      this.redis.unsubscribe(channel).catch(() => undefined);
    }
  }

  private async renewToken(): Promise<void> {
    if (!this.token || this.closed) {
      return;
    }
    try {
      this.redis.options.password = await this.token();
    } catch (err) {
      this.log.error({ err }, "Redis: no IAM token; check the role of this instance");
    }
  }

  /** A connection whose other end vanished looks open for a quarter of an hour; an unanswered ping ends it. */
  private async probe(): Promise<void> {
    if (this.redis.status !== "ready") {
      return;
    }
    try {
      await this.redis.ping();
    } catch (err) {
      this.log.warn({ err }, "Redis: no answer to a ping; connecting anew");
      this.redis.disconnect(true);
    }
  }
}

function keyOf(jobId: string): string {
  return `nanogrid:job:${jobId}`;
}

function backoff(attempt: number): number {
  return Math.min(MAX_BACKOFF_MS, 100 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2);
}
