/** What stands beside every page: the pages by folder, with their own titles. */
import type { DefaultTheme } from "vitepress";
import { PAGES, titleOf } from "./pages.mts";

/** Folders with a heading of their own. A folder of docs/ that is added later comes after them, under its name. */
const HEADINGS: Readonly<Record<string, string>> = { operations: "Operations", decisions: "Decisions" };

/** The pages in groups: those of docs/ first, then its folders. */
export function sidebar(): DefaultTheme.SidebarItem[] {
  const pages = [...PAGES].filter(([, address]) => address !== "index.md");
  const folders = [...new Set(pages.map(([, address]) => folderOf(address)))].sort(
    (a, b) => orderOf(a) - orderOf(b) || a.localeCompare(b, "en"),
  );
  return folders.map((folder) => ({
    text: folder === "" ? "NanoGrid Cloud" : (HEADINGS[folder] ?? folder),
    collapsed: folder === "decisions",
    items: pages.filter(([, address]) => folderOf(address) === folder).map(([file, address]) => itemOf(file, address)),
  }));
}

function itemOf(file: string, address: string): DefaultTheme.SidebarItem {
  return {
    text: address.endsWith("/index.md") ? "Overview" : titleOf(file),
    link: `/${address.replace(/(?:index)?\.md$/, "")}`,
  };
}

/** `examples` has one page, which stands among those without a folder. */
function folderOf(address: string): string {
  const folder = address.includes("/") ? (address.split("/")[0] ?? "") : "";
  return folder === "examples" ? "" : folder;
}

function orderOf(folder: string): number {
  const known = ["", ...Object.keys(HEADINGS)].indexOf(folder);
  return known < 0 ? Number.MAX_SAFE_INTEGER : known;
}
