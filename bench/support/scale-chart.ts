/** Time and memory over the number of environments, as SVG that reads on a light and on a dark page. */
import type { Axis, Mark, Scale, Spec } from "vega";
import { lookOf, svgOf } from "./chart";
import type { ScaleFigures } from "./scale-run";

const WIDTH = 640;
const PANEL = 150;
const GAP = 46;
const LINE = "#d1570d";

interface Panel {
  readonly title: string;
  readonly value: (figures: ScaleFigures) => number;
}

const PANELS: readonly Panel[] = [
  { title: "minutes, all in all", value: ({ seconds }) => seconds / 60 },
  { title: "seconds an environment", value: ({ seconds, environments }) => seconds / environments },
  { title: "MiB, the largest process", value: ({ childMebibytes }) => childMebibytes },
];

/** The chart. @param results in ascending order of environments */
export function scaleChart(title: string, results: readonly ScaleFigures[]): Promise<string> {
  const what = `${title}: ${results
    .map(({ environments, seconds }) => `${environments} in ${(seconds / 60).toFixed(1)} minutes`)
    .join(", ")}.`;
  return svgOf(specOf(title, results), what);
}

function specOf(title: string, results: readonly ScaleFigures[]): Spec {
  return {
    ...lookOf(title),
    width: WIDTH,
    height: PANELS.length * PANEL + (PANELS.length - 1) * GAP,
    data: PANELS.map(({ value }, index) => ({
      name: `panel-${index}`,
      values: results.map((figures) => ({ environments: figures.environments, value: value(figures) })),
    })),
    layout: { columns: 1, padding: GAP },
    marks: PANELS.map((panel, index) => panelOf(panel, index, results)),
  };
}

function panelOf({ title }: Panel, index: number, results: readonly ScaleFigures[]): Mark {
  const data = `panel-${index}`;
  const most = Math.max(...results.map(({ environments }) => environments));
  const scales: Scale[] = [
    { name: "x", type: "linear", domain: [0, most], range: [0, WIDTH] },
    { name: "y", type: "linear", domain: { data, field: "value" }, range: [PANEL, 0], nice: true, zero: true },
  ];
  const axes: Axis[] = [
    {
      orient: "bottom",
      scale: "x",
      tickCount: 8,
      ...(index === PANELS.length - 1 ? { title: "environments" } : {}),
    },
    { orient: "left", scale: "y", grid: true, tickCount: 5, title },
  ];
  const at = { x: { scale: "x", field: "environments" }, y: { scale: "y", field: "value" } };
  return {
    type: "group",
    encode: { update: { width: { value: WIDTH }, height: { value: PANEL } } },
    scales,
    axes,
    marks: [
      {
        type: "line",
        from: { data },
        encode: { update: { ...at, stroke: { value: LINE }, strokeWidth: { value: 2 } } },
      },
      { type: "symbol", from: { data }, encode: { update: { ...at, fill: { value: LINE }, size: { value: 40 } } } },
    ],
  };
}
