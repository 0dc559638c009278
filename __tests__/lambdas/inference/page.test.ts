/** The page, and pages of other origins, in a real browser: they call the real functions through the stand-in of the HTTP API. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  ApiGatewayV2Client,
  CreateApiCommand,
  CreateIntegrationCommand,
  CreateRouteCommand,
} from "@aws-sdk/client-apigatewayv2";
import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { which } from "../../../commands/support/shell";
import { pageArtifact } from "../../../lambdas/inference-page/artifact";
import { pageFiles } from "../../../lambdas/inference-page/page/build";
import { clientOptions } from "../../../local/clouds";
import { type Gateway, startGateway } from "../../../local/gateway/gateway";
import { LocalFunction } from "../../../local/lambda/function";
import { prepareNodeRuntime } from "../../../local/lambda/node-runtime";
import { API, FUNCTIONS } from "../../../modules/inference/names";
import { describeUnless } from "../../support/tools";
import { ACCOUNT, InferenceWorld, inferenceGrants, inferenceMissing, REGION, SETUP_MS } from "./world";

const BROWSER = which("chromium", process.env) ?? which("google-chrome", process.env);
const NO_BROWSER =
  BROWSER === undefined ? "no Chromium on PATH. Install it (Debian: apt-get install chromium)." : undefined;
const WAIT_MS = 20_000;
const HOSTILE = `<img src=x onerror=alert(1)>`;
const ROUTES: Readonly<Record<string, string>> = {
  "POST /products": FUNCTIONS.products,
  "POST /products/search": FUNCTIONS.search,
  "POST /carts/{id}/title": FUNCTIONS.titles,
  "GET /": FUNCTIONS.page,
  "GET /page/{proxy+}": FUNCTIONS.page,
};
jest.setTimeout(120_000);

describeUnless(inferenceMissing() ?? NO_BROWSER)("inference page", () => {
  let world: InferenceWorld;
  let pageFunction: LocalFunction;
  let gateway: Gateway;
  let browser: Browser;
  let shop: Server;
  let stranger: Server;
  let complaints: string[] = [];

  beforeAll(async () => {
    [world, shop, stranger] = await Promise.all([
      InferenceWorld.start(inferenceGrants().emitted),
      emptyPage(),
      emptyPage(),
    ]);
    await world.create("bootstrap").invoke({});
    pageFunction = new LocalFunction({
      name: FUNCTIONS.page,
      zip: pageArtifact().file,
      handler: "handler.handler",
      command: await prepareNodeRuntime(),
      runtime: "nodejs22.x",
      region: REGION,
      account: ACCOUNT,
      environment: {},
    });
    await deployApi(world, originOf(shop));
    const functions = {
      [FUNCTIONS.products]: world.create("products"),
      [FUNCTIONS.search]: world.create("search"),
      [FUNCTIONS.titles]: world.create("titles"),
      [FUNCTIONS.page]: pageFunction,
    };
    const source = { awsEndpoint: world.awsUrl, region: REGION, apiName: API };
    gateway = await startGateway({ ...source, functions, upstream: world.awsUrl });
    const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    browser = await chromium.launch({ executablePath: BROWSER, args, timeout: 60_000 });
  }, SETUP_MS);
  afterAll(async () => {
    await browser?.close();
    await gateway?.close();
    await pageFunction?.close();
    shop?.close();
    stranger?.close();
    await world?.stop();
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    const said = complaints;
    complaints = [];
    expect(said).toEqual([]);
  });

  async function open(url = `${gateway.url}/`, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ reducedMotion: "reduce", ...options });
    context.setDefaultTimeout(WAIT_MS);
    const page = await context.newPage();
    page.on("pageerror", (error) => complaints.push(`error: ${error}`));
    page.on("dialog", (dialog) => {
      complaints.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    await page.goto(url);
    return page;
  }

  async function add(page: Page, fields: Readonly<Record<string, string>>) {
    const form = page.getByRole("form", { name: "Add a product" });
    for (const [label, text] of Object.entries(fields)) {
      await form.getByLabel(label, { exact: true }).fill(text);
    }
    await form.getByRole("button", { name: "Add" }).click();
    await page
      .getByRole("status")
      .filter({ hasText: `${fields.Id}: ` })
      .waitFor();
    return page.getByRole("status").textContent();
  }

  async function search(page: Page, query: string) {
    const form = page.getByRole("form", { name: "Search" });
    await form.getByLabel("What is it for?").fill(query);
    await form.getByRole("button", { name: "Search" }).click();
    await page.getByRole("status").filter({ hasText: "found." }).waitFor();
  }

  test("products are added, found by what they mean, put into a cart, and the cart is titled once", async () => {
    const page = await open();
    const boots = {
      Id: "page-boots",
      Title: "Hiking boots",
      Description: "For wet trails in the mountains.",
      Price: "99",
    };
    expect(await add(page, boots)).toBe("page-boots: created.");
    expect(await add(page, boots)).toBe("page-boots: unchanged.");
    await add(page, { Id: "page-mug", Title: "Coffee mug", Description: "Red, of stoneware." });
    await search(page, "keep my feet dry outdoors");
    const found = page.getByRole("region", { name: "Found" }).getByRole("listitem");
    expect(await found.first().textContent()).toContain("Hiking boots");
    await page.getByRole("button", { name: "Put Hiking boots into the cart" }).click();
    const cart = page.getByRole("region", { name: "Cart" });
    await cart.getByRole("button", { name: "Title the cart" }).click();
    await page.getByRole("status").filter({ hasText: "made now" }).waitFor();
    expect(await cart.textContent()).toContain("Hiking boots");
    await cart.getByRole("button", { name: "Title the cart" }).click();
    await page.getByRole("status").filter({ hasText: "was there" }).waitFor();
  });

  test("what is wrong is said with its field, and a hostile text stays a text", async () => {
    const page = await open();
    const form = page.getByRole("form", { name: "Add a product" });
    await form.getByLabel("Id").fill("no good");
    await form.getByLabel("Title").fill("x");
    await form.getByLabel("Description").fill("x");
    await form.getByRole("button", { name: "Add" }).click();
    await page.getByRole("alert").filter({ hasText: "id: expected 1 to 128 letters" }).waitFor();
    await add(page, { Id: "page-hostile", Title: HOSTILE, Description: "A picture that is none." });
    await search(page, "a picture");
    await page.getByText(HOSTILE).first().waitFor();
    expect(await page.locator("img").count()).toBe(0);
  });

  test("a page of the shop's origin may call the API, one of another origin may not", async () => {
    const call = async (server: Server) => {
      const page = await open(originOf(server));
      return page.evaluate(async (url) => {
        try {
          const response = await fetch(`${url}/products/search`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ query: "boots" }),
          });
          return response.status;
        } catch (error) {
          return String(error);
        }
      }, gateway.url);
    };
    expect(await call(shop)).toBe(200);
    expect(await call(stranger)).toBe("TypeError: Failed to fetch");
  });

  test.each(["light", "dark"] as const)(
    "axe finds no violation in %s, and nothing is wider than a narrow window",
    async (colorScheme) => {
      const page = await open(undefined, { colorScheme, viewport: { width: 360, height: 740 } });
      await add(page, { Id: "page-axe", Title: "Long-named-product-".repeat(6), Description: "A thing." });
      await search(page, "a thing");
      await page.getByRole("region", { name: "Found" }).getByRole("button").first().click();
      const { violations } = await page.evaluate(`${axe.source}; axe.run()`).then((result) => result as axe.AxeResults);
      expect(violations.map(({ id }) => id)).toEqual([]);
      const [scroll, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      expect(scroll).toBeLessThanOrEqual(room ?? 0);
    },
  );
});

describe("inference page: files", () => {
  test("they are the same bytes when they are built again, and the page loads no others", () => {
    const [first, second] = [pageFiles(), pageFiles()];
    expect(second).toEqual(first);
    const html = Buffer.from(first.find(({ path }) => path === "index.html")?.content ?? []).toString();
    const loaded = [...html.matchAll(/"\/page\/([^"]+)"/g)].map(([, path]) => path);
    expect(loaded.sort()).toEqual(
      first
        .map(({ path }) => path)
        .filter((path) => path !== "index.html")
        .sort(),
    );
  });
});

/** The API as the stack makes it, for a shop's origin; that the stack makes it so is tested with the stack. */
async function deployApi(world: InferenceWorld, origin: string): Promise<void> {
  const client = new ApiGatewayV2Client(clientOptions(world.standIns.ports, REGION));
  const { ApiId } = await client.send(
    new CreateApiCommand({
      Name: API,
      ProtocolType: "HTTP",
      CorsConfiguration: {
        AllowOrigins: [origin],
        AllowMethods: ["GET", "POST", "OPTIONS"],
        AllowHeaders: ["authorization", "content-type"],
      },
    }),
  );
  for (const [RouteKey, name] of Object.entries(ROUTES)) {
    const { IntegrationId } = await client.send(
      new CreateIntegrationCommand({
        ApiId,
        IntegrationType: "AWS_PROXY",
        IntegrationUri: `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`,
        PayloadFormatVersion: "2.0",
      }),
    );
    await client.send(new CreateRouteCommand({ ApiId, RouteKey, Target: `integrations/${IntegrationId}` }));
  }
  client.destroy();
}

/** A site with nothing on it. */
async function emptyPage(): Promise<Server> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>A shop</title>");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

function originOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
