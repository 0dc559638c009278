/** Where checkov is: a Python environment below `.local/venv`, made from its lock on first use. */

import { preparePython } from "../../../local/phases/python";
import { findPython } from "../../../local/phases/tools";
import { placesOf } from "../../../local/places";
import { Problem } from "../problem";

/** What checkov's environment is made from. */
export const CHECKOV = { folder: "checkov", lock: "commands/support/policy/requirements.lock" } as const;

/**
 * @param env the environment of the shell
 * @param say told what is going on
 * @returns the interpreter of checkov's environment
 * @throws Problem when there is no Python, or its packages cannot be had
 */
export async function checkovPython(env: NodeJS.ProcessEnv, say: (text: string) => void): Promise<string> {
  const python = await findPython(env);
  if (python === undefined) {
    throw new Problem("checkov needs Python 3.11 or newer.", "Install it, or leave checkov out with --no-checkov.");
  }
  const needs = { env, places: placesOf(), signal: new AbortController().signal, tools: { python, uv: undefined } };
  return (await preparePython(CHECKOV, needs, { say, warn: say })).python;
}
