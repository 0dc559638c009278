/** What every chart has in common: SVG that reads on a light and on a dark page. */
import type { Spec } from "vega";

/** Colour of text and axes on a light page, and what takes its place on a dark one. */
export const INK = { light: "#57606a", dark: "#9ea7b3" };
export const GRID = { light: "#d0d7de", dark: "#3d444d" };

/** The title and the axes' looks, for a chart's specification. */
export function lookOf(title: string) {
  return {
    $schema: "https://vega.github.io/schema/vega/v6.json",
    padding: 8,
    title: { text: title, anchor: "start", offset: 12, fontSize: 14, fontWeight: 600, color: INK.light },
    config: {
      axis: {
        labelColor: INK.light,
        titleColor: INK.light,
        domainColor: INK.light,
        tickColor: INK.light,
        gridColor: GRID.light,
        labelFontSize: 12,
        titleFontSize: 12,
        titleFontWeight: 400,
      },
      legend: { labelColor: INK.light, labelFontSize: 12, symbolStrokeWidth: 2.5, symbolSize: 500 },
    },
  } satisfies Spec;
}

/** Draws a chart. @param what what it shows, for those who cannot see it */
export async function svgOf(spec: Spec, what: string): Promise<string> {
  const vega = await import("vega");
  const view = new vega.View(vega.parse(spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  const dark = [INK, GRID].flatMap(({ light, dark: colour }) => [
    `[fill="${light}"]{fill:${colour}}`,
    `[stroke="${light}"]{stroke:${colour}}`,
  ]);
  const style = `<style>@media (prefers-color-scheme:dark){${dark.join("")}}</style>`;
  return `${svg.replace(/<svg([^>]*)>/, `<svg$1 role="img" aria-label="${what}"><title>${what}</title>${style}`)}\n`;
}
