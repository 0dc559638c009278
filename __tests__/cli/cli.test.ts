/** The command line as a process, against a real controller. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { strFromU8, unzipSync } from "fflate";
import { run } from "../support/run";
import { freePort, motoMissing, until } from "../support/servers";
import { describeUnless } from "../support/tools";
import { type Controller, World } from "../userdata/controller/world";
import { Player, untilRuns } from "./player";

/** Every command is a process of its own. */
jest.setTimeout(60_000);

const HANDLER = "def handler(event):\n    return event\n";

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

describeUnless(motoMissing())("nanogrid", () => {
  const folder = mkdtempSync(join(tmpdir(), "nanogrid-cli-test-"));
  let world: World;
  let controller: Controller;
  let player: Player;

  beforeAll(async () => {
    world = await World.create();
    controller = await world.controller();
    player = new Player(world);
    player.start();
    await nanogrid(["deploy", project("hello", { "main.py": HANDLER })]);
  }, 60_000);
  afterAll(async () => {
    await player?.stop();
    await world?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess & { said: () => string } {
    const child = spawn(process.execPath, ["cli/nanogrid.mjs", ...args], {
      env: {
        PATH: process.env.PATH,
        XDG_CONFIG_HOME: join(folder, "config"),
        NODE_NO_WARNINGS: "1",
        NANOGRID_URL: controller.url,
        NANOGRID_API_KEY: world.key,
        ...env,
      },
      stdio: ["pipe", "pipe", "pipe"],
      timeout: 30_000,
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        said += chunk.toString();
      });
    }
    return Object.assign(child, { said: () => said });
  }

  async function nanogrid(args: readonly string[], env: NodeJS.ProcessEnv = {}, input = ""): Promise<Ran> {
    const child = start(args, env);
    const output = { stdout: "", stderr: "" };
    child.stdout?.on("data", (chunk: Buffer) => {
      output.stdout += chunk.toString();
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      output.stderr += chunk.toString();
    });
    child.stdin?.end(input);
    const [code] = (await once(child, "close")) as [number | null];
    return { code, ...output };
  }

  /** Writes a folder of files. */
  function project(name: string, files: Readonly<Record<string, string>>): string {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name, path)), { recursive: true });
      writeFileSync(join(folder, name, path), content);
    }
    return join(folder, name);
  }

  const play = (event: object) => ["--data", JSON.stringify(event)];

  test("login keeps a checked key in a file that only its owner reads, and other commands use it", async () => {
    const none = { NANOGRID_URL: "", NANOGRID_API_KEY: "" };
    const before = await nanogrid(["ls"], none);
    expect(before).toMatchObject({ code: 2, stderr: expect.stringContaining("nanogrid login <url>") });

    const wrong = await nanogrid(["login", controller.url], none, `ng_${"a".repeat(43)}\n`);
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining("No valid API key") });
    const signedIn = await nanogrid(["login", controller.url], none, `${world.key}\n`);
    expect(signedIn.code).toBe(0);
    expect(signedIn.stdout + signedIn.stderr).not.toContain(world.key);

    const file = join(folder, "config", "nanogrid", "config.json");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await nanogrid(["ls"], none)).toMatchObject({ code: 0, stdout: expect.stringContaining("hello") });
    // The key of one service is not sent to another.
    const elsewhere = await nanogrid(["ls"], { NANOGRID_URL: "https://elsewhere.example.com", NANOGRID_API_KEY: "" });
    expect(elsewhere).toMatchObject({ code: 2, stderr: expect.stringContaining("there is no key for it") });
    rmSync(file);
  });

  test("login sends no key over plain HTTP to another machine", async () => {
    const refused = await nanogrid(["login", "http://nanogrid.example.com"], {}, world.key);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("--plain-http") });
  });

  test("deploy packs a folder with its settings and without what does not belong in it, then updates it by name", async () => {
    const path = project("packed", {
      "main.py": HANDLER,
      "lib/part.py": "",
      "lib/tool.sh": "#!/bin/sh\n",
      "node_modules/left/out.js": "",
      ".env": "SECRET=1",
      ".git/config": "",
      "notes/todo.txt": "",
      "notes/keep.txt": "",
      "nanogrid.json": JSON.stringify({ name: "packed", memoryMb: 512, environment: { MODE: "slow" }, egress: true }),
      ".nanogridignore": "# ours\nnotes/*\n!notes/keep.txt\n",
    });
    chmodSync(join(path, "lib/tool.sh"), 0o755);
    symlinkSync("/etc/passwd", join(path, "link"));

    const first = await nanogrid([
      "deploy",
      path,
      "--timeout",
      "5",
      "--env",
      "MODE=fast=1",
      "--secret",
      "DB=orders",
      "--json",
    ]);
    expect(first).toMatchObject({ code: 0, stderr: expect.stringContaining("link is left out") });
    const fn = JSON.parse(first.stdout);
    expect(fn).toMatchObject({
      name: "packed",
      version: 1,
      runtime: "python",
      memoryMb: 512,
      timeoutS: 5,
      egress: true,
    });
    expect(fn.environment).toEqual({ MODE: "fast=1" });
    expect(fn.secrets).toEqual({ DB: "orders" });
    const zip = await world.object("nanogrid-code-bucket", `functions/default/${fn.functionId}/1.zip`);
    expect(Object.keys(unzipSync(zip)).sort()).toEqual(["lib/part.py", "lib/tool.sh", "main.py", "notes/keep.txt"]);

    const second = await nanogrid(["deploy", path, "--no-egress", "--json"]);
    expect(JSON.parse(second.stdout)).toMatchObject({ functionId: fn.functionId, version: 2, egress: false });
    expect(JSON.parse(second.stdout).codeSha256).toBe(fn.codeSha256);
  });

  test("deploy takes a single file, whose name says runtime, name and handler", async () => {
    const path = join(project("single", { "report.mjs": "export const handler = (event) => event;\n" }), "report.mjs");
    const { code, stdout } = await nanogrid(["deploy", path, "--json"]);
    expect(code).toBe(0);
    const fn = JSON.parse(stdout);
    expect(fn).toMatchObject({ name: "report", runtime: "node", handler: "report.handler" });
    const zip = await world.object("nanogrid-code-bucket", `functions/default/${fn.functionId}/1.zip`);
    expect(strFromU8(unzipSync(zip)["report.mjs"] ?? new Uint8Array())).toContain("handler");
  });

  test("deploy follows the job that resolves dependencies, and fails when that fails", async () => {
    const path = project("depending", { "main.py": HANDLER, "requirements.txt": "idna==3.10\n" });
    const good = await nanogrid(["deploy", path]);
    expect(good).toMatchObject({ code: 0, stderr: expect.stringContaining("│ Collecting idna") });
    project("depending", { "requirements.txt": "idna==0.broken\n" });
    const bad = await nanogrid(["deploy", path]);
    expect(bad).toMatchObject({ code: 1, stderr: expect.stringContaining("The dependencies are not resolved") });
  });

  test("deploy names what is wrong: in nanogrid.json, in an option, and what the API refuses", async () => {
    const wrong = project("wrong", { "main.py": HANDLER, "nanogrid.json": '{"memory": 5}' });
    expect(await nanogrid(["deploy", wrong])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/"memory".*\n.*memoryMb/),
    });
    const hello = join(folder, "hello");
    expect(await nanogrid(["deploy", hello, "--memory", "much"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--memory"),
    });
    expect(await nanogrid(["deploy", hello, "--memory", "5", "--handler", "no.where"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("memoryMb: is under 64"),
    });
    expect(await nanogrid(["deploy", join(folder, "nowhere")])).toMatchObject({ code: 2 });
  });

  test("ls and show tell of functions, to people and to machines", async () => {
    const { stdout } = await nanogrid(["ls"]);
    expect(stdout).toMatch(/^NAME +VERSION +RUNTIME/);
    expect(stdout).toMatch(/^hello +1 +python +256 MiB +none/m);
    const shown = await nanogrid(["show", "hello", "--json"]);
    expect(JSON.parse(shown.stdout)).toMatchObject({ name: "hello", handler: "main.handler" });
    expect(await nanogrid(["show", "nobody"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("no function"),
    });
  });

  test("rm deletes with --yes, and without somebody to ask it does not", async () => {
    await nanogrid(["deploy", project("doomed", { "main.py": HANDLER })]);
    expect(await nanogrid(["rm", "doomed"])).toMatchObject({ code: 2, stderr: expect.stringContaining("--yes") });
    expect((await nanogrid(["rm", "doomed", "--yes"])).code).toBe(0);
    expect((await nanogrid(["show", "doomed"])).code).toBe(1);
  });

  test("invoke prints the result to stdout, the log and the figures to stderr", async () => {
    const event = { say: ["one\n", "two\n"], output: { n: 1 } };
    const { code, stdout, stderr } = await nanogrid(["invoke", "hello", ...play(event)]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ n: 1 });
    expect(stderr).toContain("one\ntwo\n");
    expect(stderr).toContain("Used 20 of 256 MiB; 64 would do.");
  });

  test("invoke reads the event from a file and from stdin", async () => {
    const file = join(project("events", { "event.json": '{"output": "from a file"}' }), "event.json");
    expect((await nanogrid(["invoke", "hello", "--file", file])).stdout).toBe('"from a file"\n');
    expect((await nanogrid(["invoke", "hello"], {}, '{"output": "from stdin"}')).stdout).toBe('"from stdin"\n');
    expect(await nanogrid(["invoke", "hello", "--data", "{"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--data is not JSON"),
    });
  });

  test("invoke ends with 1 and the traceback when the function fails", async () => {
    const { code, stdout, stderr } = await nanogrid(["invoke", "hello", ...play({ fail: "no such row" })]);
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toContain("ValueError: no such row");
  });

  test("invoke --async prints the job, and the same idempotency key gives the same one", async () => {
    const args = ["invoke", "hello", ...play({ output: 1 }), "--async", "--idempotency-key", "only-once"];
    const [first, second] = [await nanogrid(args), await nanogrid(args)];
    expect(first.stdout).toMatch(/^job_\w{26}\n$/);
    expect(second.stdout).toBe(first.stdout);
    const refused = await nanogrid([...args, "--callback", "ftp://example.com/"]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/NanoGrid-Callback-Url/i) });
  });

  test("invoke --follow shows the log while the job runs, and Ctrl-C leaves the job running and says so", async () => {
    const child = start(["invoke", "hello", ...play({ say: ["begun\n"], hold: true }), "--follow"]);
    child.stdin?.end();
    await until("the log is there", () => child.said().includes("begun"));
    const closed = once(child, "close");
    child.kill("SIGINT");
    const [code] = await closed;
    expect(code).toBe(130);
    const jobId = /job_\w{26}/.exec(child.said())?.[0] ?? "";

    const cancelled = await nanogrid(["jobs", "cancel", jobId]);
    expect(cancelled).toMatchObject({ code: 0, stderr: expect.stringContaining("cancelled") });
    const shown = await nanogrid(["jobs", "show", jobId, "--json"]);
    expect(JSON.parse(shown.stdout)).toMatchObject({
      status: "CANCELLED",
      result: { exit_reason: { code: "cancelled" } },
    });
  });

  test("logs -f goes on where it was when the connection breaks", async () => {
    const { stdout } = await nanogrid(["invoke", "hello", ...play({ say: ["first\n"], hold: true }), "--async"]);
    const jobId = stdout.trim();
    await untilRuns(world, jobId);
    const { url, cut } = await cuttable(controller.url);
    const child = start(["logs", jobId, "-f"], { NANOGRID_URL: url });
    child.stdin?.end();
    await until("the log is there", () => child.said().includes("first"));
    cut();
    await world.log(jobId, "second\n");
    await until("the rest is there", () => child.said().includes("second"));
    const closed = once(child, "close");
    await nanogrid(["jobs", "cancel", jobId]);
    await closed;
    expect(child.said().match(/first/g)).toHaveLength(1);
    expect(child.said().match(/second/g)).toHaveLength(1);
    expect((await nanogrid(["logs", jobId])).stdout).toContain("first\nsecond\n");
  });

  test("jobs lists by function and status, and shows how one ended", async () => {
    await nanogrid(["invoke", "hello", ...play({ fail: "listed" })]);
    const { stdout } = await nanogrid(["jobs", "ls", "--function", "hello", "--status", "FAILED", "--limit", "1"]);
    const [head = "", row = "", ...more] = stdout.trim().split("\n");
    expect(head).toMatch(/^JOB +FUNCTION/);
    expect(row).toMatch(/^job_\w{26} +hello +1 +failed/);
    expect(more).toEqual([]);
    const shown = await nanogrid(["jobs", "show", row.split(" ")[0] ?? ""]);
    expect(shown.stdout).toContain("ValueError: listed");
  });

  test("jobs files fetches what the job has left, and nothing outside of the folder", async () => {
    const files = { "a/b.txt": "inside", "c.txt": "too" };
    const { stdout } = await nanogrid(["invoke", "hello", ...play({ files }), "--json"]);
    const jobId = JSON.parse(stdout).job_id;
    expect((await nanogrid(["jobs", "files", jobId])).stdout).toContain("a/b.txt");
    const out = join(folder, "out");
    expect((await nanogrid(["jobs", "files", jobId, "-o", out])).code).toBe(0);
    expect(readFileSync(join(out, "a/b.txt"), "utf8")).toBe("inside");

    const evil = await nanogrid(["invoke", "hello", ...play({ files: { "../escaped.txt": "outside" } }), "--json"]);
    const refused = await nanogrid(["jobs", "files", JSON.parse(evil.stdout).job_id, "-o", out]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("outside of") });
  });

  test("keys are made, listed and deleted by an admin, and by nobody else", async () => {
    expect(await nanogrid(["keys", "ls"])).toMatchObject({ code: 1, stderr: expect.stringContaining("admin") });
    const admin = { NANOGRID_API_KEY: world.adminKey };
    const made = await nanogrid(["keys", "create", "ci", "--role", "invoker", "--requests-per-minute", "60"], admin);
    expect(made.stdout).toMatch(/^ng_[\w-]{43}\n$/);
    expect((await nanogrid(["ls"], { NANOGRID_API_KEY: made.stdout.trim() })).code).toBe(0);
    const row = /^(key_\w+) +ci +invoker +60/m.exec((await nanogrid(["keys", "ls"], admin)).stdout);
    expect((await nanogrid(["keys", "rm", row?.[1] ?? "", "--yes"], admin)).code).toBe(0);
    expect((await nanogrid(["keys", "ls"], admin)).stdout).not.toContain(" ci ");
  });

  test("status shows queue and workers", async () => {
    const now = new Date().toISOString();
    const entry = {
      slots: 2,
      busy: 1,
      warm: 3,
      runtimes: ["python", "node"],
      version: "1",
      started_at: now,
      updated_at: now,
    };
    await world.announce("worker-a", entry);
    const { stdout } = await nanogrid(["status"]);
    expect(stdout).toMatch(/^waiting +\d+$/m);
    expect(stdout).toMatch(/^worker-a +1 of 2 +3 +python,node/m);
  });

  test("what cannot be reached ends with 3 after retries, and what is wrongly used with 2", async () => {
    const nowhere = await nanogrid(["ls"], { NANOGRID_URL: `http://127.0.0.1:${await freePort()}` });
    expect(nowhere).toMatchObject({ code: 3, stderr: expect.stringContaining("ECONNREFUSED") });
    expect((await nanogrid(["lss"])).code).toBe(2);
    expect((await nanogrid(["invoke"])).code).toBe(2);
    expect(await nanogrid(["logs", "../functions"])).toMatchObject({ code: 2, stdout: "" });
  });

  test("a busy service is asked again after the pause that it wants", async () => {
    let asked = 0;
    const busy = createServer((_request, response) => {
      asked++;
      const answer = asked < 3 ? { status: 503, body: "{}" } : { status: 200, body: '{"items": []}' };
      response.writeHead(answer.status, { "Content-Type": "application/json" }).end(answer.body);
    }).listen(0, "127.0.0.1");
    await once(busy, "listening");
    const url = `http://127.0.0.1:${(busy.address() as AddressInfo).port}`;
    expect((await nanogrid(["ls"], { NANOGRID_URL: url })).code).toBe(0);
    expect(asked).toBe(3);
    busy.close();
  });

  test("completion knows commands, their options and the values of these", async () => {
    expect((await nanogrid(["complete", "--", "jo"])).stdout).toContain("jobs");
    expect((await nanogrid(["complete", "--", "deploy", "--ru"])).stdout).toContain("--runtime");
    for (const shell of ["bash", "zsh", "fish"]) {
      expect((await nanogrid(["completion", shell])).stdout).toContain("nanogrid");
    }
  });
});

test("docs/cli.md says of every command what the command says", () => {
  expect(run(process.execPath, ["--import", "tsx", "cli/docs.ts", "--check"])).toBe("");
});

/** A way to a server that can be cut, and is there again for the next connection. */
async function cuttable(target: string): Promise<{ url: string; cut: () => void }> {
  const { connect, createServer: createTcp } = await import("node:net");
  const open = new Set<{ destroy(): void }>();
  const server = createTcp((client) => {
    const upstream = connect(Number(new URL(target).port), "127.0.0.1");
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream).pipe(client);
  }).listen(0, "127.0.0.1");
  server.unref();
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => {
      for (const socket of open) {
        socket.destroy();
      }
      open.clear();
    },
  };
}
