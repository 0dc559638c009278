/** The presign function as an artifact: one bundled file, `handler.js`, whose export `handler` Lambda calls (`handler.handler`). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Artifact, buildArtifact, filesBelow } from "../../modules/platform/artifact";

const FOLDER = "lambdas/presign";
/** What it has in common with other functions. */
const SHARED = "lambdas/shared";
/** Pins what the bundle takes in from dependencies. */
const LOCK = "package-lock.json";

/** Builds the function. */
export function presignArtifact(): Artifact {
  // This file is a source too: it holds the bundler's options.
  const sources = filesBelow(FOLDER, (path) => /^src\//.test(path) || path === "artifact.ts");
  const shared = filesBelow(SHARED).map(({ path, ...file }) => ({ ...file, path: `shared/${path}` }));
  return buildArtifact("presign", [...sources, ...shared, { path: LOCK, content: readFileSync(LOCK) }], () => [
    { path: "handler.js", content: bundle() },
  ]);
}

function bundle(): Uint8Array {
  // Loaded only when there is something to build: most synths have nothing.
  const { buildSync } = require("esbuild") as typeof import("esbuild");
  const { outputFiles } = buildSync({
    entryPoints: [join(FOLDER, "src", "handler.ts")],
    bundle: true,
    platform: "node",
    target: "node22",
    format: "cjs",
    // A cold start reads and compiles every byte of it.
    minify: true,
    legalComments: "none",
    write: false,
  });
  const [file] = outputFiles;
  if (!file) {
    throw new Error(`${FOLDER}: esbuild gave no output.`);
  }
  return file.contents;
}
