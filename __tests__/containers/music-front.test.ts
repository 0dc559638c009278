/** The Music pipeline's front in a real browser, over the real services and pipeline with their small models. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { which } from "../../commands/support/shell";
import { frontFiles } from "../../containers/music/front/build";
import { Sessions } from "../../containers/music/front/server/session";
import { readSettings } from "../../containers/music/front/server/settings";
import { MUSIC_SERVICES, musicServices } from "../../local/phases/music-programs";
import { logOf, type Places, placesOf } from "../../local/places";
import { findService, identityOf, startService, stopService } from "../../local/services";
import { freePort, until } from "../support/servers";
import { describeUnless } from "../support/tools";

const BROWSER = which("chromium", process.env) ?? which("google-chrome", process.env);
const NO_BROWSER =
  BROWSER === undefined ? "no Chromium on PATH. Install it (Debian: apt-get install chromium)." : undefined;
const PYTHON = process.env.NANOGRID_MUSIC_DEV_PYTHON;
const NO_PYTHON = PYTHON === undefined ? "NANOGRID_MUSIC_DEV_PYTHON names no Python with the programs." : undefined;
const SPEECH = readFileSync("examples/speech.ogg");
const WAIT_MS = 60_000;
jest.setTimeout(120_000);

describeUnless(NO_PYTHON ?? NO_BROWSER)("music front", () => {
  let folder: string;
  let places: Places;
  let url: string;
  let browser: Browser;
  const complaints: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "music-front-"));
    places = placesOf(folder);
    const names = ["front", "back", "first", "second", "pipelines"] as const;
    const ports = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await freePort()])));
    url = `http://127.0.0.1:${ports.front}`;
    const setup = { project: process.cwd(), python: PYTHON ?? "", folder, ports, env: process.env };
    const { signal } = new AbortController();
    const started = musicServices(setup).map((spec) => startService(places, spec, signal));
    const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    browser = await chromium.launch({ executablePath: BROWSER, args, timeout: 60_000 });
    await Promise.all(started);
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all(MUSIC_SERVICES.map((name) => stopService(places, name, 15_000)));
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    expect(complaints.splice(0)).toEqual([]);
  });

  async function open(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ acceptDownloads: true, reducedMotion: "reduce", ...options });
    context.setDefaultTimeout(WAIT_MS);
    const page = await context.newPage();
    page.on("pageerror", (error) => complaints.push(`error: ${error}`));
    page.on("console", (message) => {
      // A refused request is no error of the page.
      if (message.type() === "error" && !/Failed to load resource/.test(message.text())) {
        complaints.push(`console: ${message.text()}`);
      }
    });
    page.on("request", (asked) => {
      if (!asked.url().startsWith(url) && !asked.url().startsWith("data:")) {
        complaints.push(`asks elsewhere: ${asked.url()}`);
      }
    });
    await page.goto(url);
    return page;
  }

  const choose = (page: Page, name: string, buffer: Buffer) =>
    page.getByLabel("Recording", { exact: true }).setInputFiles({ name, mimeType: "audio/ogg", buffer });
  const make = (page: Page) => page.getByRole("button", { name: "Make music" }).click();
  const done = (page: Page) => page.getByRole("status").filter({ hasText: "Done" }).waitFor();
  async function violations(page: Page): Promise<string[]> {
    // Through the debugger, which the page's policy does not bind.
    await page.evaluate(axe.source);
    const { violations: found } = await page.evaluate(() => (window as unknown as { axe: typeof axe }).axe.run());
    return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  }

  test("a recording becomes words, a mood and candidates that play; another user sees nothing of it", async () => {
    const page = await open();
    expect(await violations(page)).toEqual([]);
    expect(await page.getByRole("button", { name: "Make music" }).isDisabled()).toBe(true);
    await choose(page, `<img src=x onerror=alert(1)>.ogg`, SPEECH);
    await page.getByLabel("Candidates").fill("2");
    await page.getByLabel("Seconds").fill("4");
    await make(page);
    await done(page);
    const result = page.getByRole("region", { name: "Result" });
    expect(await result.textContent()).toMatch(/happy to see you today.*Mood: joyful/);
    expect(await page.locator("img").count()).toBe(0);
    const heard = await page.locator("audio").evaluateAll((players) =>
      Promise.all(
        (players as HTMLAudioElement[]).map(async (player) => {
          player.muted = true;
          await player.play();
          await new Promise((resolve) => player.addEventListener("timeupdate", resolve, { once: true }));
          player.currentTime = 3;
          await new Promise((resolve) => player.addEventListener("seeked", resolve, { once: true }));
          return [player.duration, player.currentTime >= 3, player.error];
        }),
      ),
    );
    expect(heard).toEqual([
      [4, true, null],
      [4, true, null],
    ]);
    const downloads = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download" }).first().click();
    const download = await downloads;
    expect(download.suggestedFilename()).toBe("candidate-1.wav");
    expect(
      readFileSync(await download.path())
        .subarray(0, 4)
        .toString(),
    ).toBe("RIFF");
    expect(await violations(page)).toEqual([]);

    const href = await page.locator("audio").first().getAttribute("src");
    const other = await open({ colorScheme: "dark", viewport: { width: 360, height: 740 } });
    expect(await other.getByRole("region", { name: "Your runs" }).count()).toBe(0);
    expect(await other.evaluate(async (path) => (await fetch(path)).status, href ?? "")).toBe(404);

    await page.reload();
    const mine = page.getByRole("region", { name: "Your runs" });
    await mine.getByRole("button", { name: /^<img/ }).click();
    await page.locator("audio").first().waitFor();
    await mine.getByRole("button", { name: /^Delete/ }).click();
    await mine.waitFor({ state: "detached" });
    expect(await page.evaluate(async (path) => (await fetch(path)).status, href ?? "")).toBe(404);
  });

  test("what the service refuses is told with its remedy, at any width and in the dark", async () => {
    const page = await open({ colorScheme: "dark", viewport: { width: 360, height: 740 } });
    await choose(page, "speech.wav", Buffer.from("no sound at all"));
    await make(page);
    const alert = page.getByRole("alert");
    await alert.waitFor();
    expect(await alert.textContent()).toMatch(
      /format is not supported.*Send WAV, FLAC, OGG or MP3.*request [0-9a-f]{32}/,
    );
    expect(await violations(page)).toEqual([]);
    const [scroll, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(scroll).toBeLessThanOrEqual(room ?? 0);
  });

  test("the session is out of reach of scripts, and what comes from elsewhere is refused", async () => {
    const page = await open();
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({ name: "music", httpOnly: true, sameSite: "Strict" });
    expect(await page.evaluate(() => document.cookie)).toBe("");
    const headers = { cookie: `music=${cookie?.value}` };
    const status = async (path: string, init: RequestInit) => (await fetch(url + path, init)).status;
    expect(await status("/api/runs", { headers })).toBe(200);
    expect(await status("/api/runs", {})).toBe(401);
    expect(await status("/api/runs", { headers: { cookie: `music=${cookie?.value.slice(0, -1)}x` } })).toBe(401);
    expect(await status("/api/runs", { headers: { authorization: "Bearer forged" } })).toBe(401);
    const elsewhere = { ...headers, origin: "https://example.com" };
    expect(await status("/api/runs", { method: "POST", body: SPEECH, headers: elsewhere })).toBe(403);
    expect(await status("/api/runs", { method: "PUT", body: "x", headers })).toBe(405);
    expect(await status("/page/..%2Fserver.mjs", {})).toBe(404);
    expect(await status("/livez", {})).toBe(200);
  });

  test("an upload over the limit is answered, however it is sent, and the front lives on", async () => {
    const page = await open();
    const [cookie] = await page.context().cookies();
    const headers = { cookie: `music=${cookie?.value}`, "content-length": String(60 * 1024 ** 2) };
    const status = await new Promise((resolve, reject) => {
      const upload = request(`${url}/api/runs`, { method: "POST", headers }, (answer) => {
        resolve(answer.statusCode);
        upload.destroy();
      });
      upload.on("error", reject);
      upload.write(Buffer.alloc(1024));
    });
    expect(status).toBe(413);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  test("without its back the front says so; told to end, it ends, and every line of its log is JSON", async () => {
    const page = await open();
    const front = findService(places, "music-front");
    await stopService(places, "music-back", 15_000);
    await choose(page, "speech.ogg", SPEECH);
    await make(page);
    await page.getByRole("alert").filter({ hasText: "The back does not answer." }).waitFor();
    await page.context().close();
    process.kill(front?.pid ?? 0, "SIGTERM");
    await until("the front has ended", () => identityOf(front?.pid ?? 0) === undefined);
    const lines = readFileSync(logOf(places, "music-front"), "utf8").trim().split("\n");
    expect(lines.map((line) => JSON.parse(line).event)).toContain("leaving");
  });
});

describe("music front: settings and sessions", () => {
  const KEY = "k".repeat(32);

  test("wrong settings are all named, and the key never shown", () => {
    const env = { MUSIC_SESSION_KEY: "short", MUSIC_PORT: "x", MUSIC_BACK: "back:8000/x", MUSIC_SECURE_COOKIE: "yes" };
    expect(() => readSettings(env)).toThrow(
      /^MUSIC_BACK: .*\nMUSIC_SESSION_KEY: (?!.*short).*\nMUSIC_SECURE_COOKIE: .*\nMUSIC_PORT: .*$/,
    );
    expect(readSettings({ MUSIC_SESSION_KEY: KEY })).toMatchObject({ port: 8080, secure: true, drainS: 60 });
  });

  test("a session ends, is one key's alone, and by https is bound to its host", () => {
    const sessions = new Sessions(KEY, true);
    const cookie = sessions.newCookie();
    expect(cookie).toMatch(/^__Host-music=[0-9a-f]{32}\.\d+\.[\w-]+; Path=\/; .*HttpOnly; SameSite=Strict; Secure$/);
    const sent = `other=1; ${cookie.split(";")[0]}`;
    expect(sessions.userOf(sent)).toMatch(/^[0-9a-f]{32}$/);
    expect(new Sessions("j".repeat(32), true).userOf(sent)).toBeUndefined();
    jest.useFakeTimers({ now: Date.now() + 31 * 86_400_000 });
    expect(sessions.userOf(sent)).toBeUndefined();
    jest.useRealTimers();
  });

  test("the files are the same bytes when they are built again, and the page loads no others", () => {
    const [first, second] = [frontFiles(), frontFiles()];
    expect(second).toEqual(first);
    const html = Buffer.from(first.find(({ path }) => path === "page/index.html")?.content ?? []).toString();
    const loaded = [...html.matchAll(/"\/(page\/[^"]+)"/g)].map(([, path]) => path);
    expect(loaded.sort()).toEqual(
      first
        .map(({ path }) => path)
        .filter((path) => !["page/index.html", "server.mjs"].includes(path))
        .sort(),
    );
    expect(html).not.toMatch(/<script>|style=| on\w+=/);
  });
});
