/** The controller as a process: with TLS, Redis users and IAM tokens, and how it starts and stops. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { CONTROLLER_REDIS_ACCESS } from "../../../userdata/controller/permissions";
import { createAws } from "../../../userdata/controller/src/aws";
import { redisTokens } from "../../../userdata/controller/src/redis-token";
import { run } from "../../support/run";
import { freePort, motoMissing, standInsPython, startRedis, type TestServer, until } from "../../support/servers";
import { describeUnless } from "../../support/tools";
import { HELLO, World } from "./world";

describeUnless(motoMissing())("process", () => {
  const folder = mkdtempSync(join(tmpdir(), "nanogrid-process-test-"));
  const ca = join(folder, "cert.pem");
  let world: World;
  let redis: TestServer;
  let tlsPort: number;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    const files = ["-keyout", join(folder, "key.pem"), "-out", ca];
    run("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, ...files]);
    tlsPort = await freePort();
    const tls = ["--tls-port", String(tlsPort), "--tls-cert-file", ca, "--tls-key-file", join(folder, "key.pem")];
    // Any password opens the user: only AWS can check a token. The rules are those of the deployed user.
    const user = [
      "--user",
      "nanogrid-controller",
      ...CONTROLLER_REDIS_ACCESS.split(" "),
      "nopass",
      "--user",
      "default",
      "off",
      // Who looks at what the controller has left.
      "--user",
      "tests",
      "on",
      "nopass",
      "~*",
      "&*",
      "+@all",
    ];
    redis = await startRedis({ args: [...tls, "--tls-auth-clients", "no", ...user] });
    world = await World.create();
  }, 60_000);
  afterAll(async () => {
    for (const child of children) {
      child.kill("SIGKILL");
    }
    await Promise.all([redis?.stop(), world?.close()]);
    rmSync(folder, { recursive: true, force: true });
  });

  function start(env: NodeJS.ProcessEnv): { child: ChildProcess; said: () => string } {
    const child = spawn(process.execPath, ["--import", "tsx", "userdata/controller/src/main.ts"], {
      env: { ...process.env, ...world.env, NODE_NO_WARNINGS: "1", NODE_EXTRA_CA_CERTS: ca, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    children.push(child);
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        said += chunk.toString();
      });
    }
    return { child, said: () => said };
  }

  test("it signs in to Redis over TLS with a token, serves, and on SIGTERM ends calls in flight before itself", async () => {
    const log = join(folder, "logs", "controller.log");
    const port = await freePort();
    const { child, said } = start({
      PORT: String(port),
      LOG_FILE: log,
      SHUTDOWN_GRACE_S: "1",
      REDIS_HOST: "localhost",
      REDIS_PORT: String(tlsPort),
      REDIS_TLS: "true",
      REDIS_USER: "nanogrid-controller",
      REDIS_CACHE_NAME: "nanogrid-redis",
    });
    const url = `http://127.0.0.1:${port}`;
    const ready = async () => (await fetch(`${url}/ready`).catch(() => undefined))?.status === 200;
    await until("the controller is ready, Redis included", ready, 30_000).catch((error) => {
      throw new Error(`${error}\n${said()}\n${logged(log)}`);
    });
    const headers = { authorization: `Bearer ${world.key}`, "content-type": "application/json" };
    const created = await fetch(`${url}/v1/functions`, {
      method: "POST",
      headers,
      body: JSON.stringify({ name: "hello", code: HELLO }),
    });
    const { functionId } = (await created.json()) as { functionId: string };

    // Everything that it asks of Redis, under the rules of its user: each failure would be in the log.
    const called = await fetch(`${url}/v1/functions/${functionId}/invocations?mode=async`, { method: "POST", headers });
    const { jobId } = (await called.json()) as { jobId: string };
    await world.receive();
    await world.claim(jobId);
    for (const path of [`/v1/jobs/${jobId}/logs`, "/v1/status"]) {
      expect((await fetch(`${url}${path}`, { headers })).status).toBe(200);
    }
    const cancelled = await fetch(`${url}/v1/jobs/${jobId}/cancellation`, { method: "POST", headers });
    expect(cancelled.status).toBe(200);
    expect(await (await fetch(`${url}/v1/jobs/${jobId}/events`, { headers })).text()).toContain("event: result");
    const tests = new Redis({ port: redis.port, host: "127.0.0.1", username: "tests", password: "any" });
    const [counter = ""] = await tests.keys("nanogrid:rate:key_*");
    expect(Number(await tests.get(counter))).toBeGreaterThan(5);
    expect(JSON.parse((await tests.get(`nanogrid:job:${jobId}`)) ?? "{}")).toMatchObject({ status: "CANCELLED" });
    tests.disconnect();

    const waiting = fetch(`${url}/v1/functions/${functionId}/invocations`, { method: "POST", headers, body: "1" });
    const message = await world.receive();
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const answer = await waiting;

    expect(answer.status).toBe(202);
    expect(answer.headers.get("location")).toBe(`/v1/jobs/${message?.body.job_id}`);
    expect(await exited).toEqual([0, null]);
    expect(logged(log)).toMatch(/stopping: no new connections[\s\S]*"stopped"/);
    for (const failure of ["not subscribed", "was not", "were not", "NOPERM"]) {
      expect(logged(log)).not.toContain(failure);
    }
    expect(logged(log)).not.toContain("X-Amz-Signature");
  }, 60_000);

  test("with wrong settings it says all that is wrong, and ends with status 1", async () => {
    const { child, said } = start({ PORT: "many", JOBS_TABLE: "" });
    expect((await once(child, "exit"))[0]).toBe(1);
    expect(said()).toContain('PORT is "many"');
    expect(said()).toContain("JOBS_TABLE is");
  }, 30_000);

  test("on a port that is taken it says which and what to do, and ends with status 1", async () => {
    const { child, said } = start({ PORT: String(world.moto.port) });
    expect((await once(child, "exit"))[0]).toBe(1);
    expect(said()).toContain(`cannot listen on 127.0.0.1:${world.moto.port}`);
    expect(said()).toContain("set PORT");
  }, 30_000);

  test("with AWS away a call is 503 with how to go on, not 500", async () => {
    const port = await freePort();
    start({ PORT: String(port), AWS_ENDPOINT_URL: `http://127.0.0.1:${await freePort()}` });
    const url = `http://127.0.0.1:${port}`;
    await until("it listens", async () => (await fetch(url).catch(() => undefined))?.ok === true, 30_000);

    const answer = await fetch(`${url}/v1/jobs`, { headers: { authorization: `Bearer ${world.key}` } });

    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("5");
    expect(await answer.json()).toMatchObject({ type: "urn:nanogrid:problem:unavailable", remedy: expect.any(String) });
  }, 60_000);

  test("a token is what botocore signs for the same cache, user and time", async () => {
    const now = new Date("2026-01-02T03:04:05Z");
    const aws = createAws({ region: "ap-northeast-2", awsEndpointUrl: undefined });
    const token = await redisTokens(aws.sqs.config, "nanogrid-redis", "nanogrid-controller", () => now)();
    aws.close();
    const signed = run(standInsPython(), ["-c", BOTOCORE], { env: { ...process.env } }).trim();
    const parts = (text: string) => {
      const url = new URL(`http://${text}`);
      return { host: url.host, path: url.pathname, query: Object.fromEntries(url.searchParams) };
    };
    expect(parts(token)).toEqual(parts(signed));
  });

  test("a connection that ends is made again and still hears of jobs", async () => {
    const controller = await world.controller();
    const heard: string[] = [];
    await controller.events.subscribe("job_1", (event) => heard.push(event));
    const admin = new Redis({ port: world.redis.port, host: "127.0.0.1" });
    await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await admin.call("CLIENT", "KILL", "TYPE", "pubsub", "SKIPME", "yes");

    await until("it hears again", async () => {
      await admin.publish("nanogrid:job:job_1:events", "here");
      return heard.length > 0;
    });
    admin.disconnect();
  });
});

/** The way of AWS' documentation, with a fixed time and the tests' keys. */
const BOTOCORE = `
import datetime, botocore.auth, botocore.session
from botocore.model import ServiceId
from botocore.signers import RequestSigner
class Fixed(datetime.datetime):
    @classmethod
    def now(cls, tz=None): return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)
    @classmethod
    def utcnow(cls): return cls(2026, 1, 2, 3, 4, 5)
botocore.auth.datetime = type("m", (), {"datetime": Fixed, "timezone": datetime.timezone})
if hasattr(botocore.auth, "get_current_datetime"):
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: Fixed(2026, 1, 2, 3, 4, 5)
session = botocore.session.Session()
signer = RequestSigner(ServiceId("elasticache"), "ap-northeast-2", "elasticache", "v4", session.get_credentials(), session.get_component("event_emitter"))
params = {"method": "GET", "url": "http://nanogrid-redis/?Action=connect&User=nanogrid-controller", "body": {}, "headers": {}, "context": {}}
print(signer.generate_presigned_url(params, operation_name="connect", expires_in=900, region_name="ap-northeast-2").removeprefix("http://"))
`;

function logged(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
