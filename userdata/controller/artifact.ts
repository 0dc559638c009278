/** The controller as an artifact: one bundled file, the page beside it, what PM2 reads, and nothing else. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Artifact, type ArtifactFile, buildArtifact, filesBelow } from "../../modules/platform/artifact";

const FOLDER = "userdata/controller";
const PM2_CONFIG = "ecosystem.config.cjs";
/** Pins what the bundle takes in from dependencies. */
const LOCK = "package-lock.json";

/** Builds the controller. */
export function controllerArtifact(): Artifact {
  // This file is a source too: it holds the bundler's options.
  const sources = filesBelow(
    FOLDER,
    (path) => /^(src|page)\//.test(path) || [PM2_CONFIG, "artifact.ts"].includes(path),
  );
  return buildArtifact("controller", [...sources, { path: LOCK, content: readFileSync(LOCK) }], () => [
    { path: "controller.js", content: bundle() },
    ...pageFiles(),
    { path: PM2_CONFIG, content: readFileSync(join(FOLDER, PM2_CONFIG)) },
  ]);
}

function bundle(): Uint8Array {
  // Loaded only when there is something to build: most synths have nothing.
  const { buildSync } = require("esbuild") as typeof import("esbuild");
  const { outputFiles } = buildSync({
    entryPoints: [join(FOLDER, "src", "main.ts")],
    bundle: true,
    platform: "node",
    target: "node22",
    format: "cjs",
    legalComments: "none",
    // The page is built here; a controller that runs from source builds it itself, with what no machine has.
    external: ["../../page/bundle"],
    write: false,
  });
  const [file] = outputFiles;
  if (!file) {
    throw new Error(`${FOLDER}: esbuild gave no output.`);
  }
  return file.contents;
}

function pageFiles(): ArtifactFile[] {
  const { bundlePage } = require("./page/bundle") as typeof import("./page/bundle");
  return bundlePage().map(({ path, content }) => ({ path: `page/${path}`, content }));
}
