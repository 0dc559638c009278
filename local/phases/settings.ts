/** The settings of the local environment, and the promise that no other run of this checkout is at work. */
import { Problem } from "../../commands/support/problem";
import { loadSettings, type Settings } from "../../modules/platform/settings";
import type { Needs, Outcome } from "../phase";
import { findService, recordService } from "../services";
import { ENVIRONMENT } from "./synth";

/** Name under which a run of `npm start` or an `npm run local:…` records itself. */
export const RUN_SERVICE = "start";

/** Reads the settings; a wrong one ends the run with all that is wrong at once. */
export async function readSettings({ places }: Needs): Promise<Outcome<Settings>> {
  const other = findService(places, RUN_SERVICE);
  if (other !== undefined) {
    throw new Problem(
      `npm start or an npm run local:… runs already for this checkout (pid ${other.pid}).`,
      "Use it, or end it with Ctrl-C there; npm run local:down ends everything.",
    );
  }
  let settings: Settings;
  try {
    settings = loadSettings(ENVIRONMENT, `${places.project}/cdktf.json`);
  } catch (error) {
    throw new Problem((error as Error).message, "Correct cdktf.json and start again.", undefined, { cause: error });
  }
  recordService(places, RUN_SERVICE, process.pid);
  return { value: settings, summary: `environment ${settings.environment}, ${settings.region}` };
}
