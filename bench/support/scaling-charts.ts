/** Charts of the simulated scaling, as SVG that reads on a light and on a dark page. */
import type { Mark, Spec } from "vega";
import { INK, lookOf, svgOf } from "./chart";
import type { TracePoint } from "./scaling-simulation";

/** One scaler's course. */
export interface Series {
  readonly name: string;
  readonly points: readonly TracePoint[];
}

const WIDTH = 680;
const PANEL = 170;
const GAP = 46;
/** At least three to one on white and on the dark page; dashes tell the lines apart without colours. */
const LINES = [
  { colour: "#d1570d", dash: [1, 0] },
  { colour: "#2f80ed", dash: [7, 3] },
  { colour: "#7d8590", dash: [2, 3] },
];
/** Waiting jobs and instances after a burst; minutes below. */
export function burstChart(title: string, series: readonly Series[], minutes: number): Promise<string> {
  return chart({
    title,
    series,
    seconds: minutes * 60,
    unit: 60,
    axis: "minutes after the burst",
    panels: [
      { title: "jobs that wait", value: ({ waiting }) => waiting },
      { title: "workers", value: ({ instances }) => instances },
    ],
  });
}

/** Instances over a day; hours below. */
export function dayChart(title: string, series: readonly Series[]): Promise<string> {
  return chart({
    title,
    series,
    seconds: 86_400,
    unit: 3_600,
    axis: "hours",
    panels: [
      { title: "workers", value: ({ instances }) => instances },
      { title: "jobs that wait", value: ({ waiting }) => waiting },
    ],
  });
}

interface Panel {
  readonly title: string;
  readonly value: (point: TracePoint) => number;
}

interface Chart {
  readonly title: string;
  readonly series: readonly Series[];
  /** Length of the time axis, and seconds of one of its units. */
  readonly seconds: number;
  readonly unit: number;
  readonly axis: string;
  readonly panels: readonly Panel[];
}

function chart(chart: Chart): Promise<string> {
  const { title, series, panels } = chart;
  const what = `${title}: ${panels.map((panel) => panel.title).join(" and ")}, of ${series.map(({ name }) => name).join(", ")}.`;
  return svgOf(specOf(chart), what);
}

function specOf({ title, series, seconds, unit, axis, panels }: Chart): Spec {
  return {
    ...lookOf(title),
    width: WIDTH,
    height: panels.length * PANEL + (panels.length - 1) * GAP,
    data: panels.map((panel, index) => ({
      name: `panel-${index}`,
      values: series.flatMap(({ name, points }) =>
        points
          .filter((point) => point.second <= seconds)
          .map((point) => ({ name, time: point.second / unit, value: panel.value(point) })),
      ),
    })),
    scales: [
      {
        name: "stroke",
        type: "ordinal",
        domain: series.map(({ name }) => name),
        range: series.map((_, index) => LINES[index]?.colour ?? INK.light),
      },
      {
        name: "dash",
        type: "ordinal",
        domain: series.map(({ name }) => name),
        range: series.map((_, index) => LINES[index]?.dash ?? []),
      },
    ],
    legends: [{ stroke: "stroke", strokeDash: "dash", orient: "top", symbolType: "stroke", columns: series.length }],
    layout: { columns: 1, padding: GAP },
    marks: panels.map(({ title: name }, index) =>
      panelOf(name, index, seconds / unit, axis, index === panels.length - 1),
    ),
  };
}

function panelOf(title: string, index: number, until: number, axis: string, isLast: boolean): Mark {
  const data = `panel-${index}`;
  return {
    type: "group",
    encode: { update: { width: { value: WIDTH }, height: { value: PANEL } } },
    scales: [
      { name: "x", type: "linear", domain: [0, until], range: [0, WIDTH] },
      { name: "y", type: "linear", domain: { data, field: "value" }, range: [PANEL, 0], nice: true, zero: true },
    ],
    axes: [
      { orient: "bottom", scale: "x", tickCount: 12, ...(isLast ? { title: axis } : {}) },
      { orient: "left", scale: "y", grid: true, tickCount: 5, title, format: ",d" },
    ],
    marks: [
      {
        type: "group",
        from: { facet: { name: "line", data, groupby: "name" } },
        marks: [
          {
            type: "line",
            from: { data: "line" },
            encode: {
              update: {
                x: { scale: "x", field: "time" },
                y: { scale: "y", field: "value" },
                stroke: { scale: "stroke", field: "name" },
                strokeDash: { scale: "dash", field: "name" },
                strokeWidth: { value: 2 },
                interpolate: { value: "step-after" },
              },
            },
          },
        ],
      },
    ],
  };
}
