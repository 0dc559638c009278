/** The HTTP API's stand-in: routes as deployed, functions under AWS's runtime interface client, a server for the VPC link. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ApiGatewayV2Client,
  AuthorizationType,
  CreateApiCommand,
  CreateAuthorizerCommand,
  CreateIntegrationCommand,
  CreateRouteCommand,
} from "@aws-sdk/client-apigatewayv2";
import { AwsClient } from "aws4fetch";
import { type Gateway, startGateway } from "../../local/gateway/gateway";
import { matchRoute } from "../../local/gateway/routes";
import { LocalFunction } from "../../local/lambda/function";
import { nodeRuntimeMissing, prepareNodeRuntime } from "../../local/lambda/node-runtime";
import { packFiles } from "../../modules/platform/artifact";
import { type Moto, motoMissing, startMoto } from "../support/servers";
import { describeUnless } from "../support/tools";

const REGION = "ap-northeast-2";
const API = "of-the-test";
const SETUP_MS = 600_000;
const INTEGRATION_MS = 1_500;
const CODE = `
exports.handler = async (event) => {
  if (event.rawQueryString === "fail") throw new Error("it failed");
  if (event.rawQueryString === "plain") return { plain: true };
  if (event.rawQueryString === "binary")
    return { statusCode: 201, headers: { "content-type": "image/png" }, body: "iVBORw==", isBase64Encoded: true, cookies: ["a=1", "b=2"] };
  return { statusCode: 200, headers: { "Content-Type": "application/json" }, body: JSON.stringify(event) };
};`;

describeUnless(motoMissing() ?? nodeRuntimeMissing())("gateway", () => {
  let moto: Moto;
  let upstream: Server;
  let fn: LocalFunction;
  let gateway: Gateway;
  const folder = mkdtempSync(join(tmpdir(), "gateway-test-"));
  const lines: string[] = [];

  beforeAll(async () => {
    const command = await prepareNodeRuntime();
    moto = await startMoto();
    await deploy(moto.endpoint);
    const zip = join(folder, "function.zip");
    writeFileSync(zip, packFiles([{ path: "index.js", content: Buffer.from(CODE) }]));
    fn = new LocalFunction({
      name: "echo",
      zip,
      handler: "index.handler",
      command,
      runtime: "nodejs22.x",
      region: REGION,
      account: "123456789012",
      environment: {},
    });
    upstream = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) {
        chunks.push(chunk as Buffer);
      }
      if (request.url === "/inference/slow") {
        return;
      }
      const { method, url, headers } = request;
      const body = Buffer.concat(chunks).toString();
      response.writeHead(url === "/inference" ? 202 : 200, {
        "content-type": "application/json",
        location: "/inference/1",
        "access-control-allow-origin": "https://wrong.test",
      });
      response.end(JSON.stringify({ method, url, headers, body }));
    }).listen(0, "127.0.0.1");
    await once(upstream, "listening");
    gateway = await startGateway({
      awsEndpoint: moto.endpoint,
      region: REGION,
      apiName: API,
      functions: { echo: fn },
      upstream: urlOf(upstream),
      integrationMs: INTEGRATION_MS,
      onLog: (line) => lines.push(line),
    });
  }, SETUP_MS);
  afterAll(async () => {
    await gateway?.close();
    upstream?.closeAllConnections();
    upstream?.close();
    await fn?.close();
    await moto?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const get = async (path: string, init?: RequestInit) => {
    const response = await fetch(`${gateway.url}${path}`, init);
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: JSON.parse(text || "null") };
  };

  test("a function gets the request as an event of format 2.0", async () => {
    const { status, headers, body } = await get("/presign?file=a%2Fb.tif&mode=x&mode=y", {
      headers: { cookie: "c=1; d=2" },
    });
    expect([status, headers.get("content-type")]).toEqual([200, "application/json"]);
    expect(headers.get("apigw-requestid")).toBe(body.requestContext.requestId);
    expect(body).toMatchObject({
      version: "2.0",
      routeKey: "GET /presign",
      rawPath: "/presign",
      rawQueryString: "file=a%2Fb.tif&mode=x&mode=y",
      queryStringParameters: { file: "a/b.tif", mode: "x,y" },
      cookies: ["c=1", "d=2"],
      headers: { host: expect.stringMatching(/^127/) },
      requestContext: { http: { method: "GET", path: "/presign", sourceIp: "127.0.0.1" }, stage: "$default" },
      isBase64Encoded: false,
    });
    expect(body.body).toBeUndefined();
  });

  test("what a function gives becomes the answer: plain, with a status, binary with cookies", async () => {
    expect((await get("/presign?plain")).body).toEqual({ plain: true });
    const response = await fetch(`${gateway.url}/presign?binary`);
    expect([response.status, response.headers.getSetCookie()]).toEqual([201, ["a=1", "b=2"]]);
    expect(Buffer.from(await response.arrayBuffer()).toString("latin1")).toBe("\x89PNG");
  });

  test("a function that fails is 500, without its words", async () => {
    expect(await get("/presign?fail")).toMatchObject({ status: 500, body: { message: "Internal Server Error" } });
  });

  test("a VPC link's request reaches the server behind, with the API's id of it, and its answer comes back", async () => {
    const { status, headers, body } = await get("/inference", {
      method: "POST",
      body: '{"file":"a.tif"}',
      headers: { "content-type": "application/json", "x-request-id": "forged", connection: "close" },
    });
    expect([status, headers.get("location")]).toEqual([202, "/inference/1"]);
    expect(body).toMatchObject({ method: "POST", url: "/inference", body: '{"file":"a.tif"}' });
    expect(body.headers["x-request-id"]).toBe(headers.get("apigw-requestid"));
    expect(body.headers.forwarded).toMatch(/^for=127\.0\.0\.1;host=/);
  });

  test("a server that does not answer in time is 504, and one that is away is 503", async () => {
    expect(await get("/inference/slow")).toMatchObject({
      status: 504,
      body: { message: "Endpoint request timed out" },
    });
    const away = await startGateway({
      awsEndpoint: moto.endpoint,
      region: REGION,
      apiName: API,
      functions: { echo: fn },
      upstream: "http://127.0.0.1:9",
    });
    const response = await fetch(`${away.url}/inference/1`);
    expect([response.status, await response.json()]).toEqual([503, { message: "Service Unavailable" }]);
    await away.close();
  });

  test("what no route takes is 404, and a body over 10 MB is 413", async () => {
    expect(await get("/elsewhere")).toMatchObject({ status: 404, body: { message: "Not Found" } });
    expect((await get("/inference", { method: "GET" })).status).toBe(404);
    const large = await get("/inference", { method: "POST", body: Buffer.alloc(10 * 1024 ** 2 + 1) });
    expect(large).toMatchObject({ status: 413, body: { message: "Request Entity Too Large" } });
  });

  test("CORS is what the API says, whatever the server behind it says", async () => {
    const origin = "https://page.test";
    const asked = { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" };
    const preflight = await get("/inference", { method: "OPTIONS", headers: asked });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe(origin);
    expect(preflight.headers.get("access-control-allow-methods")).toBe("GET,POST,OPTIONS");
    expect(preflight.headers.get("access-control-max-age")).toBe("300");
    const answered = await get("/inference/1", { headers: { origin } });
    expect(answered.headers.get("access-control-allow-origin")).toBe(origin);
    expect(answered.headers.get("access-control-expose-headers")).toBe("location");
    const foreign = await get("/inference/1", { headers: { origin: "https://elsewhere.test" } });
    expect(foreign.headers.get("access-control-allow-origin")).toBeNull();
    const refused = await get("/inference", {
      method: "OPTIONS",
      headers: { ...asked, origin: "https://elsewhere.test" },
    });
    expect(refused.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("a route with IAM takes signed requests alone, as they were signed", async () => {
    const path = `${gateway.url}/signed/a%20b?x=1&y=%2F`;
    expect((await fetch(path)).status).toBe(403);
    const client = (secretAccessKey: string) =>
      new AwsClient({ accessKeyId: "role", secretAccessKey, service: "execute-api", region: REGION, retries: 0 });
    expect((await client("local").fetch(path)).status).toBe(200);
    expect((await client("other").fetch(path)).status).toBe(403);
    const signed = await client("local").sign(path, { method: "POST", body: "{}" });
    expect((await fetch(signed.url, { method: "POST", body: "{}", headers: signed.headers })).status).toBe(200);
    expect((await fetch(signed.url, { method: "POST", body: "[]", headers: signed.headers })).status).toBe(403);
    expect((await fetch(`${path}&z=1`, { headers: signed.headers })).status).toBe(403);
  });

  test("a route with JWT takes a token of its issuer that has not expired", async () => {
    const token = (claims: object) =>
      `Bearer ${["{}", JSON.stringify(claims), "s"].map((part) => Buffer.from(part).toString("base64url")).join(".")}`;
    const exp = Math.floor(Date.now() / 1_000) + 60;
    const statusWith = async (authorization: string) => (await get("/token", { headers: { authorization } })).status;
    expect(await get("/token")).toMatchObject({ status: 401, body: { message: "Unauthorized" } });
    expect(await statusWith(token({ iss: "https://issuer.test", aud: "app", exp }))).toBe(200);
    expect(await statusWith(token({ iss: "https://issuer.test", aud: ["x", "app"], exp }))).toBe(200);
    expect(await statusWith(token({ iss: "https://other.test", aud: "app", exp }))).toBe(401);
    expect(await statusWith(token({ iss: "https://issuer.test", aud: "x", exp }))).toBe(401);
    expect(await statusWith(token({ iss: "https://issuer.test", aud: "app", exp: exp - 120 }))).toBe(401);
    expect(await statusWith("Bearer nonsense")).toBe(401);
  });

  test("each request is a line of JSON without its query", async () => {
    lines.length = 0;
    await get("/presign?file=secret.tif");
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ method: "GET", path: "/presign", status: 200 });
    expect(lines[0]).not.toContain("secret");
  });

  test("an API that is not deployed, or a function that was not given, is said at the start", async () => {
    const props = { awsEndpoint: moto.endpoint, region: REGION, functions: {}, upstream: "http://127.0.0.1:9" };
    await expect(startGateway({ ...props, apiName: "other" })).rejects.toThrow(
      `There is no HTTP API other at ${moto.endpoint}, only ${API}. Deploy its stack first.`,
    );
    await expect(startGateway({ ...props, apiName: API })).rejects.toThrow("GET /presign leads to the function echo");
  });

  test("a client that goes away does no harm", async () => {
    const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
    await once(socket, "connect");
    socket.write("POST /inference HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf");
    socket.destroy();
    expect((await get("/inference/1")).status).toBe(200);
  });
});

describe("gateway: routes", () => {
  const routes = ["$default", "GET /a/{id}", "GET /a/b", "ANY /a/{proxy+}", "GET /", "ANY /a/b", "GET /a/{id}/c"].map(
    (key) => ({ key }),
  );
  test.each([
    ["GET", "/a/b", "GET /a/b", {}],
    ["POST", "/a/b", "ANY /a/b", {}],
    ["GET", "/a/x%2Fy", "GET /a/{id}", { id: "x/y" }],
    ["GET", "/a/x/y", "ANY /a/{proxy+}", { proxy: "x/y" }],
    ["GET", "/a/x/c", "GET /a/{id}/c", { id: "x" }],
    ["GET", "/", "GET /", {}],
    ["PUT", "/z", "$default", {}],
  ])("%s %s takes %s", (method, path, key, parameters) => {
    expect(matchRoute(routes, method, path)).toEqual({ route: { key }, parameters });
  });
});

/** An API with a route to a function, routes through a VPC link, and one of each authorizer. */
async function deploy(endpoint: string): Promise<void> {
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const client = new ApiGatewayV2Client({ region: REGION, endpoint, credentials });
  const { ApiId } = await client.send(
    new CreateApiCommand({
      Name: API,
      ProtocolType: "HTTP",
      CorsConfiguration: {
        AllowOrigins: ["https://page.test"],
        AllowMethods: ["GET", "POST", "OPTIONS"],
        AllowHeaders: ["content-type"],
        ExposeHeaders: ["location"],
        MaxAge: 300,
      },
    }),
  );
  const { IntegrationId: toFunction } = await client.send(
    new CreateIntegrationCommand({
      ApiId,
      IntegrationType: "AWS_PROXY",
      IntegrationUri: `arn:aws:lambda:${REGION}:123456789012:function:echo`,
      PayloadFormatVersion: "2.0",
    }),
  );
  const { IntegrationId: toListener } = await client.send(
    new CreateIntegrationCommand({
      ApiId,
      IntegrationType: "HTTP_PROXY",
      IntegrationMethod: "ANY",
      IntegrationUri: `arn:aws:elasticloadbalancing:${REGION}:123456789012:listener/app/ddn/1/2`,
      ConnectionType: "VPC_LINK",
      ConnectionId: "link",
      PayloadFormatVersion: "1.0",
      RequestParameters: { "overwrite:header.x-request-id": "$context.requestId" },
    }),
  );
  const { AuthorizerId } = await client.send(
    new CreateAuthorizerCommand({
      ApiId,
      Name: "tokens",
      AuthorizerType: "JWT",
      IdentitySource: ["$request.header.Authorization"],
      JwtConfiguration: { Issuer: "https://issuer.test", Audience: ["app"] },
    }),
  );
  const route = (RouteKey: string, integration: string | undefined, access: object = {}) =>
    client.send(new CreateRouteCommand({ ApiId, RouteKey, Target: `integrations/${integration}`, ...access }));
  await route("GET /presign", toFunction);
  await route("POST /inference", toListener);
  await route("GET /inference/{id}", toListener);
  await route("ANY /signed/{proxy+}", toListener, { AuthorizationType: AuthorizationType.AWS_IAM });
  await route("GET /token", toListener, { AuthorizationType: AuthorizationType.JWT, AuthorizerId });
  client.destroy();
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
