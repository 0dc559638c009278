/** The deployment of the inference cluster: as any other, with the stand-in of Atlas's provider attached. */
import { buildAtlasProvider, startAtlasProvider } from "../atlas-provider/program";
import type { Needs, Outcome, Report } from "../phase";
import { type Deployment, deployFoundation } from "./deploy";

/** Deploys it; a second run finds nothing to change. */
export async function deployInference(
  needs: Needs<"settings" | "tools" | "standIns" | "providers" | "synthesis">,
  report: Report,
): Promise<Outcome<Deployment>> {
  report.say("the stand-in of Atlas's provider: built once, in a minute or two");
  const provider = await startAtlasProvider(await buildAtlasProvider(needs.places.home), needs.standIns.ports.aws);
  try {
    return await deployFoundation({ ...needs, env: { ...needs.env, ...provider.env } }, report);
  } finally {
    await provider.stop();
  }
}
