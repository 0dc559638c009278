/**
 * A whole NanoGrid on loopback for tests and benchmarks that break it or load it: the controller's artifact and the worker's package as
 * processes, a real Redis and a real Docker engine, and the stand-ins of the clouds with the emitted queue, buckets and tables.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { unzipSync } from "fflate";
import { programClouds, withoutAccounts } from "../../local/clouds";
import { answersOk } from "../../local/services";
import { createWithoutTerraform } from "../../local/without-terraform";
import { loadSettings } from "../../modules/platform/settings";
import { controllerArtifact } from "../../userdata/controller/artifact";
import { createAws } from "../../userdata/controller/src/aws";
import { createKey, type Role } from "../../userdata/controller/src/keys";
import { RUNTIMES, runtimeImage } from "../../userdata/worker/artifact";
import { run } from "./run";
import { freePort, motoMissing, type StandIns, startRedis, startStandIns, type TestServer, until } from "./servers";
import { has } from "./tools";

const ENVIRONMENT = "local";
const READY_MS = 60_000;
const STOP_MS = 60_000;
const BUILD_MS = 900_000;

/** A program that runs as a process of its own. */
export interface Program {
  readonly name: string;
  readonly process: ChildProcess;
  /** Where a controller answers; empty for a worker. */
  readonly url: string;
  /** The records that it has logged. */
  records(): Record<string, unknown>[];
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
  /** Asks it to end, and waits. */
  stop(): Promise<void>;
}

/** A finished job, as far as tests look at it. */
export interface Result {
  readonly job_id: string;
  readonly status: string;
  readonly exit_reason: { readonly code: string; readonly message: string };
  readonly output: unknown;
  readonly attempt: number;
  readonly start: string | null;
  readonly queue_ms: number;
  readonly duration_ms: number;
  readonly started_at: string;
  readonly finished_at: string;
}

/** What a request of the tests may say. */
export interface Ask {
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** @default 60000 */
  readonly timeoutMs?: number;
}

/** Why a grid cannot be had here, with the remedy; undefined when it can. */
export function gridMissing(): string | undefined {
  if (!has("redis-server")) {
    return "no Redis: apt-get install redis-server";
  }
  if (!process.env.DOCKER_HOST && !existsSync("/var/run/docker.sock")) {
    return "no Docker engine: set DOCKER_HOST. After npm start -- --once, .local/docker/daemon.json names the socket of its own";
  }
  return motoMissing() ?? (existsSync(workerPython()) ? undefined : `no ${workerPython()}: run npm start -- --once`);
}

function workerPython(): string {
  return resolve(process.env.NANOGRID_WORKER_DEV_PYTHON ?? ".local/venv/worker/bin/python");
}

export class Grid {
  private readonly programs: Program[] = [];
  private counter = 0;

  private constructor(
    /** Short, since a unix socket's path has at most 107 bytes. */
    readonly folder: string,
    readonly standIns: StandIns,
    redis: TestServer,
    private readonly clouds: Record<string, string>,
    /** Outputs of nanogrid-data. */
    readonly values: Readonly<Record<string, string>>,
    /** An admin key of the tenant `default`. */
    readonly key: string,
  ) {
    this.redis = redis;
  }

  redis: TestServer;

  /**
   * Starts the servers, makes what the data stack describes, and builds the sandbox images that are not there.
   *
   * @param authorizer URL of what is asked about each AWS request of a role; without one, no IAM is enforced
   */
  static async start(authorizer?: string): Promise<Grid> {
    const settings = loadSettings(ENVIRONMENT);
    const folder = mkdtempSync(join(tmpdir(), "ngg-"));
    run("npx", ["tsx", "main.ts"], {
      env: { ...process.env, ENVIRONMENT, CDKTF_OUTDIR: join(folder, "cdktf.out") },
    });
    const [standIns, redis] = await Promise.all([startStandIns(settings.accountId, authorizer), startRedis()]);
    const { values } = await createWithoutTerraform(folder, standIns.ports, settings.region);
    await createArchive(standIns.ports.gcp);
    for (const runtime of RUNTIMES) {
      run(resolve("userdata/worker/runtimes/build"), ["--runtime", runtime, "--tag", runtimeImage(runtime)], {
        timeoutMs: BUILD_MS,
      });
    }
    const clouds = programClouds(standIns.ports, settings.region);
    unpackController(join(folder, "controller"));
    const key = await keyFor(values, clouds, "default", "admin");
    return new Grid(folder, standIns, redis, clouds, values, key);
  }

  /** Makes a key. */
  createKey(tenant: string, role: Role): Promise<string> {
    return keyFor(this.values, this.clouds, tenant, role);
  }

  /** Starts a controller and waits until it accepts work. */
  async startController(env: Readonly<Record<string, string>> = {}): Promise<Program> {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const program = this.launch(
      "controller",
      process.execPath,
      ["controller.js"],
      join(this.folder, "controller"),
      url,
      {
        PORT: String(port),
        HOST: "127.0.0.1",
        FUNCTIONS_TABLE: this.value("functions_table"),
        API_KEYS_TABLE: this.value("api_keys_table"),
        DEAD_LETTER_QUEUE_URL: this.value("dead_letter_queue_url"),
        KEY_REQUESTS_PER_MINUTE: "1000000",
        ...env,
      },
    );
    await until(`${program.name} accepts work`, () => this.hasEnded(program) || answersOk(`${url}/health`), READY_MS);
    return this.alive(program);
  }

  /** Starts a worker and waits until it polls. */
  async startWorker(env: Readonly<Record<string, string>> = {}): Promise<Program> {
    const folder = mkdtempSync(join(this.folder, "w-"));
    const program = this.launch("worker", workerPython(), ["-B", "-m", "nanogrid_worker"], folder, "", {
      PYTHONPATH: resolve("userdata/worker"),
      GCP_BUCKET_NAME: ARCHIVE,
      RUNTIME_IMAGE_PYTHON: runtimeImage("python"),
      RUNTIME_IMAGE_NODE: runtimeImage("node"),
      RUN_DIR: join(folder, "run"),
      CACHE_DIR: join(folder, "cache"),
      POLL_WAIT_S: "2",
      ...env,
    });
    const ready = () => this.hasEnded(program) || program.records().some(({ event }) => event === "worker is ready");
    await until(`${program.name} polls`, ready, READY_MS);
    return this.alive(program);
  }

  /** Starts Redis again on its port, empty. */
  async restartRedis(): Promise<void> {
    const { port } = this.redis;
    await this.redis.stop();
    this.redis = await startRedis({ port });
  }

  /** Asks a controller, or whatever stands before several. @throws Error on anything but 2xx */
  async ask<T>(url: string, method: string, path: string, { json, headers, timeoutMs = 60_000 }: Ask = {}): Promise<T> {
    const answer = await fetch(`${url}${path}`, {
      method,
      body: json === undefined ? undefined : JSON.stringify(json),
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(json === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await answer.text();
    if (!answer.ok) {
      throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    }
    return JSON.parse(text) as T;
  }

  /** Uploads a function's source. @returns its id */
  async createFunction(url: string, code: string, fields: object = {}, headers = {}): Promise<string> {
    const body = { name: "test", code, ...fields };
    const made = await this.ask<{ functionId: string }>(url, "POST", "/v1/functions", { json: body, headers });
    return made.functionId;
  }

  /** Calls and takes the job. @returns its id */
  async invokeAsync(url: string, functionId: string, input: unknown = null, headers = {}): Promise<string> {
    const path = `/v1/functions/${functionId}/invocations?mode=async`;
    return (await this.ask<{ jobId: string }>(url, "POST", path, { json: input, headers })).jobId;
  }

  /** Waits until a job is final. */
  async result(url: string, jobId: string, timeoutMs = 60_000, headers = {}): Promise<Result> {
    let result: Result | undefined;
    const look = async () => {
      result = (await this.ask<{ result?: Result }>(url, "GET", `/v1/jobs/${jobId}`, { headers })).result;
      return result !== undefined;
    };
    await until(`${jobId} is final`, look, timeoutMs);
    return result as Result;
  }

  /** Ends everything. */
  async close(): Promise<void> {
    await Promise.all(this.programs.map((program) => program.stop()));
    await Promise.all([this.redis.stop(), this.standIns.stop()]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private value(name: string): string {
    const value = this.values[name];
    if (value === undefined) {
      throw new Error(`nanogrid-data has no output ${name}; there are ${Object.keys(this.values).join(", ")}`);
    }
    return value;
  }

  private launch(
    kind: string,
    command: string,
    args: readonly string[],
    cwd: string,
    url: string,
    env: Readonly<Record<string, string>>,
  ): Program {
    this.counter += 1;
    const name = `${kind}-${this.counter}`;
    const log = join(this.folder, `${name}.log`);
    const output = openSync(join(this.folder, `${name}.out`), "a");
    const child = spawn(command, args, {
      cwd,
      env: {
        ...withoutAccounts(process.env),
        ...this.clouds,
        ENVIRONMENT,
        S3_CODE_BUCKET: this.value("code_bucket"),
        S3_USER_DATA_BUCKET: this.value("user_data_bucket"),
        JOBS_TABLE: this.value("jobs_table"),
        SQS_QUEUE_URL: this.value("queue_url"),
        REDIS_HOST: "127.0.0.1",
        REDIS_PORT: String(this.redis.port),
        REDIS_TLS: "false",
        LOG_FILE: log,
        ...env,
      },
      stdio: ["ignore", output, output],
    });
    const gone = once(child, "exit");
    const end = async (signal: NodeJS.Signals) => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
        const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
        await gone;
        clearTimeout(timer);
      }
    };
    const program = {
      name,
      process: child,
      url,
      records: () => recordsOf(log),
      kill: () => end("SIGKILL"),
      stop: () => end("SIGTERM"),
    };
    this.programs.push(program);
    return program;
  }

  private hasEnded({ process: child }: Program): boolean {
    return child.exitCode !== null || child.signalCode !== null;
  }

  private alive(program: Program): Program {
    if (this.hasEnded(program)) {
      const said = readFileSync(join(this.folder, `${program.name}.out`), "utf8");
      throw new Error(`${program.name} has ended: ${said}\n${JSON.stringify(program.records().slice(-5))}`);
    }
    return program;
  }
}

const ARCHIVE = "archive";

async function createArchive(port: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/storage/v1/b`, {
    method: "POST",
    body: JSON.stringify({ name: ARCHIVE }),
    headers: { "content-type": "application/json" },
  });
  if (!answer.ok) {
    throw new Error(`the archive's bucket was not made: ${answer.status} ${await answer.text()}`);
  }
}

async function keyFor(
  values: Readonly<Record<string, string>>,
  clouds: Record<string, string>,
  tenant: string,
  role: Role,
): Promise<string> {
  const credentials = { AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" };
  Object.assign(process.env, credentials);
  const aws = createAws({ region: clouds.AWS_REGION ?? "", awsEndpointUrl: clouds.AWS_ENDPOINT_URL });
  try {
    return await createKey(aws.dynamo, values.api_keys_table ?? "", { tenant, role, name: "tests" });
  } finally {
    aws.close();
  }
}

function unpackController(folder: string): void {
  const { file } = controllerArtifact();
  for (const [path, content] of Object.entries(unzipSync(readFileSync(file)))) {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
  }
}

function recordsOf(log: string): Record<string, unknown>[] {
  if (!existsSync(log)) {
    return [];
  }
  return readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => line.endsWith("}"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
