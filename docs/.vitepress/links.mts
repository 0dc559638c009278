/**
 * Links as the repository has them, led to where the site has what they name. A link to a file that is no page leads to the repository
 * where its address is known, and else is plain text; a link to nothing fails the build. Words in brackets stay words.
 */
import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import type { MarkdownRenderer } from "vitepress";
import { PAGES, PROJECT } from "./pages.mts";

type Token = ReturnType<MarkdownRenderer["parse"]>[number];

/** GitHub's anchor of a heading, so that a link to one works in both places. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_\- ]/gu, "")
    .replaceAll(" ", "-");
}

/**
 * @param markdown the renderer of the pages
 * @param repository address of the repository's files, such as `https://github.com/<owner>/<name>/blob/main`; "" where there is none
 */
export function leadLinks(markdown: MarkdownRenderer, repository: string): void {
  markdown.core.ruler.push("repository-links", ({ tokens, env }) => {
    const page = (env as { readonly realPath?: string; readonly path: string }).realPath ?? env.path;
    const file = posix.relative(PROJECT, page);
    for (const token of tokens) {
      if (token.type === "html_block") {
        token.content = withPlainSources(token.content);
      }
      for (const child of token.children ?? []) {
        showUnknownTags(child);
        lead(child, file, repository);
      }
      token.children = token.children?.filter(({ type }) => type !== "gone") ?? token.children;
    }
  });
}

/** Vue takes a source that begins with a dot for a file beside the page. */
function withPlainSources(html: string): string {
  return html.replace(/(src|srcset)="(?![a-z]+:|[./])/g, '$1="./');
}

/** Tags that pages use. Others, such as `<stack>`, are words in brackets, which Vue would take for components. */
const TAGS = /^<(?:!--|\/?(?:a|br|code|details|em|img|kbd|picture|source|strong|sub|summary|sup)\b)/;

function showUnknownTags(token: Token): void {
  if (token.type === "html_inline" && !TAGS.test(token.content)) {
    token.type = "text";
  }
}

/** Openings of links that lead nowhere on the site: what closes next is theirs. */
let closing = 0;

function lead(token: Token, page: string, repository: string): void {
  if (token.type === "link_close" && closing > 0) {
    closing--;
    token.type = "gone";
    return;
  }
  const href = token.type === "link_open" ? (token.attrGet("href") ?? "") : "";
  if (href === "" || /^(?:[a-z]+:|#)/.test(href)) {
    return;
  }
  const [path = "", anchor] = href.split("#");
  const target = posix.join(posix.dirname(page), decodeURIComponent(path)).replace(/\/$/, "");
  const known = PAGES.get(target) ?? PAGES.get(`${target}/README.md`);
  if (known !== undefined) {
    token.attrSet("href", `/${known}${anchor === undefined ? "" : `#${anchor}`}`);
  } else if (!existsSync(join(PROJECT, target))) {
    throw new Error(`${page}: its link ${href} leads to ${target}, which does not exist. Mend the link.`);
  } else if (repository === "") {
    token.type = "gone";
    closing++;
  } else {
    token.attrSet("href", `${repository}/${target}`);
  }
}
