/** The page in a real browser: it uploads to the stand-in of S3 what the real presign function signed. What denoises is a small server. */
import { readFileSync } from "node:fs";
import { GetObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { which } from "../../commands/support/shell";
import { pageFiles } from "../../containers/denoise/page/build";
import type { LocalFunction } from "../../local/lambda/function";
import { nodeRuntimeMissing } from "../../local/lambda/node-runtime";
import { IN_BUCKET, MAX_UPLOAD_BYTES, OUT_BUCKET, PresignWorld, SETUP_MS } from "../lambdas/presign/world";
import { motoMissing } from "../support/servers";
import { describeUnless } from "../support/tools";
import { clean, noisy, PageService, tiff } from "./denoise-page-service";

const BROWSER = which("chromium", process.env) ?? which("google-chrome", process.env);
const NO_BROWSER =
  BROWSER === undefined ? "no Chromium on PATH. Install it (Debian: apt-get install chromium)." : undefined;
const WAIT_MS = 20_000;
const HOSTILE = `<img src=x onerror=alert(1)>"'&.tif`;
/** 8 × 6 pixels of 16 bits, from dark at the top left to bright at the bottom right. */
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAGEAAAAACL/lxkAAAAcUlEQVR42gFmAJn/AAPoH0A6mFXwcUiMoKf4w1AABEwfpDr8VlRxrI0EqFzDtAAEsCAIO2BWuHIQ" +
  "jWiowMQYAAUUIGw7xFcccnSNzKkkxHwABXgg0DwoV4By2I4wqYjE4AAF3CE0PIxX5HM8jpSp7MVEVi8q5ZmkcE8AAAAASUVORK5CYII=";
jest.setTimeout(120_000);

describeUnless(motoMissing() ?? nodeRuntimeMissing() ?? NO_BROWSER)("denoise page", () => {
  let world: PresignWorld;
  let presign: LocalFunction;
  let service: PageService;
  let browser: Browser;
  let complaints: string[] = [];
  const outside = new Set<string>();

  beforeAll(async () => {
    world = await PresignWorld.start();
    presign = world.createFunction();
    service = await PageService.start(world, presign);
    const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    browser = await chromium.launch({ executablePath: BROWSER, args, timeout: 60_000 });
  }, SETUP_MS);
  afterAll(async () => {
    await browser?.close();
    service?.close();
    await presign?.close();
    await world?.stop();
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    const said = complaints;
    complaints = [];
    service.reset();
    expect(said).toEqual([]);
    expect([...outside]).toEqual([]);
  });

  async function open(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ acceptDownloads: true, reducedMotion: "reduce", ...options });
    context.setDefaultTimeout(WAIT_MS);
    const page = await context.newPage();
    page.on("pageerror", (error) => complaints.push(`error: ${error}`));
    page.on("dialog", (dialog) => {
      complaints.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("console", (message) => {
      // A refused request is no error of the page.
      if (message.type() === "error" && !/Failed to load resource/.test(message.text())) {
        complaints.push(`console: ${message.text()}`);
      }
    });
    page.on("request", (request) => {
      const known = [service.url, world.awsUrl].some((each) => request.url().startsWith(each));
      if (!/^(blob|data):/.test(request.url()) && !known) {
        outside.add(request.url());
      }
    });
    await page.goto(service.url);
    return page;
  }

  const choose = (page: Page, name = "frame 7.tif", buffer = tiff(noisy)) =>
    page.getByLabel("Image", { exact: true }).setInputFiles({ name, mimeType: "image/tiff", buffer });
  const run = (page: Page) => page.getByRole("button", { name: "Denoise" }).click();
  const done = (page: Page) => page.getByRole("status").filter({ hasText: "Done." }).waitFor();
  const greys = (page: Page, label: string, points: [number, number][]) =>
    page
      .getByRole("img", { name: new RegExp(`^${label}: `) })
      .evaluate(
        (canvas, at) =>
          at.map(([x, y]) => (canvas as HTMLCanvasElement).getContext("2d")?.getImageData(x, y, 1, 1).data[0]),
        points,
      );
  async function violations(page: Page): Promise<string[]> {
    // Through the debugger, which the page's policy does not bind.
    await page.evaluate(axe.source);
    const { violations: found } = await page.evaluate(() => (window as unknown as { axe: typeof axe }).axe.run());
    return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  }

  test("an image is uploaded, denoised over some questions, shown before and after, and downloaded", async () => {
    service.behaviour.runs = 2;
    const page = await open();
    expect(await page.getByRole("button", { name: "Denoise" }).isDisabled()).toBe(true);
    await choose(page);
    await page.getByRole("img", { name: "Before: frame 7.tif" }).waitFor();
    await page.getByLabel("powerful, for quality").check();
    await page.getByLabel(/^Strength/).fill("12.5");
    await page.getByText("Detector").click();
    await page.getByLabel(/^Digital offset/).fill("100");
    await page.getByLabel("Bits that it fills").selectOption("14");
    await run(page);
    await done(page);

    const [order] = service.orders;
    expect(order).toMatchObject({ model: "powerful", strength: 12.5, digital_offset: 100, using_bits: 14 });
    expect(order?.file).toMatch(/^page\/[\da-f-]{36}\/frame_7\.tif$/);
    const uploaded = await world.s3.send(new GetObjectCommand({ Bucket: IN_BUCKET, Key: String(order?.file) }));
    expect(Buffer.from((await uploaded.Body?.transformToByteArray()) ?? []).equals(tiff(noisy))).toBe(true);
    expect(uploaded.ContentType).toBe("image/tiff");

    const result = page.getByRole("region", { name: "Result" });
    expect(await result.textContent()).toContain("powerful, strength 12.5");
    expect(await result.textContent()).toContain("64 × 48, 16 bits");
    expect(await result.textContent()).toContain("457 ms");
    const downloads = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download the result" }).click();
    const download = await downloads;
    expect(download.suggestedFilename()).toBe("frame 7-clean.tif");
    expect(readFileSync(await download.path()).equals(tiff(clean))).toBe(true);
  });

  test("both are shown between the same levels, those of the clean one", async () => {
    const page = await open();
    await choose(page);
    await run(page);
    await done(page);
    const [low, high] = [clean(0, 0), clean(63, 0)];
    expect(await page.getByText("black ").textContent()).toBe(`black ${low}, white ${high}`);
    const grey = (value: number) => Math.max(0, Math.min(255, Math.round(((value - low) * 255) / (high - low))));
    const points: [number, number][] = [
      [0, 0],
      [20, 10],
      [40, 30],
      [63, 47],
    ];
    expect(await greys(page, "After", points)).toEqual(points.map(([x, y]) => grey(clean(x, y))));
    expect(await greys(page, "Before", points)).toEqual(points.map(([x, y]) => grey(noisy(x, y))));
  });

  test("the divider is moved with the keys and the pointer, and the image is zoomed", async () => {
    const page = await open();
    await choose(page);
    await run(page);
    await done(page);
    const slider = page.getByRole("slider", { name: "Divider between before and after" });
    const after = page.getByRole("img", { name: /^After/ });
    const clip = () => after.evaluate((canvas) => getComputedStyle(canvas).clipPath);
    expect(await clip()).toBe("inset(0px 0px 0px 50%)");
    await slider.press("ArrowRight");
    expect(await clip()).toBe("inset(0px 0px 0px 51%)");
    expect(await slider.getAttribute("aria-valuetext")).toBe("51 % before, 49 % after");
    await page.getByRole("button", { name: "Larger" }).click();
    await page.getByRole("button", { name: "Larger" }).click();
    const box = await after.boundingBox();
    expect([box?.width, box?.height]).toEqual([256, 192]);
    await page.mouse.click((box?.x ?? 0) + 64, (box?.y ?? 0) + 20);
    expect(await clip()).toBe("inset(0px 0px 0px 25%)");
    await page.getByRole("button", { name: "Fit" }).click();
    expect((await after.boundingBox())?.width).toBe(64);
  });

  test("a PNG of 16 bits is shown as well", async () => {
    const page = await open();
    await choose(page, "a.PNG", Buffer.from(PNG, "base64"));
    await page.getByRole("img", { name: "Before: a.PNG" }).waitFor();
    expect(
      await greys(page, "Before", [
        [0, 0],
        [7, 5],
      ]),
    ).toEqual([0, 255]);
    await run(page);
    await done(page);
    expect(service.orders[0]?.file).toMatch(/\/a\.png$/);
  });

  test("an error of the service says what is wrong, what to do, and its request", async () => {
    const page = await open();
    await choose(page);
    service.behaviour.refuse = {
      status: 422,
      document: {
        title: "The image cannot be used",
        detail: "file: its values are floats",
        remedy: "Convert it to 16 bits.",
        requestId: "r-1",
      },
    };
    await run(page);
    const alert = page.getByRole("alert");
    await alert.waitFor();
    expect(await alert.textContent()).toMatch(
      /cannot be used\s*file: its values are floats\s*Convert it to 16 bits\.\s*request r-1/,
    );
    service.behaviour = {
      runs: 1,
      failed: {
        id: "x",
        status: "failed",
        error: { title: "It was lost", detail: "The task ended.", remedy: "Try again." },
      },
    };
    await run(page);
    await alert.filter({ hasText: "It was lost" }).waitFor();
    service.behaviour = {};
    await run(page);
    await done(page);
    expect(await page.getByRole("alert").count()).toBe(0);
  });

  test("an image over the bucket's limit is refused in words", async () => {
    const page = await open();
    await choose(page, "large.tif", Buffer.alloc(MAX_UPLOAD_BYTES + 1));
    await run(page);
    const alert = page.getByRole("alert");
    await alert.filter({ hasText: "EntityTooLarge" }).waitFor();
    expect(await alert.textContent()).toContain("Choose a smaller image.");
    expect(service.orders).toEqual([]);
  });

  test("a file that no image is, or of the wrong end, is told before and after it is sent", async () => {
    const page = await open();
    await choose(page, "notes.txt", Buffer.from("no image"));
    await page.getByText("notes.txt: This browser cannot show it").waitFor();
    await run(page);
    await page.getByRole("alert").filter({ hasText: ".tif, .tiff or .png" }).waitFor();
  });

  test("where the API asks for a token, a field for it appears, and its value is kept in the tab alone", async () => {
    service.behaviour.token = "of-the-issuer";
    const page = await open();
    await choose(page);
    expect(await page.getByLabel("Token").count()).toBe(0);
    await run(page);
    await page.getByRole("alert").filter({ hasText: "A token is needed" }).waitFor();
    await page.getByLabel("Token").fill(" of-the-issuer ");
    await run(page);
    await done(page);
    const kept = await page.evaluate(() => [Object.keys(sessionStorage), Object.keys(localStorage), document.cookie]);
    expect(kept).toEqual([["denoise-token"], [], ""]);
  });

  test("an API that takes signed requests alone is explained", async () => {
    const page = await open();
    await page.route("**/presign*", (route) => route.fulfill({ status: 403, json: { message: "Forbidden" } }));
    await choose(page);
    await run(page);
    await page.getByRole("alert").filter({ hasText: "signed requests only" }).waitFor();
  });

  test("a run is cancelled, and another one begins", async () => {
    service.behaviour.runs = 1_000;
    const page = await open();
    await choose(page);
    await run(page);
    await page.getByRole("status").filter({ hasText: "Denoising" }).waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Cancel" }).waitFor({ state: "detached" });
    expect(await page.getByRole("alert").count()).toBe(0);
    service.behaviour = {};
    await run(page);
    await done(page);
  });

  test("a hostile file name stays a text, on the page and in the key", async () => {
    const page = await open();
    await choose(page, HOSTILE);
    await page.getByRole("img", { name: `Before: ${HOSTILE}` }).waitFor();
    await run(page);
    await done(page);
    expect(await page.locator("img").count()).toBe(0);
    const { Contents = [] } = await world.s3.send(new ListObjectsV2Command({ Bucket: OUT_BUCKET }));
    expect(Contents.map(({ Key }) => Key)).toContain(service.orders[0]?.file);
    expect(String(service.orders[0]?.file)).toMatch(/\/_img_src_x_onerror_alert_1_\.tif$/);
  });

  test("everything works with the keyboard alone, and the focus can be seen", async () => {
    const page = await open();
    await choose(page);
    const tabTo = async (name: RegExp) => {
      for (let step = 0; step < 40; step++) {
        await page.keyboard.press("Tab");
        const [label, outlined] = await page.evaluate(() => {
          const element = document.activeElement as HTMLInputElement | null;
          const named =
            element?.getAttribute("aria-label") ?? element?.labels?.[0]?.textContent ?? element?.textContent;
          return [named ?? "", element !== null && getComputedStyle(element).outlineStyle !== "none"];
        });
        if (name.test(String(label))) {
          expect(outlined).toBe(true);
          return;
        }
      }
      throw new Error(`Tab does not lead to ${name}`);
    };
    await tabTo(/^efficient/);
    await page.keyboard.press("ArrowDown");
    await tabTo(/^Strength/);
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await done(page);
    expect(service.orders[0]).toMatchObject({ model: "powerful", strength: 10.5 });
    await tabTo(/^Larger/);
    await tabTo(/^frame 7\.tif, 64 × 48 pixels/);
    await tabTo(/^Divider/);
    await tabTo(/^Download/);
  });

  test.each([
    ["light", { width: 1_280, height: 860 }],
    ["dark", { width: 1_280, height: 860 }],
    ["light", { width: 360, height: 740 }],
  ] as const)(
    "axe finds no violation in %s at %o, and nothing is wider than the window",
    async (colorScheme, viewport) => {
      const page = await open({ colorScheme, viewport });
      expect(await violations(page)).toEqual([]);
      await choose(page, `${"long-name-".repeat(12)}.tif`);
      await run(page);
      await done(page);
      await page.getByText("Detector").click();
      expect(await violations(page)).toEqual([]);
      service.behaviour.refuse = { status: 503, document: { message: "Service Unavailable" } };
      await run(page);
      await page.getByRole("alert").filter({ hasText: "The service does not answer" }).waitFor();
      expect(await violations(page)).toEqual([]);
      const [scroll, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      expect(scroll).toBeLessThanOrEqual(room ?? 0);
    },
  );
});

describe("denoise page: files", () => {
  test("they are the same bytes when they are built again, flat, and the page loads no others", () => {
    const [first, second] = [pageFiles(), pageFiles()];
    expect(second).toEqual(first);
    const paths = first.map(({ path }) => path);
    expect(paths.filter((path) => path.includes("/"))).toEqual([]);
    const html = Buffer.from(first.find(({ path }) => path === "index.html")?.content ?? []).toString();
    const loaded = [...html.matchAll(/"\/page\/([^"]+)"/g)].map(([, path]) => path);
    expect(loaded.sort()).toEqual(paths.filter((path) => path !== "index.html").sort());
    expect(html).not.toMatch(/<script>|style=| on\w+=/);
  });
});
