/**
 * The workers' group under load, second by second: jobs arrive, wait, and run; CloudWatch samples once a minute; alarms and policies change
 * the group as the emitted Terraform says. What is assumed of AWS stands in {@link Assumptions}.
 */
import type { Value } from "./metric-math";
import type { AlarmRule, Change, GroupScaling, Reaction, Source } from "./scaling-policies";

const MINUTE = 60;
/** A prime, so that turns go around whatever the number of workers. */
const STRIDE = 7_919;

/** What neither the Terraform nor the programs say. All in seconds. */
export interface Assumptions {
  /** From the end of a period until an alarm can see it. */
  readonly metricDelay: number;
  /** From the decision to launch until the group counts the instance as in service. */
  readonly launch: number;
  /** From the decision to launch until the worker takes its first job. */
  readonly boot: number;
  /** How long a worker without a job stays protected from scaling in after its last one. */
  readonly protection: number;
  /** From the decision to terminate an idle worker until it is gone. */
  readonly drain: number;
}

/** Jobs over time. */
export interface Load {
  /** Jobs that arrive in a second. */
  readonly arrivals: (second: number) => number;
  /** Second after which no job arrives any more. */
  readonly lastArrival: number;
  /** How long the next job runs, in whole seconds, at least 1. */
  readonly jobSeconds: () => number;
}

/** What is simulated. */
export interface Simulated {
  /** Undefined: as many workers as `workers`, from the first second to the last job, and nothing scales. */
  readonly scaling?: GroupScaling;
  /** Workers at the beginning, ready. @default the group's min */
  readonly workers?: number;
  /** Jobs that a worker runs at a time. */
  readonly concurrency: number;
  readonly assumptions: Assumptions;
  readonly load: Load;
  /** Second of CloudWatch's minute in which it begins, 0 to 59. */
  readonly phase: number;
  /** Ends at this second at the latest, whatever still waits. */
  readonly horizon: number;
  /** Whether it goes on, after the last job, until the group has shrunk to its minimum. @default true */
  readonly untilMinimum?: boolean;
  /** Told once every `traceEvery` seconds, and at the end. */
  readonly trace?: (point: TracePoint) => void;
  /** @default 60 */
  readonly traceEvery?: number;
}

/** The state of one second. */
export interface TracePoint {
  readonly second: number;
  readonly waiting: number;
  /** Instances that are paid for. */
  readonly instances: number;
  readonly running: number;
}

/** What came of it. */
export interface Outcome {
  readonly jobs: number;
  /** Second in which the last job ended; NaN when jobs were left at the horizon. */
  readonly drainedAt: number;
  /** Waits in the queue, in seconds. */
  readonly waitP50: number;
  readonly waitP99: number;
  /** Instance-hours that were paid for, from the first second to the end of the simulation. */
  readonly instanceHours: number;
  /** Hours that jobs ran: no scaler can pay for less, with one job at a time. */
  readonly jobHours: number;
  readonly mostInstances: number;
}

/** Runs a simulation to its end. */
export function simulate(simulated: Simulated): Outcome {
  return new Simulation(simulated).run();
}

interface Worker {
  readonly launchedAt: number;
  readonly inServiceAt: number;
  readonly readyAt: number;
  /** When each of its places is free. */
  readonly freeAt: number[];
  /** When its last job ends, or has ended. */
  idleFrom: number;
  /** When it is gone; undefined while it stays. */
  goneAt: number | undefined;
}

class Simulation {
  private readonly waiting = new WaitingJobs();
  /** How many jobs waited for how many seconds. */
  private readonly waits = new Map<number, number>();
  private readonly metrics: CloudWatch;
  private readonly alarms: readonly { readonly alarm: Alarm; readonly reaction: Reaction }[];
  private workers: Worker[] = [];
  private desired: number;
  /** Until when simple scaling rests. */
  private restUntil = Number.NEGATIVE_INFINITY;
  private cooldown = 0;
  private lastEnd = 0;
  private jobs = 0;
  private jobSeconds = 0;
  private instanceSeconds = 0;
  private most = 0;

  constructor(private readonly simulated: Simulated) {
    const { scaling, workers = scaling?.min ?? 0, concurrency, assumptions } = simulated;
    this.desired = workers;
    for (let index = 0; index < workers; index++) {
      this.workers.push(newWorker(Number.NEGATIVE_INFINITY, concurrency, assumptions));
    }
    // Before the first second the queue was empty and the group at rest.
    this.metrics = new CloudWatch({ visible: 0, inService: workers }, assumptions.metricDelay);
    this.alarms = (scaling?.reactions ?? []).map((reaction) => ({ alarm: new Alarm(reaction.alarm), reaction }));
  }

  run(): Outcome {
    const { load, horizon, phase, trace, traceEvery = MINUTE } = this.simulated;
    let second = 0;
    for (; second < horizon && !this.isOver(second); second++) {
      this.waiting.add(second, load.arrivals(second));
      this.leave(second);
      this.work(second);
      if ((second + phase) % MINUTE === 0) {
        this.sample(second);
      }
      this.instanceSeconds += this.workers.length;
      this.most = Math.max(this.most, this.workers.length);
      if (trace && second % traceEvery === 0) {
        trace(this.pointAt(second));
      }
    }
    trace?.(this.pointAt(second));
    return this.outcome();
  }

  private isOver(second: number): boolean {
    const { load, scaling, untilMinimum = true } = this.simulated;
    const isDone = second > load.lastArrival && this.waiting.count === 0 && second >= this.lastEnd;
    return isDone && (!scaling || !untilMinimum || this.workers.length <= scaling.min);
  }

  /** Instances that are gone, and as many decisions as the desired number asks for. */
  private leave(second: number): void {
    if (this.workers.some(({ goneAt }) => goneAt !== undefined && goneAt <= second)) {
      this.workers = this.workers.filter(({ goneAt }) => goneAt === undefined || goneAt > second);
    }
    let staying = 0;
    let isActive = false;
    for (const worker of this.workers) {
      staying += Number(worker.goneAt === undefined);
      isActive ||= worker.goneAt !== undefined || worker.inServiceAt > second;
    }
    if (isActive) {
      // The rest of simple scaling begins when the last instance has come or gone.
      this.restUntil = Math.max(this.restUntil, second + this.cooldown);
    }
    const { concurrency, assumptions } = this.simulated;
    for (; staying < this.desired; staying++) {
      this.workers.push(newWorker(second, concurrency, assumptions));
    }
    for (const worker of this.workers) {
      if (staying <= this.desired) {
        return;
      }
      if (worker.goneAt === undefined && worker.inServiceAt <= second && this.isIdle(worker, second)) {
        worker.goneAt = second + assumptions.drain;
        staying--;
      }
    }
  }

  /** Whether scaling in may take a worker: it has had no job for as long as it stays protected. */
  private isIdle(worker: Worker, second: number): boolean {
    return worker.idleFrom + this.simulated.assumptions.protection <= second;
  }

  /** Free workers take jobs. Who is first changes from second to second: a message goes to any of those that poll. */
  private work(second: number): void {
    const count = this.workers.length;
    for (let turn = 0; turn < count && this.waiting.count > 0; turn++) {
      const worker = this.workers[(turn + second * STRIDE) % count];
      if (worker && worker.readyAt <= second && worker.goneAt === undefined) {
        this.fill(worker, second);
      }
    }
  }

  private fill(worker: Worker, second: number): void {
    for (let place = 0; place < worker.freeAt.length && this.waiting.count > 0; place++) {
      if ((worker.freeAt[place] ?? 0) <= second) {
        const end = second + this.start(second);
        worker.freeAt[place] = end;
        worker.idleFrom = Math.max(worker.idleFrom, end);
      }
    }
  }

  /** Starts the oldest job. @returns how long it runs */
  private start(second: number): number {
    const seconds = this.simulated.load.jobSeconds();
    const wait = second - this.waiting.take();
    this.waits.set(wait, (this.waits.get(wait) ?? 0) + 1);
    this.jobs++;
    this.jobSeconds += seconds;
    this.lastEnd = Math.max(this.lastEnd, second + seconds);
    return seconds;
  }

  private sample(second: number): void {
    const inService = this.workers.filter(
      (worker) => worker.inServiceAt <= second && worker.goneAt === undefined,
    ).length;
    this.metrics.add({ visible: this.waiting.count, inService });
    for (const { alarm, reaction } of this.alarms) {
      const value = alarm.evaluate(this.metrics);
      // CloudWatch repeats an Auto Scaling action every minute for as long as the alarm rings.
      if (alarm.isRinging) {
        this.react(reaction.change, value, second);
      }
    }
  }

  private react(change: Change, value: Value, second: number): void {
    const { scaling } = this.simulated;
    if (!scaling) {
      return;
    }
    const wanted = this.wantedBy(change, value, second, scaling);
    const desired = Math.min(scaling.max, Math.max(scaling.min, wanted));
    if (desired !== this.desired && change.kind === "simple") {
      this.cooldown = change.cooldownSeconds;
      this.restUntil = second + change.cooldownSeconds;
    }
    this.desired = desired;
  }

  private wantedBy(change: Change, value: Value, second: number, { warmupSeconds }: GroupScaling): number {
    switch (change.kind) {
      case "simple":
        return second < this.restUntil ? this.desired : this.desired + change.adjustment;
      case "exact":
        // Where two policies want different numbers, the larger one wins; this one is there to start the first worker.
        return Math.max(this.desired, change.capacity);
      case "track":
        return value === undefined ? this.desired : this.tracked(change, value, second, warmupSeconds);
    }
  }

  private tracked(
    { target, direction }: Extract<Change, { kind: "track" }>,
    value: number,
    second: number,
    warmupSeconds: number,
  ): number {
    const settled = this.workers.filter(({ launchedAt, goneAt }) => {
      return launchedAt + warmupSeconds <= second && goneAt === undefined;
    }).length;
    if (direction === "in") {
      return settled < this.desired ? this.desired : Math.min(this.desired, Math.ceil((settled * value) / target));
    }
    // Instances that warm up do not count, or those that are on their way would be asked for again.
    return Math.max(this.desired, Math.ceil((Math.max(1, settled) * value) / target));
  }

  private pointAt(second: number): TracePoint {
    const running = this.workers.reduce((sum, { freeAt }) => sum + freeAt.filter((end) => end > second).length, 0);
    return { second, waiting: this.waiting.count, instances: this.workers.length, running };
  }

  private outcome(): Outcome {
    return {
      jobs: this.jobs,
      drainedAt: this.waiting.count === 0 ? this.lastEnd : Number.NaN,
      waitP50: quantile(this.waits, 0.5),
      waitP99: quantile(this.waits, 0.99),
      instanceHours: this.instanceSeconds / 3_600,
      jobHours: this.jobSeconds / 3_600,
      mostInstances: this.most,
    };
  }
}

function newWorker(second: number, concurrency: number, { launch, boot }: Assumptions): Worker {
  return {
    launchedAt: second,
    inServiceAt: second + launch,
    readyAt: second + boot,
    freeAt: Array<number>(concurrency).fill(Number.NEGATIVE_INFINITY),
    idleFrom: Number.NEGATIVE_INFINITY,
    goneAt: undefined,
  };
}

/** The queue: how many arrived in which second, the oldest first. */
class WaitingJobs {
  private readonly arrivals: { readonly second: number; left: number }[] = [];
  private head = 0;
  count = 0;

  add(second: number, jobs: number): void {
    if (jobs > 0) {
      this.arrivals.push({ second, left: jobs });
      this.count += jobs;
    }
  }

  /** Takes the oldest job. @returns the second in which it arrived */
  take(): number {
    const oldest = this.arrivals[this.head];
    if (!oldest) {
      throw new Error("no job waits.");
    }
    this.count--;
    oldest.left--;
    if (oldest.left === 0) {
      this.head++;
    }
    return oldest.second;
  }
}

type Sample = Readonly<Record<Source, number>>;

/** Samples of each minute, and what an alarm can see of them. */
class CloudWatch {
  private readonly samples: Sample[] = [];
  private readonly hidden: number;

  constructor(
    private readonly before: Sample,
    metricDelay: number,
  ) {
    this.hidden = Math.ceil(metricDelay / MINUTE);
  }

  add(sample: Sample): void {
    this.samples.push(sample);
  }

  /** The value of a metric, so many periods before the latest that can be seen (0: that one). */
  value({ periodSeconds, value }: AlarmRule["metric"], back: number): Value {
    const minutes = periodSeconds / MINUTE;
    const end = this.samples.length - this.hidden - back * minutes;
    return value((source, statistic) => this.aggregate(source, statistic, end - minutes, end));
  }

  private aggregate(source: Source, statistic: string, from: number, to: number): number {
    const values: number[] = [];
    for (let index = from; index < to; index++) {
      values.push((this.samples[index] ?? this.before)[source]);
    }
    switch (statistic) {
      case "Maximum":
        return Math.max(...values);
      case "Minimum":
        return Math.min(...values);
      case "Average":
        return values.reduce((sum, value) => sum + value, 0) / values.length;
      default:
        throw new Error(`the statistic ${statistic} is not simulated.`);
    }
  }
}

/** One alarm and its state. */
class Alarm {
  isRinging = false;

  constructor(private readonly rule: AlarmRule) {}

  /** Looks at the periods that can be seen. @returns the value of the latest */
  evaluate(metrics: CloudWatch): Value {
    const { rule } = this;
    let breaching = 0;
    let known = 0;
    for (let back = 0; back < rule.evaluationPeriods; back++) {
      const value = metrics.value(rule.metric, back);
      if (value !== undefined || rule.missing === "breaching" || rule.missing === "notBreaching") {
        known++;
        breaching += Number(value === undefined ? rule.missing === "breaching" : rule.breaches(value));
      }
    }
    if (known > 0) {
      this.isRinging = breaching >= rule.datapointsToAlarm;
    }
    return metrics.value(rule.metric, 0);
  }
}

/** The smallest wait that so many of all do not exceed, from counts by second; NaN without any. */
function quantile(counts: ReadonlyMap<number, number>, share: number): number {
  const sorted = [...counts].sort(([a], [b]) => a - b);
  const total = sorted.reduce((sum, [, count]) => sum + count, 0);
  let seen = 0;
  for (const [wait, count] of sorted) {
    seen += count;
    if (seen >= share * total) {
      return wait;
    }
  }
  return Number.NaN;
}
