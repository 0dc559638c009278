/** The page in a real browser, against a real controller. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import axe from "axe-core";
import { strFromU8, unzipSync } from "fflate";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { which } from "../../../commands/support/shell";
import { controllerArtifact } from "../../../userdata/controller/artifact";
import { Player } from "../../cli/player";
import { freePort, motoMissing, until } from "../../support/servers";
import { describeUnless } from "../../support/tools";
import { type Controller, HELLO, World } from "./world";

const BROWSER = which("chromium", process.env) ?? which("google-chrome", process.env);
const CODE_BUCKET = "nanogrid-code-bucket";
const WAIT_MS = 20_000;
/** A browser on a busy machine takes its time. */
jest.setTimeout(120_000);

const missing =
  BROWSER === undefined ? "no Chromium on PATH. Install it (Debian: apt-get install chromium)." : undefined;

describeUnless(motoMissing() ?? missing)("page", () => {
  let world: World;
  let controller: Controller;
  let player: Player;
  let browser: Browser;
  /** What the browser has to complain about, on every page of the test that runs. */
  let complaints: string[] = [];
  const outside = new Set<string>();

  beforeAll(async () => {
    world = await World.create();
    controller = await world.controller();
    player = new Player(world);
    player.start();
    const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    browser = await chromium.launch({ executablePath: BROWSER, args, timeout: 60_000 });
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    await player?.stop();
    await world?.close();
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    const said = complaints;
    complaints = [];
    expect(said).toEqual([]);
    expect([...outside]).toEqual([]);
  });

  /** Opens a place of the page, signed in unless the key is null. */
  async function open(place = "", options: BrowserContextOptions = {}, key: string | null = world.key): Promise<Page> {
    const context = await browser.newContext({ acceptDownloads: true, reducedMotion: "reduce", ...options });
    context.setDefaultTimeout(WAIT_MS);
    const page = await context.newPage();
    page.on("pageerror", (error) => complaints.push(`error: ${error}`));
    page.on("console", (message) => {
      // A refused request, such as that of a wrong key, is no error of the page.
      if (message.type() === "error" && !/Failed to load resource/.test(message.text())) {
        complaints.push(`console: ${message.text()}`);
      }
    });
    page.on("request", (request) => {
      if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(controller.url)) {
        outside.add(request.url());
      }
    });
    if (key !== null) {
      await page.addInitScript((value) => sessionStorage.setItem("nanogrid-key", value), key);
    }
    await page.goto(`${controller.url}/${place}`);
    return page;
  }

  async function createFunction(name: string, fields: object = {}): Promise<string> {
    const { body } = await controller.call("POST", "/v1/functions", { json: { name, code: HELLO, ...fields } });
    return body.functionId;
  }

  /** Replaces the text of an editor as a person does. */
  async function write(page: Page, label: string, text: string): Promise<void> {
    await page.getByLabel(label).press("Control+A");
    await page.keyboard.press("Delete");
    await page.keyboard.insertText(text);
  }

  async function run(page: Page, event: object): Promise<void> {
    await write(page, "Event, JSON", JSON.stringify(event));
    await page.getByRole("button", { name: "Run", exact: true }).click();
  }

  const jobOf = (page: Page) => page.getByRole("region", { name: /^Job job_/ });

  async function violations(page: Page): Promise<string[]> {
    // Through the debugger, which the page's policy does not bind.
    await page.evaluate(axe.source);
    const { violations: found } = await page.evaluate(() => (window as unknown as { axe: typeof axe }).axe.run());
    return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  }

  test("one signs in with a key, which is kept in the tab alone, and signs out again", async () => {
    const page = await open("", {}, null);
    await page.getByLabel("API key").fill(`ng_${"x".repeat(43)}`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").filter({ hasText: "not known here" }).waitFor();
    await page.getByLabel("API key").fill(world.key);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Functions" }).waitFor();

    const kept = await page.evaluate(() => [
      Object.values(sessionStorage),
      Object.values(localStorage),
      document.cookie,
    ]);
    expect(kept).toEqual([[world.key], [], ""]);
    await page.reload();
    await page.getByRole("heading", { name: "Functions" }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("API key").waitFor();
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
  });

  test("a key that is no longer valid leads back to where one signs in", async () => {
    const page = await open("#/jobs", {}, `ng_${"z".repeat(43)}`);
    await page.getByText("This key is no longer valid.").waitFor();
  });

  test("a function is written, created, run with a live log, and its result says time, memory and files", async () => {
    const page = await open("#/functions");
    await page.getByRole("link", { name: "New function" }).first().click();
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("written-here");
    await write(page, "Code of main.py", "def handler(event): return 42");
    await page.getByLabel("Environment").fill("MODE=fast\nEMPTY=");
    await page.getByRole("button", { name: "Create function" }).click();
    await page.getByRole("heading", { name: "written-here" }).waitFor();

    const functionId = page.url().split("/").pop() ?? "";
    const zip = await world.object(CODE_BUCKET, `functions/default/${functionId}/1.zip`);
    expect(strFromU8(unzipSync(zip)["main.py"] ?? new Uint8Array())).toBe("def handler(event): return 42");
    const { body: fn } = await controller.call("GET", `/v1/functions/${functionId}`);
    expect(fn).toMatchObject({
      name: "written-here",
      memoryMb: 256,
      environment: { MODE: "fast", EMPTY: "" },
      egress: false,
    });

    await run(page, { hold: true, say: ["line one\n"] });
    const job = jobOf(page);
    await job.getByRole("log").filter({ hasText: "line one" }).waitFor();
    await job.getByRole("status").filter({ hasText: "running" }).waitFor();
    const jobId = (await job.getAttribute("aria-label"))?.replace("Job ", "") ?? "";
    await world.log(jobId, "line two\n");
    await job.getByRole("log").filter({ hasText: "line two" }).waitFor();
    await job.getByRole("button", { name: "Cancel" }).click();
    await job.getByRole("status").filter({ hasText: "cancelled" }).waitFor();
    expect(await job.getByRole("log").textContent()).toBe("line one\nline two\n");

    const result = { peak_memory_mb: 38.2, suggested_memory_mb: 64, duration_ms: 1_234, queue_ms: 56 };
    await run(page, { output: { answer: 42 }, say: ["all\n"], files: { "out/a.txt": "content of a" }, result });
    await job.getByRole("status").filter({ hasText: "done" }).waitFor();
    const text = await job.textContent();
    expect(text).toContain("Used 38 of 256 MiB; 64 would do.");
    expect(text).toContain('"answer": 42');
    expect(text).toContain("1.2 s");
    expect(text).toContain("56 ms");
    const downloads = page.waitForEvent("download");
    await job.getByRole("button", { name: "out/a.txt" }).click();
    const download = await downloads;
    expect(download.suggestedFilename()).toBe("a.txt");
    expect(readFileSync(await download.path(), "utf8")).toBe("content of a");
    await page.getByRole("heading", { name: "Latest jobs" }).waitFor();
    await page.locator(".rows tbody tr").nth(1).waitFor();
  });

  test("a failed run shows the traceback, and a run that begins again shows the attempt", async () => {
    const functionId = await createFunction("failing");
    const page = await open(`#/functions/${functionId}`);
    await run(page, { fail: "no such row", say: ["before\n"] });
    await jobOf(page).getByRole("status").filter({ hasText: "failed" }).waitFor();
    expect(await jobOf(page).textContent()).toContain("ValueError: no such row");

    await run(page, { hold: true, say: ["first try\n"] });
    await jobOf(page).getByRole("log").filter({ hasText: "first try" }).waitFor();
    const jobId = (await jobOf(page).getAttribute("aria-label"))?.replace("Job ", "") ?? "";
    await world.claim(jobId, 2);
    await world.log(jobId, "second try\n", 2);
    await jobOf(page).getByRole("log").filter({ hasText: "── attempt 2 ──\nsecond try" }).waitFor();
    await jobOf(page).getByRole("button", { name: "Cancel" }).click();
    await jobOf(page).getByRole("status").filter({ hasText: "cancelled" }).waitFor();
  });

  test("an event that is not JSON, and settings that the API refuses, are named before anything happens", async () => {
    const page = await open(`#/functions/${await createFunction("refusing")}`);
    await write(page, "Event, JSON", "{");
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.getByRole("alert").filter({ hasText: "The event is not JSON" }).waitFor();
    await page.getByLabel("Handler").fill("nowhere.handler");
    await page.getByRole("button", { name: /^Save version/ }).click();
    await page.getByRole("alert").filter({ hasText: "nowhere.py" }).waitFor();
  });

  test("a function's code is edited: what is saved is a new version with the other files as they were", async () => {
    const functionId = await createFunction("edited", { dependencies: "idna==3.10\n" });
    const page = await open(`#/functions/${functionId}`);
    await page.getByLabel("Code of main.py").filter({ hasText: "def handler(event, context)" }).waitFor();
    await write(page, "Code of main.py", "def handler(event): return 'edited'");
    await page.getByLabel("Memory, MiB").fill("512");
    await page.getByRole("button", { name: "Save version 2" }).click();
    await page.getByText("Saved as version 2.").waitFor();
    const files = unzipSync(await world.object(CODE_BUCKET, `functions/default/${functionId}/2.zip`));
    expect(strFromU8(files["main.py"] ?? new Uint8Array())).toContain("'edited'");
    expect(strFromU8(files["requirements.txt"] ?? new Uint8Array())).toBe("idna==3.10\n");
    expect((await controller.call("GET", `/v1/functions/${functionId}`)).body).toMatchObject({
      version: 2,
      memoryMb: 512,
    });
    await page.getByText("Dependencies of this version").click();
    await page.getByRole("log").filter({ hasText: "Collecting idna" }).waitFor();
  });

  test("a function is deleted only after a question", async () => {
    const functionId = await createFunction("doomed");
    const page = await open(`#/functions/${functionId}`);
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    // Until it is there, nobody takes the key.
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByRole("button", { name: "Delete the function" }).click();
    await page.getByRole("heading", { name: "Functions" }).waitFor();
    expect((await controller.call("GET", `/v1/functions/${functionId}`)).status).toBe(404);
  });

  test("queue and workers are shown, and asked for again", async () => {
    const page = await open("#/service");
    await page.getByRole("heading", { name: "Queue and workers" }).waitFor();
    const now = new Date().toISOString();
    const entry = { slots: 2, busy: 1, warm: 3, runtimes: ["python"], version: "9", started_at: now, updated_at: now };
    await world.announce("worker-seen", entry);
    await page.getByRole("row").filter({ hasText: "worker-seen" }).filter({ hasText: "1 of 2" }).waitFor();
  });

  test("everything works with the keyboard alone, and the focus can be seen", async () => {
    const page = await open("", {}, null);
    const tabTo = async (name: RegExp) => {
      for (let step = 0; step < 60; step++) {
        await page.keyboard.press("Tab");
        const [label, outlined] = await page.evaluate(() => {
          const element = document.activeElement as HTMLElement | null;
          const named =
            element?.getAttribute("aria-label") ?? (element as HTMLInputElement | null)?.labels?.[0]?.textContent;
          const style = element && getComputedStyle(element.closest(".editor") ?? element);
          return [(named ?? element?.textContent ?? "").trim(), style !== null && style?.outlineStyle !== "none"];
        });
        if (name.test(String(label))) {
          expect(outlined).toBe(true);
          return;
        }
      }
      throw new Error(`Tab does not lead to ${name}`);
    };
    await tabTo(/^API key/);
    await page.keyboard.type(world.key);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Functions" }).waitFor();
    await tabTo(/^New function/);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "New function" }).waitFor();
    await tabTo(/^Code of main.py/);
    // Tab indents in the editor; after Escape it leaves it.
    await page.keyboard.press("Escape");
    await tabTo(/^Name/);
    await page.keyboard.type("by-keyboard");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "by-keyboard" }).waitFor();
    await tabTo(/^Code of main.py/);
    await page.keyboard.press("Escape");
    await tabTo(/^Event, JSON/);
    await page.keyboard.press("Control+A");
    await page.keyboard.type('"typed"');
    await page.keyboard.press("Control+Enter");
    await jobOf(page).getByRole("status").filter({ hasText: "done" }).waitFor();
    expect(await jobOf(page).textContent()).toContain('"typed"');
  });

  test.each(["light", "dark"] as const)("axe finds no violation in %s", async (colorScheme) => {
    const functionId = await createFunction(`looked-at-${colorScheme}`);
    const page = await open("", { colorScheme }, null);
    await page.getByLabel("API key").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByLabel("API key").fill(world.key);
    await page.getByRole("button", { name: "Sign in" }).click();
    for (const [place, heading] of [
      ["functions", "Functions"],
      ["functions/new", "New function"],
      ["jobs", "Jobs"],
      ["service", "Queue and workers"],
    ] as const) {
      await page.goto(`${controller.url}/#/${place}`);
      await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
      expect([place, await violations(page)]).toEqual([place, []]);
    }
    await page.goto(`${controller.url}/#/functions/${functionId}`);
    await run(page, { fail: "seen", say: ["a line\n"], files: { "a.txt": "a" } });
    await jobOf(page).getByRole("status").filter({ hasText: "failed" }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    expect(await violations(page)).toEqual([]);
  });

  test("at a width of 360 px nothing has to be scrolled sideways", async () => {
    const functionId = await createFunction("a-name-of-sixty-four-characters-without-any-place-to-break-it-up");
    const page = await open("", { viewport: { width: 360, height: 740 } });
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    for (const place of ["functions", "functions/new", "jobs", "service", `functions/${functionId}`]) {
      await page.goto(`${controller.url}/#/${place}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.locator(".rows, .cm-content, .empty").first().waitFor();
      expect([place, await overflow()]).toEqual([place, 0]);
    }
    await run(page, {
      say: ["x".repeat(500)],
      output: { long: "y".repeat(500) },
      files: { [`${"z".repeat(120)}.txt`]: "z" },
    });
    await jobOf(page).getByRole("status").filter({ hasText: "done" }).waitFor();
    expect(await overflow()).toBe(0);
  });

  test("HTML in names, logs, results and files stays text", async () => {
    const html = (place: string) => `<img src=x onerror="window.hit='${place}'"><script>window.hit='${place}'</script>`;
    const functionId = await createFunction(html("n").slice(0, 64));
    const page = await open(`#/functions/${functionId}`);
    await run(page, {
      say: [html("log")],
      output: html("output"),
      files: { [html("file").replaceAll("/", "-")]: "x" },
    });
    await jobOf(page).getByRole("status").filter({ hasText: "done" }).waitFor();
    expect(await jobOf(page).getByRole("log").textContent()).toBe(html("log"));
    await run(page, { fail: html("error") });
    await jobOf(page).getByText("ValueError: <img").waitFor();
    for (const place of ["functions", "jobs"]) {
      await page.goto(`${controller.url}/#/${place}`);
      await page.getByRole("link", { name: "<img" }).first().waitFor();
    }
    await page.goto(`${controller.url}/#/functions/${encodeURIComponent(html("address"))}`);
    await page.getByRole("alert").waitFor();
    expect(
      await page.evaluate(() => [(window as { hit?: string }).hit ?? null, document.querySelectorAll("img").length]),
    ).toEqual([null, 0]);
  });

  test("its policy runs no inline script, and lets nothing be sent elsewhere", async () => {
    const page = await open();
    const reported = await page.evaluate(async () => {
      const found: string[] = [];
      addEventListener("securitypolicyviolation", (event) => found.push(event.effectiveDirective));
      const script = document.createElement("script");
      try {
        script.append("window.hit = true");
        document.body.append(script);
      } catch {
        // Trusted types refuse it even earlier.
      }
      await fetch("https://elsewhere.example.com/").catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 100));
      return { found: [...new Set(found)].sort(), hit: "hit" in window };
    });
    expect(reported.hit).toBe(false);
    expect(reported.found).toEqual(["connect-src", "require-trusted-types-for"]);
    complaints = complaints.filter(
      (complaint) => !/Content Security Policy|TrustedScript|HTMLScriptElement/.test(complaint),
    );
  });

  test("the API reference shows every operation, and asks nobody else for anything", async () => {
    const page = await open("docs", {}, null);
    await page.getByText("Create a function, from inline source or a zip").first().waitFor();
    await page.getByText("/v1/jobs/{jobId}").first().waitFor();
    expect(await page.evaluate(() => document.querySelector("rapi-doc")?.getAttribute("spec-url"))).toBe(
      "/openapi.json",
    );
  });

  test("browsers get the page and others the links at /, and assets may be kept for a year", async () => {
    const html = await fetch(`${controller.url}/`, { headers: { accept: "text/html,*/*;q=0.8" } });
    const text = await html.text();
    expect(html.headers.get("content-type")).toMatch(/^text\/html/);
    expect(html.headers.get("cache-control")).toBe("no-store");
    expect(html.headers.get("content-security-policy")).toMatch(/script-src 'self';.*style-src 'self' 'nonce-/);
    expect((await controller.call("GET", "/")).body).toMatchObject({ name: "NanoGrid" });
    const [, path] = /src="(\/assets\/index-\w+\.js)"/.exec(text) ?? [];
    const asset = await fetch(`${controller.url}${path}`);
    expect(asset.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(asset.headers.get("content-encoding")).toBe("gzip");
    expect((await fetch(`${controller.url}/assets/index.js`)).status).toBe(404);
    expect((await fetch(`${controller.url}/assets/..%2f..%2fpackage.json`)).status).toBe(404);
  });

  test("the artifact has the same page in it, and serves it without what builds it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "nanogrid-page-test-"));
    for (const [path, content] of Object.entries(unzipSync(readFileSync(controllerArtifact().file)))) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
    const port = await freePort();
    const child = spawn(process.execPath, ["controller.js"], {
      cwd: folder,
      env: { PATH: process.env.PATH, ...awsKeys(), ...world.env, PORT: String(port) },
      stdio: "ignore",
    });
    try {
      const accept = { headers: { accept: "text/html" } };
      const page = async (url: string) => (await fetch(url, accept).catch(() => undefined))?.text();
      const assets = (text = "") => text.match(/\/assets\/[\w.-]+/g);
      await until("it serves the page", async () => assets(await page(`http://127.0.0.1:${port}/`)) !== null, WAIT_MS);
      const bundled = assets(await page(`http://127.0.0.1:${port}/`)) ?? [];
      expect(bundled).toEqual(assets(await page(controller.url)));
      for (const path of bundled) {
        expect((await fetch(`http://127.0.0.1:${port}${path}`)).status).toBe(200);
      }
    } finally {
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** What the stand-in of AWS takes as credentials. */
function awsKeys(): NodeJS.ProcessEnv {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
  return { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY };
}
