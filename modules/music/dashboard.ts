/** The pipeline's dashboard in Grafana: the queue, the stages' latency, and what the GPUs do. */
import { MUSIC_METRICS } from "../../containers/music/program";
import { NAMESPACE } from "./names";

const WIDTH = 12;
const HEIGHT = 8;

interface Panel {
  readonly title: string;
  readonly unit: string;
  /** Legend to query. */
  readonly queries: Readonly<Record<string, string>>;
}

const own = `namespace="${NAMESPACE}"`;
const quantile = (share: number) =>
  `histogram_quantile(${share}, sum by (le, step) (rate(music_stage_seconds_bucket{${own}}[5m])))`;

const PANELS: readonly Panel[] = [
  { title: "Runs", unit: "short", queries: { "{{state}}": `max by (state) (music_queue_depth{${own}})` } },
  {
    title: "Work before each stage",
    unit: "short",
    queries: { "{{stage}}": `max by (stage) (${MUSIC_METRICS.backlog}{${own}})` },
  },
  {
    title: "Seconds of a step, median and 95 %",
    unit: "s",
    queries: { "{{step}} 50 %": quantile(0.5), "{{step}} 95 %": quantile(0.95) },
  },
  {
    title: "Pods of the stages",
    unit: "short",
    queries: { "{{deployment}}": `kube_deployment_status_replicas_ready{${own},deployment=~".*-stage"}` },
  },
  { title: "GPU at work", unit: "percentunit", queries: { "{{pod}}": `max by (pod) (music_gpu_use_ratio{${own}})` } },
  { title: "GPU memory", unit: "bytes", queries: { "{{pod}}": `max by (pod) (music_gpu_memory_bytes{${own}})` } },
  {
    title: "Work by outcome",
    unit: "ops",
    queries: { "{{outcome}}": `sum by (outcome) (rate(music_stage_work_total{${own}}[5m]))` },
  },
  {
    title: "GPU nodes",
    unit: "short",
    queries: { nodes: 'count(kube_node_status_capacity{resource="nvidia_com_gpu"} > 0) or vector(0)' },
  },
];

/** The dashboard as Grafana takes it. */
export function pipelineDashboard(): object {
  return {
    uid: "music-pipeline",
    title: "Music pipeline",
    schemaVersion: 39,
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    panels: PANELS.map(({ title, unit, queries }, index) => ({
      id: index + 1,
      title,
      type: "timeseries",
      datasource: { type: "prometheus" },
      gridPos: { x: (index % 2) * WIDTH, y: Math.floor(index / 2) * HEIGHT, w: WIDTH, h: HEIGHT },
      fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
      targets: Object.entries(queries).map(([legendFormat, expr], at) => ({
        refId: String.fromCharCode(65 + at),
        expr,
        legendFormat,
      })),
    })),
  };
}
