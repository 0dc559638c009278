/** How busy the GPUs are: what the sidecar of each task publishes, and what ECS has given out. */
import { type CloudWatchClient, GetMetricDataCommand, type MetricDataQuery } from "@aws-sdk/client-cloudwatch";
import {
  DescribeContainerInstancesCommand,
  type ECSClient,
  ListContainerInstancesCommand,
  type Resource,
} from "@aws-sdk/client-ecs";
import { CLUSTER, METRICS_NAMESPACE, PENDING_REQUESTS, SERVICE } from "../../../modules/denoise/names";
import { table } from "../table";

/** Rows that a table of any span has at most. */
const ROWS = 24;
const MINUTE = 60;
const DIMENSIONS = [
  { Name: "ClusterName", Value: CLUSTER },
  { Name: "ServiceName", Value: SERVICE },
];
const SERIES = [
  { id: "utilization", metric: "GpuUtilization", stat: "Average" },
  { id: "utilizationMax", metric: "GpuUtilization", stat: "Maximum" },
  { id: "memory", metric: "GpuMemoryUsed", stat: "Maximum" },
  { id: "pending", metric: PENDING_REQUESTS, stat: "Average" },
  { id: "pendingMax", metric: PENDING_REQUESTS, stat: "Maximum" },
] as const;

type SeriesId = (typeof SERIES)[number]["id"];

/** What the sidecars said of one span of time: means and maxima over tasks; null where none said anything. */
export type GpuPoint = { readonly at: string } & Readonly<Record<SeriesId, number | null>>;

/** Use of the GPUs. */
export interface GpuUse {
  /** GPUs of the cluster's instances, and how many of them tasks have. */
  readonly gpus: { readonly registered: number; readonly used: number };
  /** Length of each point's span, in seconds. */
  readonly period: number;
  /** The oldest first. Utilization in percent, memory in bytes, requests that wait per task. */
  readonly points: readonly GpuPoint[];
}

/**
 * @param since seconds to look back
 * @param now end of the time that is looked at, in milliseconds
 */
export async function gpuUse(
  ecs: ECSClient,
  cloudWatch: CloudWatchClient,
  since: number,
  now = Date.now(),
): Promise<GpuUse> {
  const period = Math.max(MINUTE, Math.ceil(since / ROWS / MINUTE) * MINUTE);
  const query = new GetMetricDataCommand({
    StartTime: new Date(now - since * 1_000),
    EndTime: new Date(now),
    ScanBy: "TimestampAscending",
    MetricDataQueries: SERIES.map((series) => queryOf(series, period)),
  });
  const { MetricDataResults = [] } = await cloudWatch.send(query);
  const points = new Map<number, Map<string, number>>();
  for (const { Id = "", Timestamps = [], Values = [] } of MetricDataResults) {
    for (const [index, time] of Timestamps.entries()) {
      const point = points.get(time.getTime()) ?? new Map<string, number>();
      points.set(time.getTime(), point.set(Id, Values[index] ?? Number.NaN));
    }
  }
  const sorted = [...points].sort(([a], [b]) => a - b);
  return { gpus: await countGpus(ecs), period, points: sorted.map(([time, values]) => pointOf(time, values)) };
}

function queryOf({ id, metric, stat }: (typeof SERIES)[number], period: number): MetricDataQuery {
  const name = { Namespace: METRICS_NAMESPACE, MetricName: metric, Dimensions: DIMENSIONS };
  return { Id: id, MetricStat: { Metric: name, Period: period, Stat: stat } };
}

function pointOf(time: number, values: ReadonlyMap<string, number>): GpuPoint {
  const value = (id: SeriesId) => values.get(id) ?? null;
  return {
    at: new Date(time).toISOString(),
    utilization: value("utilization"),
    utilizationMax: value("utilizationMax"),
    memory: value("memory"),
    pending: value("pending"),
    pendingMax: value("pendingMax"),
  };
}

async function countGpus(ecs: ECSClient): Promise<GpuUse["gpus"]> {
  const { containerInstanceArns = [] } = await ecs.send(new ListContainerInstancesCommand({ cluster: CLUSTER }));
  if (containerInstanceArns.length === 0) {
    return { registered: 0, used: 0 };
  }
  const query = new DescribeContainerInstancesCommand({ cluster: CLUSTER, containerInstances: containerInstanceArns });
  const { containerInstances = [] } = await ecs.send(query);
  const registered = containerInstances.reduce((sum, one) => sum + gpusIn(one.registeredResources), 0);
  const free = containerInstances.reduce((sum, one) => sum + gpusIn(one.remainingResources), 0);
  return { registered, used: registered - free };
}

function gpusIn(resources: readonly Resource[] = []): number {
  return resources.find(({ name }) => name === "GPU")?.stringSetValue?.length ?? 0;
}

/** Use of the GPUs for a person. */
export function gpuText({ gpus, period, points }: GpuUse): string {
  const head = `${CLUSTER}: ${gpus.used} of ${gpus.registered} GPUs are given to tasks`;
  if (points.length === 0) {
    return `${head}\nNo metrics: no task has published any in that time. The sidecar's log: /ecs/ddn-triton-task.`;
  }
  const rows = points.map(({ at, utilization, utilizationMax, memory, pending, pendingMax }) => [
    at,
    cell(utilization, 0),
    cell(utilizationMax, 0),
    cell(memory === null ? null : memory / 2 ** 30, 2),
    cell(pending, 1),
    cell(pendingMax, 0),
  ]);
  const titles = [`${period / MINUTE} min from`, "GPU %", "max", "memory GiB", "pending", "max"];
  return `${head}\n\n${table(titles, rows)}`;
}

function cell(value: number | null, decimals: number): string {
  return value === null ? "" : value.toFixed(decimals);
}
