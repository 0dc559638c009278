/** Bundles the page: from source in development, and into the controller's artifact. The bundled controller has no part of this module. */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** A file of the bundle: HTML at the top, what it loads below `assets/` under names that hold a hash of the content. */
export interface PageFile {
  readonly path: string;
  readonly content: Uint8Array;
}

const PAGES = ["index", "docs"] as const;

/** Bundles the page and the API reference. */
export function bundlePage(): PageFile[] {
  // Loaded only when there is something to build.
  const { buildSync } = require("esbuild") as typeof import("esbuild");
  const { outputFiles } = buildSync({
    absWorkingDir: __dirname,
    entryPoints: { index: "src/main.tsx", docs: "src/docs.ts" },
    entryNames: "[name]-[hash]",
    outdir: "assets",
    bundle: true,
    minify: true,
    format: "esm",
    // Browsers of the last three years.
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    write: false,
  });
  const assets = outputFiles.map(({ path, contents }) => ({ path: `assets/${basename(path)}`, content: contents }));
  const html = PAGES.map((page) => {
    const template = readFileSync(join(__dirname, "src", `${page}.html`), "utf8");
    const links = template.replace(/"\/assets\/(\w+)\.(js|css)"/g, (_link, name, kind) => {
      const asset = assets.find(({ path }) => path.startsWith(`assets/${name}-`) && path.endsWith(`.${kind}`));
      if (!asset) {
        throw new Error(`userdata/controller/page: ${page}.html asks for ${name}.${kind}, which esbuild did not give.`);
      }
      return `"/${asset.path}"`;
    });
    return { path: `${page}.html`, content: Buffer.from(links) };
  });
  return [...assets, ...html];
}
