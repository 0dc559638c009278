import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Places, placesOf } from "../../local/places";
import { PROVIDERS } from "../../local/providers";
import { identityOf, recordService } from "../../local/services";
import { freePort } from "../support/servers";
import { PROJECT, removeScratch, scratchCheckout } from "./scratch";

const RUN_MS = 900_000;

afterEach(removeScratch);

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(
  checkout: string,
  script: string,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = process.env,
): Run {
  const options = {
    cwd: checkout,
    env: { ...env, DOCKER_HOST: undefined },
    encoding: "utf8" as const,
    timeout: RUN_MS,
  };
  const { status, stderr, stdout } = spawnSync(
    process.execPath,
    ["--import", "tsx", join("local", script), ...args],
    options,
  );
  return { code: status, stdout, stderr };
}

/** Changes the ports that the settings of the local environment hold. */
async function onFreePorts(checkout: string): Promise<{ readonly flags: string[]; readonly url: string }> {
  const [redis, controller, aws, gcp] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const file = join(checkout, "cdktf.json");
  const json = JSON.parse(readFileSync(file, "utf8"));
  const { local } = json.context.environments;
  local.nanogrid = {
    ...local.nanogrid,
    data: { ...local.nanogrid?.data, redis: { ...local.nanogrid?.data?.redis, port: redis } },
    controllers: { ...local.nanogrid?.controllers, port: controller },
  };
  writeFileSync(file, JSON.stringify(json));
  return { flags: ["--aws-port", String(aws), "--gcp-port", String(gcp)], url: `http://127.0.0.1:${controller}` };
}

test("start: every tool that is missing is named at once, with what to run and without a stack trace", () => {
  const checkout = scratchCheckout();

  const { code, stderr } = run(checkout, "start.ts", ["--once"], { ...process.env, PATH: "/nonexistent" });

  expect(code).toBe(1);
  expect(stderr).toContain("python >= 3.11 is missing");
  expect(stderr).toContain("redis-server is missing: job status and results pass through it.");
  expect(stderr).toContain("docker is missing: functions run in containers.");
  if (process.platform === "linux") {
    expect(stderr).toContain("sudo apt-get install --yes redis-server");
  }
  expect(stderr).not.toMatch(/^ +at /m);
}, 60_000);

test("start: wrong settings end the run with all that is wrong at once, before anything is started", () => {
  const checkout = scratchCheckout();
  const file = join(checkout, "cdktf.json");
  const json = JSON.parse(readFileSync(file, "utf8"));
  json.context.environments.local.acountId = "1";
  json.context.environments.local.region = "Seoul";
  writeFileSync(file, JSON.stringify(json));

  const { code, stderr } = run(checkout, "start.ts", ["--once"]);

  expect(code).toBe(1);
  expect(stderr).toContain("settings.acountId");
  expect(stderr).toContain("settings.region");
  expect(existsSync(join(checkout, ".local", "run"))).toBe(false);
}, 60_000);

test("start: a second run beside the first is refused, and leaves the first one's programs alone", async () => {
  const checkout = scratchCheckout();
  const places = placesOf(checkout);
  const sleepers = ["start", "controller", "worker"].map((name) => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    recordService(places, name, child.pid ?? 0);
    return child;
  });
  try {
    const { code, stderr } = run(checkout, "start.ts", ["--once"]);

    expect(code).toBe(1);
    expect(stderr).toContain(`runs already for this checkout (pid ${sleepers[0]?.pid}).`);
    expect(sleepers.map(({ pid = 0 }) => identityOf(pid))).not.toContain(undefined);
  } finally {
    for (const child of sleepers) {
      child.kill();
    }
  }
}, 60_000);

test("start: an argument that is no port is refused", () => {
  const { code, stderr } = run(join(__dirname, "..", ".."), "start.ts", ["--aws-port", "http"]);
  expect(code).toBe(1);
  expect(stderr).toContain("expected a port from 1 to 65535");
}, 60_000);

// Not the engine that other tests use: local:down is part of the test.
const mayRun = process.getuid?.() === 0 || existsSync("/var/run/docker.sock");
if (!mayRun) {
  process.stderr.write(
    "start: skipped without Terraform end to end: no container engine answers, and only root can start one.\n",
  );
}

(mayRun ? test : test.skip)(
  "start: without Terraform a function still runs, it is said loudly, and local:down leaves nothing behind",
  async () => {
    const checkout = scratchCheckout();
    const places = placesOf(checkout);
    const { flags, url } = await onFreePorts(checkout);
    takePythons(places);
    try {
      const first = run(checkout, "start.ts", ["--once", "--without-terraform", ...flags]);

      expect(`${first.stdout}\n${first.stderr}`).toContain("Hello, NanoGrid!");
      expect(first.code).toBe(0);
      expect(first.stdout).toContain("TERRAFORM IS LEFT OUT");
      expect(first.stdout).toContain(url);
      await expect(fetch(`${url}/health`)).rejects.toThrow();

      const second = run(checkout, "start.ts", ["--once", "--without-terraform", ...flags]);
      expect(second.code).toBe(0);
      expect(second.stdout).toContain("still running");
      const functionOf = ({ stdout }: Run) => /fn_\w{26}/.exec(stdout)?.[0];
      expect(functionOf(second)).toBe(functionOf(first));
    } finally {
      const down = run(checkout, "down.ts");
      expect(down.stderr).toBe("");
      expect(down.stdout).toContain("Ended: ");
    }
    expect([places.home, places.sockets, places.output].filter((folder) => existsSync(folder))).toEqual([]);
    expect(processesIn(checkout)).toEqual([]);
  },
  RUN_MS,
);

/** Python environments of the project, where there are any: making them takes minutes and is a test of its own. */
function takePythons(places: Places): void {
  const { venvs } = placesOf(PROJECT);
  if (existsSync(venvs)) {
    mkdirSync(places.home, { recursive: true });
    symlinkSync(venvs, places.venvs);
  }
}

/** Command lines of processes that have to do with a folder. */
function processesIn(folder: string): string[] {
  const processes = existsSync("/proc") ? readdirSync("/proc") : [];
  return processes
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(join("/proc", pid, "cmdline"), "utf8").replaceAll("\0", " ")];
      } catch {
        return [];
      }
    })
    .filter((command) => command.includes(folder));
}

test("start: the bounds of providers are those that the stacks are synthesized with", () => {
  const checkout = scratchCheckout();
  const { context } = JSON.parse(readFileSync(join(checkout, "cdktf.json"), "utf8"));
  const env = {
    ...process.env,
    ENVIRONMENT: "local",
    CDKTF_CONTEXT_JSON: JSON.stringify(context),
    CDKTF_OUTDIR: "cdktf.out",
  };
  const { status } = spawnSync(process.execPath, ["--import", "tsx", "main.ts"], {
    cwd: checkout,
    env,
    timeout: 60_000,
  });
  expect(status).toBe(0);
  const stack = JSON.parse(
    readFileSync(join(checkout, "cdktf.out", "stacks", "nanogrid-archive", "cdk.tf.json"), "utf8"),
  );

  const bounds = Object.fromEntries(PROVIDERS.map(({ atLeast, below, name }) => [name, { atLeast, below }]));

  expect(bounds).toEqual({
    aws: boundsOf(stack.terraform.required_providers.aws.version),
    google: boundsOf(stack.terraform.required_providers.google.version),
  });
}, 90_000);

/** The bounds in `~> 6.47` and in `>= 6.50, < 9`. */
function boundsOf(constraint: string): { atLeast: string; below: string } {
  const full = (version: string) => [...version.split("."), "0", "0"].slice(0, 3).join(".");
  const pessimistic = /^~> (\d+)\.(\d+)$/.exec(constraint);
  if (pessimistic) {
    return { atLeast: full(`${pessimistic[1]}.${pessimistic[2]}`), below: full(String(Number(pessimistic[1]) + 1)) };
  }
  const range = /^>= ([\d.]+), < ([\d.]+)$/.exec(constraint);
  return { atLeast: full(range?.[1] ?? ""), below: full(range?.[2] ?? "") };
}
