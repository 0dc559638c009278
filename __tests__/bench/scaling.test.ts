import { emitted } from "../../bench/support/emitted";
import { burst, daily, memoryless, randomOf, steady } from "../../bench/support/scaling-loads";
import { type GroupScaling, type Reaction, scalingOf } from "../../bench/support/scaling-policies";
import {
  type Load,
  type Outcome,
  type Simulated,
  simulate,
  type TracePoint,
} from "../../bench/support/scaling-simulation";

const SYNTH_MS = 120_000;
/** Nothing takes any time but what a test says. */
const AT_ONCE = { metricDelay: 0, launch: 0, boot: 0, protection: 0, drain: 0 };
const FOREVER = 100_000;

/** The emitted Terraform of nanogrid-workers, as far as the simulation reads it. */
interface Emitted {
  resource: {
    aws_autoscaling_group: Record<string, Record<string, unknown>>;
    aws_autoscaling_policy: Record<string, Record<string, unknown>>;
    aws_cloudwatch_metric_alarm: Record<string, Record<string, unknown>>;
  };
}

let depth: Emitted;
let backlog: Emitted;

beforeAll(() => {
  const workers = (settings: object) => emitted({ nanogrid: { workers: settings } }).get("nanogrid-workers") as Emitted;
  depth = workers({ scaling: "depth" });
  backlog = workers({ scaling: "backlog", max: 300, acceptedLatencySeconds: 60, meanJobSeconds: 6 });
}, SYNTH_MS);

/** Jobs of a thousand seconds, so that what starts stays busy. */
function longJobs(jobs: number): Load {
  return burst(jobs, () => 1_000);
}

/** Runs it and gives the number of instances at each second. */
function instances(simulated: Partial<Simulated> & Pick<Simulated, "load">): number[] {
  const points: TracePoint[] = [];
  simulate({
    concurrency: 1,
    assumptions: AT_ONCE,
    phase: 0,
    horizon: FOREVER,
    traceEvery: 1,
    trace: (point) => points.push(point),
    ...simulated,
  });
  return points.map((point) => point.instances);
}

/** The seconds at which the number of instances changes, and to what. */
function changes(counts: readonly number[]): [second: number, instances: number][] {
  return counts.flatMap((count, second) => (count === counts[second - 1] ? [] : [[second, count] as [number, number]]));
}

function outcome(scaling: GroupScaling, load: Load, changed: Partial<Simulated> = {}): Outcome {
  return simulate({ scaling, concurrency: 1, assumptions: AT_ONCE, phase: 0, horizon: FOREVER, load, ...changed });
}

function withReaction(reaction: Partial<Reaction["alarm"]> & { change: Reaction["change"] }): GroupScaling {
  const { change, ...alarm } = reaction;
  return {
    min: 0,
    max: 10,
    warmupSeconds: 0,
    bootSeconds: 0,
    reactions: [
      {
        alarm: {
          name: "test",
          metric: { periodSeconds: 60, value: (read) => read("visible", "Maximum") },
          breaches: (value) => value >= 10,
          evaluationPeriods: 1,
          datapointsToAlarm: 1,
          missing: "missing",
          ...alarm,
        },
        change,
      },
    ],
  };
}

describe("the emitted scaling", () => {
  test("by depth is read whole: limits, both alarms, both policies", () => {
    const scaling = scalingOf(depth);

    expect(scaling).toMatchObject({ min: 2, max: 5, bootSeconds: 180 });
    expect(scaling.reactions.map(({ alarm, change }) => [alarm.name, alarm.evaluationPeriods, change])).toEqual([
      ["nanogrid-sqs-high", 1, { kind: "simple", adjustment: 1, cooldownSeconds: 300 }],
      ["nanogrid-sqs-low", 3, { kind: "simple", adjustment: -1, cooldownSeconds: 300 }],
    ]);
    const [high, low] = scaling.reactions.map(({ alarm }) => alarm);
    expect([9, 10].map((value) => high?.breaches(value))).toEqual([false, true]);
    expect([0, 1].map((value) => low?.breaches(value))).toEqual([true, false]);
    expect([high?.missing, low?.missing]).toEqual(["notBreaching", "breaching"]);
  });

  test("by backlog is read whole: the target, its two alarms, and the alarm that wakes an empty group", () => {
    const scaling = scalingOf(backlog);

    expect(scaling).toMatchObject({ min: 2, max: 300, warmupSeconds: 300 });
    expect(scaling.reactions.map(({ alarm, change }) => [alarm.evaluationPeriods, change])).toEqual([
      [1, { kind: "exact", capacity: 1 }],
      [3, { kind: "track", target: 10, direction: "out" }],
      [15, { kind: "track", target: 10, direction: "in" }],
    ]);
    const read = (visible: number, inService: number) => (source: string) =>
      source === "visible" ? visible : inService;
    const metrics = scaling.reactions.map(({ alarm }) => alarm.metric);
    expect([metrics[1]?.value(read(120, 4)), metrics[1]?.value(read(120, 0))]).toEqual([30, 120]);
    expect([metrics[0]?.value(read(120, 0)), metrics[0]?.value(read(120, 4))]).toEqual([120, 0]);
  });

  test("with something that is not simulated is refused by name", () => {
    const other = structuredClone(depth);
    Object.assign(other.resource.aws_cloudwatch_metric_alarm["group_queue-high"] ?? {}, { metric_name: "Other" });

    expect(() => scalingOf(other)).toThrow("the metric AWS/SQS/Other is not simulated.");
  });

  test.each([
    ["aws_cloudwatch_metric_alarm", "group_queue-high", { threshold: 5_000 }],
    ["aws_cloudwatch_metric_alarm", "group_queue-low", { evaluation_periods: 30 }],
    ["aws_autoscaling_policy", "group_add-one", { cooldown: 60 }],
    ["aws_autoscaling_policy", "group_add-one", { scaling_adjustment: 3 }],
    ["aws_autoscaling_group", "group", { max_size: 20 }],
  ] as const)("decides the result: another %s %s %j gives another one", (type, name, change) => {
    const changed = structuredClone(depth);
    Object.assign(changed.resource[type][name] ?? {}, change);
    const run = (stack: Emitted) => outcome(scalingOf(stack), burst(2_000, memoryless(6, randomOf(1))));

    expect(run(changed)).not.toEqual(run(depth));
  });
});

describe("simple scaling", () => {
  const addOne = { kind: "simple", adjustment: 1, cooldownSeconds: 300 } as const;

  test("changes the group in the minute in which as many periods in a row were over the threshold", () => {
    const scaling = withReaction({ evaluationPeriods: 3, datapointsToAlarm: 3, change: addOne });

    // Samples at 0, 60 and 120 s; the instance is there a second after the third.
    expect(changes(instances({ scaling, load: longJobs(20), horizon: 200 }))).toEqual([
      [0, 0],
      [121, 1],
    ]);
  });

  test("sees a metric as late as it comes", () => {
    const scaling = withReaction({ change: addOne });

    expect(
      changes(instances({ scaling, load: longJobs(20), horizon: 300, assumptions: { ...AT_ONCE, metricDelay: 120 } })),
    ).toEqual([
      [0, 0],
      [121, 1],
    ]);
  });

  test("rests after each step, from when its instance is in service", () => {
    const scaling = withReaction({ change: addOne });
    const assumptions = { ...AT_ONCE, launch: 45 };

    // In service at 46 s, rest until 346: the next minute is 360. In service at 406, rest until 706: 720.
    expect(changes(instances({ scaling, load: longJobs(50), horizon: 800, assumptions }))).toEqual([
      [0, 0],
      [1, 1],
      [361, 2],
      [721, 3],
    ]);
  });

  test("stays within the group's limits", () => {
    const scaling = { ...withReaction({ change: { ...addOne, cooldownSeconds: 0 } }), max: 2 };

    expect(Math.max(...instances({ scaling, load: longJobs(50), horizon: 1_000 }))).toBe(2);
  });

  test("removes an idle worker, and none that runs a job or is protected still", () => {
    const removeOne = { kind: "simple", adjustment: -1, cooldownSeconds: 0 } as const;
    const scaling = withReaction({ breaches: (value) => value <= 0, change: removeOne });
    const assumptions = { ...AT_ONCE, protection: 30, drain: 10 };

    // Two workers, one job of 100 s: the idle one goes at the first chance; the other 30 s after its job, plus 10 s each.
    const load = burst(1, () => 100);
    expect(changes(instances({ scaling, workers: 2, load, assumptions }))).toEqual([
      [0, 2],
      [11, 1],
      [140, 0],
    ]);
  });
});

describe("target tracking", () => {
  const out = { kind: "track", target: 10, direction: "out" } as const;
  const back = { kind: "track", target: 10, direction: "in" } as const;
  const perWorker: Reaction["alarm"]["metric"] = {
    periodSeconds: 60,
    value: (read) => (read("visible", "Average") ?? 0) / Math.max(1, read("inService", "Average") ?? 0),
  };

  test("asks for as many as bring the metric to its target, once", () => {
    const breaches = (value: number) => value > 10;
    const scaling = { ...withReaction({ metric: perWorker, breaches, change: out }), max: 100, warmupSeconds: 300 };

    // 80 wait for 2 workers: 40 each, four times the target.
    expect(changes(instances({ scaling, workers: 2, load: longJobs(82), horizon: 290 }))).toEqual([
      [0, 2],
      [1, 8],
    ]);
  });

  test("removes nothing while an instance warms up", () => {
    const breaches = (value: number) => value < 9;
    const idle = burst(0, () => 1);
    const scaling = { ...withReaction({ metric: perWorker, breaches, change: back }), warmupSeconds: 300 };
    const grown = {
      ...scaling,
      reactions: [
        ...withReaction({ breaches: (value) => value >= 10, change: { kind: "exact", capacity: 3 } }).reactions,
        ...scaling.reactions,
      ],
    };

    expect(changes(instances({ scaling, workers: 2, load: idle }))).toEqual([
      [0, 2],
      [2, 0],
    ]);
    const [, ...later] = changes(instances({ scaling: grown, workers: 2, load: burst(12, () => 5) }));
    expect(later).toEqual([
      [1, 3],
      [362, 0],
    ]);
  });
});

describe("the simulation", () => {
  test("without scaling is what can be counted by hand: ten jobs of six seconds on two workers", () => {
    const result = simulate({
      workers: 2,
      concurrency: 1,
      assumptions: AT_ONCE,
      phase: 0,
      horizon: FOREVER,
      load: burst(10, () => 6),
    });

    expect(result).toMatchObject({ jobs: 10, drainedAt: 30, waitP50: 12, waitP99: 24, mostInstances: 2 });
    expect(result.instanceHours).toBeCloseTo(60 / 3_600);
    expect(result.jobHours).toBeCloseTo(60 / 3_600);
  });

  test("runs as many jobs at a time on a worker as it may", () => {
    const result = simulate({
      workers: 1,
      concurrency: 5,
      assumptions: AT_ONCE,
      phase: 0,
      horizon: FOREVER,
      load: burst(10, () => 6),
    });

    expect(result.drainedAt).toBe(12);
  });

  test("lets a worker begin when it has booted", () => {
    const scaling = {
      ...withReaction({ change: { kind: "exact", capacity: 1 }, breaches: (value) => value > 0 }),
      max: 1,
    };

    expect(
      outcome(
        scaling,
        burst(1, () => 6),
        { assumptions: { ...AT_ONCE, boot: 180 } },
      ).drainedAt,
    ).toBe(1 + 180 + 6);
  });

  test("says what was left at the horizon", () => {
    expect(outcome(scalingOf(depth), longJobs(100), { horizon: 60 }).drainedAt).toBeNaN();
  });

  test("loses and doubles no job, whatever scaling does", () => {
    const random = randomOf(7);
    const result = outcome(scalingOf(backlog), steady(5, 7_200, memoryless(6, random), random));

    let arrived = 0;
    const again = randomOf(7);
    const load = steady(5, 7_200, () => 1, again);
    for (let second = 0; second < 7_200; second++) {
      arrived += load.arrivals(second);
    }
    expect(Math.abs(result.jobs - arrived) / arrived).toBeLessThan(0.02);
    expect(result.drainedAt).toBeGreaterThan(7_000);
  });

  test("is the same for the same seed, and takes a million jobs in seconds", () => {
    const run = (seed: number) => outcome(scalingOf(backlog), burst(1_000_000, memoryless(6, randomOf(seed))));
    const before = Date.now();
    const first = run(3);

    expect(Date.now() - before).toBeLessThan(20_000);
    expect(first.jobs).toBe(1_000_000);
    expect(run(3)).toEqual(first);
    expect(run(4)).not.toEqual(first);
  });
});

describe("loads", () => {
  test.each([1, 2, 6, 60])("jobs without memory have the mean that was asked for: %d s", (mean) => {
    const next = memoryless(mean, randomOf(5));
    const drawn = Array.from({ length: 100_000 }, next);

    expect(drawn.reduce((sum, seconds) => sum + seconds, 0) / drawn.length / mean).toBeCloseTo(1, 1);
    expect(drawn.every((seconds) => Number.isInteger(seconds) && seconds >= 1)).toBe(true);
  });

  test("a day has its peak at noon, nothing at midnight, and half of the peak on average", () => {
    const load = daily(20, () => 1, randomOf(6));
    const around = (second: number) =>
      Array.from({ length: 1_000 }, (_, index) => load.arrivals(second - 500 + index)).reduce((a, b) => a + b, 0) /
      1_000;

    expect(around(43_200)).toBeCloseTo(20, -0.5);
    expect(around(500)).toBeLessThan(0.2);
    expect(around(21_600)).toBeCloseTo(10, -0.5);
  });
});
