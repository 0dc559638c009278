/**
 * `npm run docs:screenshots [-- --out <folder>]`: writes the pictures of the pages that the docs show, light and dark, wide and on a phone,
 * with data that is always the same. Needs Chromium, and for Denoise's page ONNX Runtime.
 */
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Command } from "commander";
import { type Browser, chromium, type Page } from "playwright-core";
import { type DenoiseFixture, denoiseFixture } from "./support/denoise/page-fixtures";
import { fixtureApp, NOW, PLACES } from "./support/page-fixtures";
import { Problem, runCommand } from "./support/problem";
import { which } from "./support/shell";

const WIDE = { width: 1_280, height: 860 };
const PHONE = { width: 360, height: 740 };
/** Denoise's image fits into it whole. */
const SQUARE = { width: 960, height: 860 };
const LIMIT_MS = 20_000;

/** How a page is looked at. */
interface Look {
  readonly name: string;
  readonly scheme: "light" | "dark";
  readonly viewport: typeof WIDE;
}

/** One picture of the controller's page. */
interface Shot extends Look {
  readonly place: string;
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

const DENOISE_SHOTS: readonly Look[] = [
  { name: "denoise-page-light", scheme: "light", viewport: SQUARE },
  { name: "denoise-page-dark", scheme: "dark", viewport: SQUARE },
  { name: "denoise-page-phone", scheme: "light", viewport: PHONE },
];

const program = new Command("npm run docs:screenshots --")
  .description("Writes the pictures of the pages that the docs show.")
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
  // Chromium's own sandbox does not start for root.
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const browser = await chromium.launch({ executablePath, args, timeout: LIMIT_MS });
  const each = async (look: Look, show: (page: Page) => Promise<void>) => {
    const file = join(out, `${look.name}.png`);
    await take(browser, look, file, show);
    process.stdout.write(`${file} is written.\n`);
  };
  try {
    await withServer(fixtureApp(), async (url) => {
      for (const shot of SHOTS) {
        await each(shot, (page) => showController(page, url, shot));
      }
    });
    const denoise = denoiseFixture();
    await withServer(denoise.app, async (url) => {
      for (const look of DENOISE_SHOTS) {
        await each(look, (page) => showDenoise(page, url, denoise));
      }
    });
  } finally {
    await browser.close();
  }
}

async function withServer(app: RequestListener, use: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function take(
  browser: Browser,
  { scheme, viewport }: Look,
  file: string,
  show: (page: Page) => Promise<void>,
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
  await show(page);
  await page.screenshot({ path: file, fullPage: true, caret: "hide" });
  await context.close();
}

async function showController(page: Page, url: string, { place, act }: Shot): Promise<void> {
  await page.addInitScript(() => sessionStorage.setItem("nanogrid-key", "ng_of-the-pictures"));
  await page.goto(`${url}/#/${place}`);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.waitForFunction(() => document.querySelector(".rows, .cm-content, .log")?.textContent);
  await act?.(page);
}

/** A file chosen and denoised, with the divider in the middle. */
async function showDenoise(page: Page, url: string, { file }: DenoiseFixture): Promise<void> {
  await page.goto(url);
  await page.getByLabel("powerful, for quality").check();
  await page.getByLabel("Image", { exact: true }).setInputFiles(file);
  await page.getByRole("button", { name: "Denoise", exact: true }).click();
  await page.getByRole("link", { name: "Download the result" }).waitFor();
}

void program.parseAsync();
