/**
 * The site of the docs: every page of docs/, the README as its home, and a search that runs in the browser. `npm run docs:site` builds it.
 *
 * `SITE_REPOSITORY` is where links to source files lead (see links.mts).
 */
import { join } from "node:path";
import { defineConfig, type MarkdownRenderer } from "vitepress";
import { anchorOf, leadLinks } from "./links.mts";
import { PAGES, PROJECT, WITHOUT_PAGES } from "./pages.mts";
import { sidebar } from "./sidebar.mts";

export default defineConfig({
  title: "NanoGrid Cloud",
  description: "Multi-cloud AI infrastructure as one CDKTF application, and the programs that run in it",
  lang: "en",
  srcDir: "..",
  srcExclude: [...WITHOUT_PAGES, "examples/*/**"],
  cacheDir: join(PROJECT, ".local", "vitepress"),
  rewrites: Object.fromEntries([...PAGES].filter(([file, address]) => file !== address)),
  cleanUrls: false,
  // A link that leads nowhere is an error of the docs.
  ignoreDeadLinks: [/^http:\/\/127\.0\.0\.1/],
  markdown: {
    anchor: { slugify: anchorOf },
    config: (markdown) => {
      leadLinks(markdown, process.env.SITE_REPOSITORY ?? "");
      showDiagramsAsText(markdown);
    },
  },
  themeConfig: {
    nav: [
      { text: "Architecture", link: "/architecture" },
      { text: "Operations", link: "/operations/" },
      { text: "Settings", link: "/settings" },
      { text: "Decisions", link: "/decisions/" },
    ],
    sidebar: sidebar(),
    outline: [2, 3],
    search: { provider: "local", options: { detailedView: true } },
  },
});

/** GitHub draws Mermaid; here the diagram's text, which reads as sentences, is shown. */
function showDiagramsAsText(markdown: MarkdownRenderer): void {
  markdown.core.ruler.push("diagrams-as-text", ({ tokens }) => {
    for (const token of tokens.filter(({ type, info }) => type === "fence" && info === "mermaid")) {
      token.info = "text";
    }
  });
}
