/** Drawings as SVG: laid out by Graphviz, with colours for light and dark pages and words for screen readers. */
import { type Graph, instance, type Subgraph } from "@viz-js/viz";
import type { Arrow, Box, Drawing, Frame, Sort } from "./drawing";
import { type Colour, FILLS, INK, LINES, MUTED, PAPER, rulesForDark, STROKES } from "./palette";

const FONT = "Helvetica,Arial,Liberation Sans,sans-serif";
/** Sizes of text in points. */
const SIZES = { name: 13, fact: 11, arrow: 10.5, frame: 12 };
/** Room for the fonts of other machines: what stands in for Helvetica is wider by as much. */
const ROOM = 1.2;
/** Characters of a line at an arrow, after which a list goes on in the next. */
const LINE = 34;

const FRAME_STYLES: Readonly<Record<Frame["class"], { readonly fill: Colour; readonly style: string }>> = {
  cloud: { fill: FILLS.cloud, style: "rounded,filled" },
  network: { fill: FILLS.network, style: "rounded,filled" },
  tier: { fill: FILLS.tier, style: "rounded,filled" },
  other: { fill: FILLS.other, style: "rounded,filled,dashed" },
};

const ARROW_STYLES: Readonly<
  Record<Sort, { readonly colour: Colour; readonly style: string; readonly width: number }>
> = {
  network: { colour: LINES.network, style: "solid", width: 1.8 },
  data: { colour: LINES.data, style: "solid", width: 1.2 },
  event: { colour: LINES.event, style: "dashed", width: 1.2 },
  stack: { colour: LINES.network, style: "solid", width: 1.2 },
};

/** How a drawing is laid out. */
export interface Layout {
  /** The way that arrows go: to the right, or down. */
  readonly direction: "LR" | "TB";
}

/** A drawing as the bytes of an SVG file: always the same for the same drawing. */
export async function svgOf(drawing: Drawing, layout: Layout): Promise<string> {
  const viz = await instance();
  const result = viz.render(graphOf(drawing, layout), { format: "svg" });
  if (result.status !== "success") {
    throw new Error(`${drawing.title}: Graphviz says ${result.errors.map(({ message }) => message).join("; ")}`);
  }
  return finished(result.output, drawing);
}

function graphOf({ boxes, frames, arrows, caption }: Drawing, { direction }: Layout): Graph {
  const acting = new Set(arrows.map(({ from }) => from));
  return {
    directed: true,
    graphAttributes: {
      rankdir: direction,
      nodesep: 0.22,
      ranksep: 0.4,
      pad: 0.25,
      bgcolor: PAPER.light,
      ...text(SIZES.arrow),
      label: `${caption}\\l`,
      labelloc: "b",
      labeljust: "l",
    },
    nodeAttributes: { shape: "box", margin: "0.26,0.05", height: 0.3, ...text(SIZES.name) },
    edgeAttributes: { arrowsize: 0.7, ...text(SIZES.arrow) },
    nodes: boxes.filter(({ frame }) => frame === undefined).map(nodeOf),
    edges: arrows.map((arrow) =>
      arrow.sort === "network" && !acting.has(arrow.to) ? edgeOf(turned(arrow)) : edgeOf(arrow),
    ),
    subgraphs: frames.filter(({ parent }) => parent === undefined).map((frame) => clusterOf(frame, frames, boxes)),
  };
}

function text(size: number) {
  return { fontname: FONT, fontsize: size * ROOM, fontcolor: MUTED.light };
}

function clusterOf(frame: Frame, frames: readonly Frame[], boxes: readonly Box[]): Subgraph {
  const { fill, style } = FRAME_STYLES[frame.class];
  const facts = frame.facts.filter((fact) => fact !== "").join(" · ");
  return {
    name: `cluster_${frame.id}`,
    graphAttributes: {
      ...text(SIZES.frame),
      class: "frame",
      label: [frame.label, facts]
        .filter((line) => line !== "")
        .map((line) => `${line}\\l`)
        .join(""),
      labelloc: "t",
      labeljust: "l",
      style,
      fillcolor: fill.light,
      color: STROKES.frame.light,
      margin: 14,
    },
    nodes: boxes.filter((box) => box.frame === frame.id).map(nodeOf),
    subgraphs: frames.filter(({ parent }) => parent === frame.id).map((inner) => clusterOf(inner, frames, boxes)),
  };
}

/** The lines of a box, and which of them are names. */
function linesOf({ name, facts, others = [] }: Box): { readonly text: string; readonly isName: boolean }[] {
  return [{ name, facts }, ...others].flatMap((each) => [
    { text: each.name, isName: true },
    ...each.facts.map((fact) => ({ text: fact, isName: false })),
  ]);
}

/** The class of a box: the numbers of the lines that are names. */
function namedLines(box: Box): string {
  const numbers = linesOf(box).flatMap(({ isName }, index) => (isName ? [index + 1] : []));
  return `names-${numbers.join("-")}`;
}

function nodeOf(box: Box) {
  return {
    name: box.id,
    attributes: {
      class: namedLines(box),
      label: linesOf(box)
        .map(({ text }) => text)
        .join("\n"),
      fillcolor: FILLS[box.class].light,
      color: STROKES[box.class].light,
      style: box.class === "outside" ? "rounded,filled,dashed" : "rounded,filled",
    },
  };
}

/** The same arrow, drawn from its other end: what only serves then stands before those that it serves, out of the way of their arrows. */
function turned({ from, to, points, ...rest }: Arrow): Arrow {
  return { ...rest, from: to, to: from, points: points === "forward" ? "back" : points };
}

/** An arrow goes from who acts to what is used, which orders the boxes; its points say where the data goes. */
function edgeOf({ from, to, label, sort, points }: Arrow) {
  const { colour, style, width } = ARROW_STYLES[sort];
  return {
    tail: from,
    head: to,
    attributes: {
      ...(label.length > 0 ? { label: wrapped(label).join("\n") } : {}),
      color: colour.light,
      style,
      penwidth: width,
      dir: points,
    },
  };
}

/** Things in lines of bearable length. */
function wrapped(things: readonly string[]): string[] {
  const lines: string[] = [];
  for (const thing of things) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + thing.length + 2 <= LINE) {
      lines[lines.length - 1] = `${last}, ${thing}`;
    } else {
      lines.push(thing);
    }
  }
  return lines;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** Takes away what changes with Graphviz's release, and adds sizes, the dark colours and the words. */
function finished(svg: string, drawing: Drawing): string {
  const body = svg
    .slice(svg.indexOf("<svg"))
    .replace(/<!--[\s\S]*?-->\n?/g, "")
    .replace(/font-size="([\d.]+)"/g, (_, size) => `font-size="${Number((Number(size) / ROOM).toFixed(2))}"`);
  const head = `<title id="title">${escaped(drawing.title)}</title>\n<desc id="words">${escaped(inWords(drawing))}</desc>`;
  return body.replace(
    /<svg([^>]*)>/,
    `<svg$1 role="img" aria-labelledby="title" aria-describedby="words">\n${head}\n<style>${styleOf(drawing)}</style>`,
  );
}

/** Names stand out from facts: Graphviz has one font for a label. */
function styleOf({ boxes }: Drawing): string {
  const classes = [...new Set(boxes.map(namedLines))].sort();
  const names = classes.flatMap((each) =>
    each
      .split("-")
      .slice(1)
      .map((line) => `.${each} text:nth-of-type(${line})`),
  );
  const bold = [...names, ".frame text:first-of-type"].join(",");
  return [
    `.node text{font-size:${SIZES.fact}px}`,
    `${bold}{font-weight:600;fill:${INK.light}}`,
    `${names.join(",")}{font-size:${SIZES.name}px}`,
    `@media (prefers-color-scheme:dark){${rulesForDark()}${bold}{fill:${INK.dark}}}`,
  ].join("");
}

const WAYS: Readonly<Record<Arrow["points"], string>> = { forward: "to", back: "from", both: "to and from" };

/** The arrows as sentences, for whoever does not see them. */
function inWords({ boxes, arrows, caption }: Drawing): string {
  const names = new Map(
    boxes.map(({ id, name, others = [] }) => [id, [name, ...others.map((other) => other.name)].join(" and ")]),
  );
  const said = arrows.map(({ from, to, label, points }) => {
    const how = label.length > 0 ? `: ${label.join(", ")}` : "";
    return `${names.get(from)} ${WAYS[points]} ${names.get(to)}${how}.`;
  });
  return [caption, ...said].join(" ");
}
