/** The picture of the stacks: what each state reads from which. */
import type { Arrow, Box, Drawing } from "./drawing";
import type { Estate } from "./estate";

/** Endings that say which attribute of a thing an output is. */
const ATTRIBUTE = /_(?:arn_suffix|dns_name|arn|arns|url|name|host|port|tls|id|ids|endpoint)$/;

/**
 * @param estate what is synthesized
 * @param systemOf the system that a stack belongs to
 */
export function stackGraphOf(estate: Estate, systemOf: (stack: string) => string): Drawing {
  const systems = [...new Set(estate.stacks.map(({ name }) => systemOf(name)))];
  return {
    title: "Stacks: what each state reads from which",
    caption: "An arrow carries outputs from the state that publishes them to the one that reads them.",
    boxes: estate.stacks.map(
      ({ name, resources, outputs }): Box => ({
        id: name,
        name,
        facts: [counted(resources.length, "resource"), counted(Object.keys(outputs).length, "output")],
        class: "compute",
        frame: systems.length > 1 ? systemOf(name) : undefined,
      }),
    ),
    frames:
      systems.length > 1
        ? systems.map((id) => ({ id, label: id, facts: [], parent: undefined, class: "cloud" as const }))
        : [],
    arrows: estate.stacks.flatMap(({ name, dependencies, reads }) =>
      dependencies.map(
        (producer): Arrow => ({
          from: producer,
          to: name,
          label: things(reads[producer] ?? []),
          sort: "stack",
          points: "forward",
        }),
      ),
    ),
  };
}

/** The things that outputs are of: `queue_url` and `queue_arn` are both of the queue. */
export function things(outputs: readonly string[]): string[] {
  const stems = new Set(outputs.map((output) => output.replace(ATTRIBUTE, "").replaceAll("_", " ")));
  return [...stems].sort();
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
