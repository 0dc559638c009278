/** Bundles the page: from source in development, and into the controller's artifact. The bundled controller has no part of this module. */
import { bundlePage as bundle, type PageFile } from "../../../web/bundle";

export type { PageFile };

/** Bundles the page and the API reference. */
export function bundlePage(): PageFile[] {
  return bundle({ folder: __dirname, entries: { index: "src/main.tsx", docs: "src/docs.ts" }, assets: "assets" });
}
