/** Bundles a page into static files. */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** What a page is made of. */
export interface PageSource {
  /** The page's folder; its HTML is in `src`. */
  readonly folder: string;
  /** Its HTML files by name, without `.html`, each with the module that it loads. */
  readonly entries: Readonly<Record<string, string>>;
  /** Folder of scripts and styles, in the result and in the HTML's links: `"/<assets>/<name>.js"`. */
  readonly assets: string;
  /** What stands behind an import of another name. @default - nothing */
  readonly alias?: Readonly<Record<string, string>>;
}

/** A file of the bundle: HTML at the top, what it loads below the folder of assets, under names that hold a hash of the content. */
export interface PageFile {
  readonly path: string;
  readonly content: Uint8Array;
}

/**
 * Bundles a page with esbuild, for browsers of the last three years.
 *
 * @throws Error when the HTML asks for a script or style that no entry gives
 */
export function bundlePage({ folder, entries, assets: assetFolder, alias = {} }: PageSource): PageFile[] {
  // Loaded only when there is something to build.
  const { buildSync } = require("esbuild") as typeof import("esbuild");
  const { outputFiles } = buildSync({
    absWorkingDir: folder,
    entryPoints: { ...entries },
    entryNames: "[name]-[hash]",
    outdir: assetFolder,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    alias: { ...alias },
    legalComments: "none",
    write: false,
  });
  const assets = outputFiles.map(({ path, contents }) => ({
    path: `${assetFolder}/${basename(path)}`,
    content: contents,
  }));
  const html = Object.keys(entries).map((page) => {
    const template = readFileSync(join(folder, "src", `${page}.html`), "utf8");
    const links = template.replace(new RegExp(`"/${assetFolder}/(\\w+)\\.(js|css)"`, "g"), (_link, name, kind) => {
      const asset = assets.find(({ path }) => path.startsWith(`${assetFolder}/${name}-`) && path.endsWith(`.${kind}`));
      if (!asset) {
        throw new Error(`${folder}/src/${page}.html asks for ${name}.${kind}, which esbuild did not give.`);
      }
      return `"/${asset.path}"`;
    });
    return { path: `${page}.html`, content: Buffer.from(links) };
  });
  return [...assets, ...html];
}

/**
 * Bundles a page of one HTML file, `src/index.html` with `src/main.tsx`, for a server that has no folders.
 *
 * @param folder the page's folder
 * @param alias what stands behind an import of another name
 * @returns the files, flat: `index.html` at `/`, the rest below `/page/`
 */
export function flatPage(folder: string, alias: Readonly<Record<string, string>> = {}): PageFile[] {
  const files = bundlePage({ folder, entries: { index: "src/main.tsx" }, assets: "page", alias });
  return files.map(({ path, content }) => ({ path: basename(path), content }));
}
