/** An inference function as an artifact: one bundled file, `handler.js`, whose export `handler` Lambda calls (`handler.handler`). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Artifact, type ArtifactFile, buildArtifact, filesBelow } from "../../modules/platform/artifact";

/** Pins what the bundle takes in from dependencies. */
const LOCK = "package-lock.json";
/**
 * What the MongoDB driver tries to load and does without: compression, encryption and sign-in by ways that are not used here. The role's
 * credentials are in variables, so that the chain of providers is not either.
 */
const OPTIONAL = [
  "@aws-sdk/credential-providers",
  "@mongodb-js/zstd",
  "gcp-metadata",
  "kerberos",
  "mongodb-client-encryption",
  "snappy",
  "socks",
];

/**
 * Builds a function.
 *
 * @param name its folder below lambdas, such as `inference-products`
 * @param files further files of the zip, which are part of what it is made from. @default - none
 */
export function inferenceArtifact(name: string, files: () => readonly ArtifactFile[] = () => []): Artifact {
  const folder = join("lambdas", name);
  const sources = [folder, "lambdas/inference-shared", "lambdas/shared"].flatMap((each) =>
    // The bundler's options are sources too.
    filesBelow(each, (path) => path.endsWith(".ts") && !path.startsWith("page/")).map((file) => ({
      ...file,
      path: `${each}/${file.path}`,
    })),
  );
  const more = files();
  const inputs = [...sources, ...more, { path: LOCK, content: readFileSync(LOCK) }];
  return buildArtifact(name, inputs, () => [{ path: "handler.js", content: bundle(folder) }, ...more]);
}

function bundle(folder: string): Uint8Array {
  // Loaded only when there is something to build: most synths have nothing.
  const { buildSync } = require("esbuild") as typeof import("esbuild");
  const { outputFiles } = buildSync({
    entryPoints: [join(folder, "src", "handler.ts")],
    bundle: true,
    platform: "node",
    target: "node22",
    format: "cjs",
    // A cold start reads and compiles every byte of it.
    minify: true,
    legalComments: "none",
    external: OPTIONAL,
    logLevel: "error",
    write: false,
  });
  const [file] = outputFiles;
  if (!file) {
    throw new Error(`${folder}: esbuild gave no output.`);
  }
  return file.contents;
}
