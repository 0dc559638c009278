import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundlePage } from "../../web/bundle";
import { removeScratch, scratchFolder } from "../local/scratch";

afterEach(removeScratch);

function page(html: string, module = 'document.title = "Page";') {
  const folder = scratchFolder();
  mkdirSync(join(folder, "src"));
  writeFileSync(join(folder, "src", "index.html"), html);
  writeFileSync(join(folder, "src", "main.ts"), module);
  return { folder, entries: { index: "src/main.ts" }, assets: "assets" };
}

test("the HTML loads its script under a name that changes with the content", () => {
  const html = '<script type="module" src="/assets/index.js"></script>';

  const [script, index] = bundlePage(page(html));
  const [other] = bundlePage(page(html, 'document.title = "Another";'));

  expect(script?.path).toMatch(/^assets\/index-[0-9A-Z]{8}\.js$/);
  expect(index).toMatchObject({
    path: "index.html",
    content: Buffer.from(html.replace("assets/index.js", script?.path ?? "")),
  });
  expect(other?.path).not.toBe(script?.path);
});

test("HTML that asks for a style which no module imports is refused, by its name", () => {
  const source = page('<link rel="stylesheet" href="/assets/index.css">');

  expect(() => bundlePage(source)).toThrow(
    `${source.folder}/src/index.html asks for index.css, which esbuild did not give.`,
  );
});
