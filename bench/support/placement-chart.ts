/** Which stage was where and when, for several placements, as SVG that reads on a light and on a dark page. */
import type { Data, Mark, Spec } from "vega";
import { INK, lookOf, svgOf } from "./chart";
import type { Span } from "./gpu-time";

/** A placement's course. */
export interface Course {
  readonly name: string;
  readonly gpus: readonly string[];
  readonly spans: readonly Span[];
}

const WIDTH = 560;
const LANE = 24;
const GAP = 46;
/** At least three to one on white and on the dark page. */
const COLOURS = { first: "#2f80ed", second: "#d1570d" } as const;

/** The chart. @param minutes of its axis */
export function placementChart(title: string, courses: readonly Course[], minutes: number): Promise<string> {
  const spec: Spec = {
    ...lookOf(title),
    width: WIDTH,
    data: courses.map(dataOf),
    layout: { columns: 1, padding: GAP },
    scales: [{ name: "stage", type: "ordinal", domain: Object.keys(COLOURS), range: Object.values(COLOURS) }],
    legends: [{ fill: "stage", title: "stage", orient: "top", direction: "horizontal", titleColor: INK.light }],
    marks: courses.map((course, index) => panelOf(course, index, minutes, index === courses.length - 1)),
  };
  const ends = courses.map(({ name, spans }) => `${name}: ${(endOf(spans) / 60).toFixed(1)} minutes`);
  return svgOf(spec, `${title}. ${ends.join("; ")}.`);
}

function endOf(spans: readonly Span[]): number {
  return Math.max(0, ...spans.map(({ to }) => to));
}

/** Work that shares a GPU is drawn in lanes of its own, so that none hides another. */
function dataOf({ spans, gpus }: Course, index: number): Data {
  const values = gpus.flatMap((gpu) => {
    const ends: number[] = [];
    const own = spans.filter((span) => span.gpu === gpu).sort((a, b) => a.from - b.from);
    const laid = own.map(({ id, from, to }) => {
      const found = ends.findIndex((end) => end <= from + 1e-6);
      const lane = found < 0 ? ends.length : found;
      ends[lane] = to;
      return { gpu, stage: id.startsWith("first") ? "first" : "second", from: from / 60, to: to / 60, lane };
    });
    return laid.map((each) => ({ ...each, lanes: ends.length }));
  });
  return { name: `course-${index}`, values };
}

function panelOf({ name, gpus }: Course, index: number, minutes: number, isLast: boolean): Mark {
  const height = gpus.length * LANE;
  return {
    type: "group",
    encode: { enter: { width: { value: WIDTH }, height: { value: height } } },
    title: { text: name, anchor: "start", fontSize: 12, color: INK.light, offset: 6 },
    scales: [
      { name: "x", type: "linear", domain: [0, minutes], range: [0, WIDTH] },
      { name: "y", type: "band", domain: [...gpus], range: [0, height], padding: 0.15 },
    ],
    axes: [
      { orient: "left", scale: "y", ticks: false },
      { orient: "bottom", scale: "x", tickCount: 8, grid: true, ...(isLast ? { title: "minutes" } : {}) },
    ],
    marks: [
      {
        type: "rect",
        from: { data: `course-${index}` },
        encode: {
          enter: {
            x: { scale: "x", field: "from" },
            x2: { scale: "x", field: "to", offset: -1 },
            y: { scale: "y", field: "gpu", offset: { signal: "datum.lane * bandwidth('y') / datum.lanes" } },
            height: { signal: "bandwidth('y') / datum.lanes - 1" },
            fill: { scale: "stage", field: "stage" },
          },
        },
      },
    ],
  };
}
