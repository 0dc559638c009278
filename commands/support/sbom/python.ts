/** Where cyclonedx-bom is: a Python environment below `.local/venv`, made from its lock on first use. */
import { preparePython } from "../../../local/phases/python";
import { findPython } from "../../../local/phases/tools";
import { placesOf } from "../../../local/places";
import { Problem } from "../problem";
import { which } from "../shell";

const SOURCE = { folder: "sbom", lock: "commands/support/sbom/requirements.lock" } as const;

/**
 * @returns the interpreter of its environment
 * @throws Problem when there is no Python, or its packages cannot be had
 */
export async function sbomPython(): Promise<string> {
  const { env } = process;
  const python = await findPython(env);
  if (python === undefined) {
    throw new Problem(
      "The worker's bill of materials needs Python 3.11 or newer.",
      "Install it from your system's packages.",
    );
  }
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const needs = {
    env,
    places: placesOf(),
    signal: new AbortController().signal,
    tools: { python, uv: which("uv", env) },
  };
  return (await preparePython(SOURCE, needs, { say, warn: say })).python;
}
