/** Measurements of one controller, for Prometheus. No label names a tenant or a job. */
import type { Response } from "express";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** Seconds: of requests that are answered at once, and of calls that wait. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];

/** What is read when Prometheus asks. */
export interface Readings {
  /** Synchronous calls that wait for their result. */
  readonly waiting: () => number;
  /** Streams of a job's events. */
  readonly streams: () => number;
  readonly redisConnected: () => boolean;
}

export class Metrics {
  private readonly registry = new Registry();
  private readonly duration = new Histogram({
    name: "nanogrid_http_request_duration_seconds",
    help: "Requests by route and status, and how long they took",
    labelNames: ["method", "route", "status"],
    buckets: BUCKETS,
    registers: [this.registry],
  });
  private readonly accepted = new Counter({
    name: "nanogrid_jobs_accepted_total",
    help: "Jobs that the queue has taken",
    labelNames: ["kind"],
    registers: [this.registry],
  });
  private readonly sendFailures = new Counter({
    name: "nanogrid_queue_send_failures_total",
    help: "Jobs that could not be put into the queue",
    registers: [this.registry],
  });

  /** @param readings what is read when Prometheus asks */
  constructor(readings: Readings) {
    collectDefaultMetrics({ register: this.registry });
    this.gauge("nanogrid_calls_waiting", "Synchronous calls that wait for their result", readings.waiting);
    this.gauge("nanogrid_event_streams", "Open streams of a job's events", readings.streams);
    this.gauge("nanogrid_redis_connected", "1 while Redis can be used", () => Number(readings.redisConnected()));
  }

  /**
   * Notes how a request ended.
   * @param method of the request
   * @param seconds how long it took
   */
  noteRequest(method: string, response: Response, seconds: number): void {
    const route = String(response.req.route?.path ?? "none");
    const status = response.writableFinished ? String(response.statusCode) : "client gone";
    this.duration.observe({ method, route, status }, seconds);
  }

  /** Notes that the queue has taken a job. */
  noteAccepted(kind: "run" | "build"): void {
    this.accepted.inc({ kind });
  }

  /** Notes that a job could not be queued. */
  noteSendFailure(): void {
    this.sendFailures.inc();
  }

  /** Everything, in Prometheus' text format. */
  async text(): Promise<{ readonly contentType: string; readonly body: string }> {
    return { contentType: this.registry.contentType, body: await this.registry.metrics() };
  }

  private gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }
}
