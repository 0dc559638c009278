/** What is printed when everything runs, or when something stopped it. */
import { relative } from "node:path";
import type { Found } from "./phase";
import { logOf, type Places } from "./places";
import type { Progress, Timing } from "./progress";

/** The result, the states, the times, and where to look. */
export function summarize({ found, timings, warnings }: Progress, places: Places): string {
  const sections = [
    warningsOf(warnings),
    found.hello && helloOf(found.hello),
    found.handover && statesOf(found.handover),
    timesOf(timings),
    found.programs && placesTo(found, found.programs.url, places),
  ];
  return sections.filter(Boolean).join("\n\n");
}

/** What the person should know, each in its own lines. */
export function warningsOf(warnings: readonly string[]): string {
  return warnings.map((text) => `! ${text}`).join("\n");
}

/** How long each phase took; those that ran side by side overlap. */
export function timesOf(timings: readonly Timing[]): string {
  const rows = timings.map(({ title, seconds }) => [title, `${seconds.toFixed(1)} s`]);
  return table(["phase", "time"], rows);
}

function helloOf({ archived, functionId, jobId, milliseconds, output, source }: Found["hello"]): string {
  return [
    `${source} answered (function ${functionId}, job ${jobId}, ${Math.round(milliseconds)} ms over HTTP):`,
    ...JSON.stringify(output, null, 2)
      .split("\n")
      .map((line) => `  ${line}`),
    ...(archived === undefined ? [] : [`Its manifest is in the archive: ${archived}`]),
  ].join("\n");
}

function statesOf({ states }: Found["handover"]): string {
  const rows = states.map(({ stack, resources, outputs, serial }) => [
    stack,
    String(resources),
    String(outputs),
    String(serial),
  ]);
  return rows.length === 0 ? "" : table(["state", "resources", "outputs", "serial"], rows);
}

function placesTo({ deployment, hello }: Partial<Found>, url: string, places: Places): string {
  const lines = [
    `Page   ${url}/   (admin key in ${hello?.keyFile ?? "no file"})`,
    `API    ${url}/v1/functions   (description at ${url}/openapi.json)`,
    'Shell  eval "$(npm run --silent local:env)"; npx nanogrid deploy examples/hello && npx nanogrid invoke hello',
    'Look   eval "$(npm run --silent local:env)"; terraform -chdir=cdktf.out/stacks/nanogrid-data state list',
    `Logs   ${relative(places.project, logOf(places, "*"))}`,
    "Stop   npm run local:down ends and removes everything",
  ];
  return lines.filter((line) => deployment?.by === "terraform" || !line.startsWith("Look")).join("\n");
}

/** Columns as wide as their widest cell; numbers to the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("   ")
      .trimEnd();
  return [line(head), line(widths.map((width) => "─".repeat(width))), ...rows.map(line)]
    .map((text) => `  ${text}`)
    .join("\n");
}
