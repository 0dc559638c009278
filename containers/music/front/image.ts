/** The image `music-front`: Node with one bundled program and the page. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ArtifactFile } from "../../../modules/platform/artifact";
import { type ImageSource, imageSource } from "../../../modules/platform/image-source";
import { MUSIC_FOLDER, type MusicProgram } from "../program";
import { frontFiles } from "./build";

/** The front: users reach it through the ingress; it reaches the back, and nothing else. */
export const FRONT: MusicProgram = {
  name: "front",
  port: 8080,
  command: ["node", "/opt/music/server.mjs"],
  environment: { MUSIC_BACK: "http://back:8000" },
  secrets: ["MUSIC_SESSION_KEY"],
};

/** Everything that the Dockerfile copies, and the Dockerfile. */
export function frontContext(): readonly ArtifactFile[] {
  return [{ path: "Dockerfile", content: readFileSync(join(MUSIC_FOLDER, "front", "Dockerfile")) }, ...frontFiles()];
}

/** The image's sources, laid out as a build context. */
export function frontImage(): ImageSource {
  return imageSource("music-front", frontContext());
}
