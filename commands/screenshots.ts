/**
 * `npm run docs:screenshots [-- --out <folder>]`: writes the pictures of the page that the docs show, light and dark, wide and on a phone,
 * with data that is always the same. Needs Chromium.
 */
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Command } from "commander";
import { type Browser, chromium, type Page } from "playwright-core";
import { fixtureApp, NOW, PLACES } from "./support/page-fixtures";
import { Problem, runCommand } from "./support/problem";
import { which } from "./support/shell";

const WIDE = { width: 1_280, height: 860 };
const PHONE = { width: 360, height: 740 };
const LIMIT_MS = 20_000;

/** One picture. */
interface Shot {
  readonly name: string;
  readonly place: string;
  readonly scheme: "light" | "dark";
  readonly viewport: typeof WIDE;
  /** What is done on the page before. @default - nothing */
  readonly act?: (page: Page) => Promise<unknown>;
}

const run = async (page: Page) => {
  await page.getByLabel("Event, JSON").fill('{\n  "image": "iVBORw0KGgoAAAANSUhEUgAACWAAAAZACAIAAAB…"\n}');
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByRole("heading", { name: "Figures" }).waitFor();
};

const SHOTS: readonly Shot[] = [
  { name: "page-functions-light", place: "functions", scheme: "light", viewport: WIDE },
  { name: "page-function-light", place: PLACES.thumbnail, scheme: "light", viewport: WIDE, act: run },
  { name: "page-function-dark", place: PLACES.thumbnail, scheme: "dark", viewport: WIDE, act: run },
  { name: "page-jobs-dark", place: "jobs", scheme: "dark", viewport: WIDE },
  { name: "page-service-light", place: "service", scheme: "light", viewport: WIDE },
  { name: "page-job-phone", place: PLACES.running, scheme: "light", viewport: PHONE },
  { name: "page-jobs-phone-dark", place: "jobs", scheme: "dark", viewport: PHONE },
];

const program = new Command("npm run docs:screenshots --")
  .description("Writes the pictures of the page that the docs show.")
  .option("--out <folder>", "where to write them", join("docs", "images"))
  .action(async ({ out }: { out: string }) => {
    await runCommand(() => takeAll(out));
  });

async function takeAll(out: string): Promise<void> {
  const executablePath = which("chromium", process.env) ?? which("google-chrome", process.env);
  if (!executablePath) {
    throw new Problem("Chromium is not on PATH.", "Install it (Debian: apt-get install chromium).");
  }
  mkdirSync(out, { recursive: true });
  const server = createServer(fixtureApp()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // Chromium's own sandbox does not start for root.
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const browser = await chromium.launch({ executablePath, args, timeout: LIMIT_MS });
  try {
    for (const shot of SHOTS) {
      await take(browser, url, shot, join(out, `${shot.name}.png`));
      process.stdout.write(`${join(out, `${shot.name}.png`)} is written.\n`);
    }
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
}

async function take(
  browser: Browser,
  url: string,
  { place, scheme, viewport, act }: Shot,
  file: string,
): Promise<void> {
  const context = await browser.newContext({
    viewport,
    colorScheme: scheme,
    reducedMotion: "reduce",
    timezoneId: "UTC",
    locale: "en-GB",
  });
  context.setDefaultTimeout(LIMIT_MS);
  const page = await context.newPage();
  await page.clock.setFixedTime(NOW);
  await page.addInitScript(() => sessionStorage.setItem("nanogrid-key", "ng_of-the-pictures"));
  await page.goto(`${url}/#/${place}`);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.waitForFunction(() => document.querySelector(".rows, .cm-content, .log")?.textContent);
  await act?.(page);
  await page.screenshot({ path: file, fullPage: true, caret: "hide" });
  await context.close();
}

void program.parseAsync();
