/** The site of the docs, built as `npm run docs:site` builds it and read in a browser. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { which } from "../../commands/support/shell";
import { describeUnless } from "../support/tools";

const BUILD_MS = 240_000;
const BASE = "/nanogrid-cloud/";
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
};

const CHROMIUM = which("chromium", process.env) ?? which("google-chrome", process.env);

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "site-"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function build(project: string, ...args: string[]): { status: number | null; said: string } {
  const command = ["--import", "tsx", "commands/site.ts", ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    cwd: project,
    encoding: "utf8",
    timeout: BUILD_MS,
  });
  return { status, said: stdout + stderr };
}

describeUnless(CHROMIUM ? undefined : "the site in a browser: needs Chromium (Debian: apt-get install chromium)")(
  "the built site",
  () => {
    let server: Server;
    let browser: Browser;
    let home: string;
    let page: Page;
    /** What was asked of any host. */
    const asked: string[] = [];
    const failed: string[] = [];

    beforeAll(async () => {
      const out = join(folder, "dist");
      const { status, said } = build(".", "--base", BASE, "--out", out);
      expect(status === 0 ? "built" : said).toBe("built");
      server = createServer((request, response) => {
        const path = decodeURIComponent(new URL(request.url ?? "/", "http://site").pathname);
        const file = resolve(out, path.slice(BASE.length) || "index.html");
        try {
          const body = readFileSync(path.endsWith("/") ? join(file, "index.html").replace("index.html/", "") : file);
          response.writeHead(200, { "content-type": TYPES[extname(file) || ".html"] ?? "application/octet-stream" });
          response.end(body);
        } catch {
          failed.push(path);
          response.writeHead(404).end();
        }
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      home = `http://127.0.0.1:${(server.address() as AddressInfo).port}${BASE}`;
      const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
      browser = await chromium.launch({ executablePath: CHROMIUM as string, args });
      const context = await browser.newContext({ colorScheme: "dark" });
      context.setDefaultTimeout(20_000);
      context.on("request", (request) => asked.push(request.url()));
      page = await context.newPage();
    }, BUILD_MS);

    afterAll(async () => {
      await browser?.close();
      server?.closeAllConnections();
      server?.close();
    });

    test("finds the page of a question, and opens it", async () => {
      await page.goto(`${home}index.html`);
      await page.getByRole("button", { name: "Search" }).first().click();
      await page.getByRole("searchbox").fill("redrive dead letters");
      await page.locator('.VPLocalSearchBox .result[href*="operations/dead-letters"]').first().click();
      await page.waitForURL(/operations\/dead-letters/);
      expect(await page.getByRole("heading", { level: 1 }).textContent()).toContain(
        "nanogrid-task-queue-dlq-not-empty",
      );
    });

    test("follows the README's links to its own pages, and shows the generated pictures", async () => {
      await page.goto(`${home}index.html`);
      await page.locator("main").getByRole("link", { name: "Every setting", exact: false }).first().click();
      await page.waitForURL(/settings\.html/);
      await page.goto(`${home}architecture.html`);
      const picture = page.locator('main img[src*="stacks"]');
      await picture.scrollIntoViewIfNeeded();
      await page.waitForFunction(() => document.querySelector<HTMLImageElement>('main img[src*="stacks"]')?.complete);
      expect(await picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(500);
    });

    test("is dark where the reader's pages are", async () => {
      await page.goto(`${home}operations/index.html`);
      expect(await page.locator("html").getAttribute("class")).toContain("dark");
    });

    test("asks no other host for anything, and for nothing that is not there", () => {
      expect(asked.length).toBeGreaterThan(10);
      expect(asked.filter((url) => !url.startsWith(home) && !url.startsWith("data:"))).toEqual([]);
      expect(failed.filter((path) => !path.endsWith("favicon.ico"))).toEqual([]);
    });
  },
);

test(
  "a link that leads nowhere fails the build, and is named",
  () => {
    const copy = join(folder, "copy");
    const own = ["docs", "README.md", "examples"];
    for (const name of own) {
      cpSync(name, join(copy, name), { recursive: true, filter: (file) => !file.includes("/dist") });
    }
    for (const name of readdirSync(".").filter((name) => !own.includes(name) && name !== ".local")) {
      symlinkSync(resolve(name), join(copy, name));
    }
    writeFileSync(join(copy, "docs", "broken.md"), "# Broken\n\nSee [what is gone](operations/gone.md).\n");
    const { status, said } = build(copy, "--out", join(folder, "broken"));
    expect(status).toBe(1);
    expect(said).toContain(
      "docs/broken.md: its link operations/gone.md leads to docs/operations/gone.md, which does not exist",
    );
  },
  BUILD_MS,
);
