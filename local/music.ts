/** `npm run local:music`: the Music pipeline's services on this machine, with small models and the SDK's local runner. */
import { localCommand } from "./command-line";
import { phase } from "./phase";
import { runMusicExample } from "./phases/music-example";
import { MUSIC_SERVICES, startMusic, stopMusic } from "./phases/music-programs";
import { preparePythons } from "./phases/python";
import { readSettings } from "./phases/settings";
import { findTools } from "./phases/tools";
import type { Places } from "./places";
import type { Progress } from "./progress";
import { sectionsOf } from "./summary";

const PHASES = [
  phase("settings", "Settings", readSettings),
  phase("tools", "Tools", findTools),
  phase("pythons", "Python environment", preparePythons),
  phase("musicPrograms", "Stages, back, front and runner", startMusic),
  phase("music", "A recording", runMusicExample),
];

const program = localCommand({
  command: "npm run local:music",
  description: "Runs the Music pipeline on this machine with small models, and makes music of a recording.",
  system: "music",
  phases: PHASES,
  services: MUSIC_SERVICES,
  inWords: "the services and the pipeline's runner",
  stop: stopMusic,
  summarize,
});

function summarize(progress: Progress, places: Places): string {
  const { music, musicPrograms } = progress.found;
  const url = musicPrograms?.url;
  return sectionsOf(progress, places, {
    result:
      music &&
      `“${music.transcript}” is ${music.mood}: ${music.candidates.length} candidates, ${music.candidates.join(", ")} bytes of WAV.`,
    states: undefined,
    places: [`Page   ${url}/`, `API    ${url}/api/runs   (docs/music.md)`],
  });
}

void program.parseAsync();
