/**
 * Bundles the front: the page's static files, and the server that Node runs.
 *
 * The page is written for React; Preact's compat stands behind the imports, as of the other pages here.
 */
import type { ArtifactFile } from "../../../modules/platform/artifact";
import { flatPage } from "../../../web/bundle";

const REACT = { react: "preact/compat", "react-dom/client": "preact/compat/client" };

/** The files of the image: `server.mjs`, and the page below `page/`. */
export function frontFiles(): ArtifactFile[] {
  const page = flatPage(__dirname, REACT).map((file) => ({ ...file, path: `page/${file.path}` }));
  return [{ path: "server.mjs", content: serverProgram() }, ...page];
}

function serverProgram(): Uint8Array {
  // Loaded only when there is something to build.
  const { buildSync } = require("esbuild") as typeof import("esbuild");
  const { outputFiles } = buildSync({
    absWorkingDir: __dirname,
    entryPoints: ["server/main.ts"],
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    legalComments: "none",
    write: false,
  });
  return outputFiles[0]?.contents ?? new Uint8Array();
}
