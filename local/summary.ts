/** What is printed when everything runs, or when something stopped it. */
import { relative } from "node:path";
import { table } from "../commands/support/table";
import type { Found } from "./phase";
import type { StateSummary } from "./phases/states";
import { logOf, type Places } from "./places";
import type { Progress, Timing } from "./progress";

/** What a system says of itself. */
export interface Sections {
  /** What came of its proof. */
  readonly result: string | undefined;
  readonly states: string | undefined;
  /** Where to look, a line each; how logs are read and how all is ended follows. */
  readonly places: readonly string[];
}

/** NanoGrid: the result, the states, the times, and where to look. */
export function summarize(progress: Progress, places: Places): string {
  const { hello, handover, programs } = progress.found;
  return sectionsOf(progress, places, {
    result: hello && helloOf(hello),
    states: handover && statesOf(handover.states),
    places: programs ? placesTo(progress.found, programs.url) : [],
  });
}

/** The sections, with what there was to say and how long each phase took. */
export function sectionsOf(
  { timings, warnings }: Progress,
  places: Places,
  { places: lines, result, states }: Sections,
): string {
  const common = [
    `Logs   ${relative(places.project, logOf(places, "*"))}`,
    "Stop   npm run local:down ends and removes everything",
  ];
  const sections = [warningsOf(warnings), result, states, timesOf(timings), [...lines, ...common].join("\n")];
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

/** The states as a table. */
export function statesOf(states: readonly StateSummary[]): string {
  const rows = states.map(({ stack, resources, outputs, serial }) => [
    stack,
    String(resources),
    String(outputs),
    String(serial),
  ]);
  return rows.length === 0 ? "" : table(["state", "resources", "outputs", "serial"], rows);
}

function placesTo({ deployment, hello }: Partial<Found>, url: string): string[] {
  const lines = [
    `Page   ${url}/   (admin key in ${hello?.keyFile ?? "no file"})`,
    `API    ${url}/v1/functions   (description at ${url}/openapi.json)`,
    'Shell  eval "$(npm run --silent local:env)"; npx nanogrid deploy examples/hello && npx nanogrid invoke hello',
    'Look   eval "$(npm run --silent local:env)"; terraform -chdir=cdktf.out/stacks/nanogrid-data state list',
  ];
  return lines.filter((line) => deployment?.by === "terraform" || !line.startsWith("Look"));
}
