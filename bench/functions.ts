/**
 * What running a function costs, against plain `docker run` of the same function in the same run: warm and first runs, throughput, accepting
 * a call, and where the time of a synchronous call goes.
 *
 * The kinds take turns, so that a change in the machine's speed meets all of them.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PutItemCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { Command } from "commander";
import { Redis } from "ioredis";
import { Grid, gridMissing, type Program, type Result } from "../__tests__/support/grid";
import { until } from "../__tests__/support/servers";
import { wholeNumber } from "../commands/support/arguments";
import { createAws } from "../userdata/controller/src/aws";
import { runtimeImage } from "../userdata/worker/artifact";
import { median, spread, writeSection } from "./support/report";

const CODE = "def handler(event):\n    return {'doubled': event * 2}\n";
const SLOTS = 2;
const DRAIN_MS = 300_000;
/** Before what is timed alone: what the one before leaves to be done (a message to delete, a container to remove) must not count against it. */
const QUIET_MS = 250;
/** What a job's message has of a small function's code, its hash and the job's other fields, in bytes. */
const MESSAGE_BYTES = 820;
/** Archiving is off the response path, but its stand-in shares a process with AWS's. */
const NO_ARCHIVE = { GCP_BUCKET_NAME: "" };

/** What each figure is held against, as multiples of its peer. */
const LIMITS = { warm: 0.05, cold: 1.15, warmRate: 10, coldRate: 0.8, accept: 1.5 };

interface Options {
  readonly runs: number;
  readonly write: boolean;
}

async function main(): Promise<void> {
  const { runs, write } = new Command("bench:functions")
    .description("Times runs of a function against plain `docker run` of it.")
    .option("-n, --runs <number>", "counted runs of each kind", wholeNumber(1), 20)
    .option("--write", "write the tables to docs/benchmarks.md", false)
    .parse()
    .opts<Options>();
  const missing = gridMissing();
  if (missing) {
    throw new Error(`The benchmark cannot run here: ${missing}.`);
  }
  const grid = await Grid.start();
  try {
    const bench = new Bench(grid, runs);
    const tables = [await bench.single(), await bench.throughput(), await bench.accepting(), await bench.parts()];
    const machine = `Medians (minimum – maximum) of ${runs} runs on ${cpus().length} cores (${cpus()[0]?.model}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node.js ${process.version}. ${engineText()} AWS is the stand-in, on the same machine.`;
    const text = [machine, ...tables].join("\n\n");
    console.log(text);
    if (write) {
      writeSection("docs/benchmarks.md", "functions", text);
    }
  } finally {
    await grid.close();
  }
}

/** The engine, and whether a plain container gets its network, as it does on the workers' machines: making it takes time. */
function engineText(): string {
  const ask = (...args: string[]) => execFileSync("docker", args, { encoding: "utf8" }).trim();
  const networks = ask("network", "ls", "--format", "{{.Name}}").split("\n");
  const bridge = networks.includes("bridge") ? "with its default bridge" : "without a bridge";
  return `Docker ${ask("version", "--format", "{{.Server.Version}}")} ${bridge}.`;
}

class Bench {
  constructor(
    private readonly grid: Grid,
    private readonly runs: number,
  ) {}

  /** One run at a time: warm, and in a container that is made for it. */
  async single(): Promise<string> {
    const controller = await this.grid.startController();
    const warmWorker = await this.grid.startWorker(NO_ARCHIVE);
    const functionId = await this.grid.createFunction(controller.url, CODE);
    const warm = await this.handled(warmWorker, this.runs * 5, () => this.call(controller, functionId), "warm");
    await warmWorker.stop();

    const coldWorker = await this.grid.startWorker({ ...NO_ARCHIVE, WARM_MAX: "0", PREWARMED: "0" });
    const plain = new PlainDocker();
    const cold: number[] = [];
    const bare: number[] = [];
    const forks = forkMilliseconds(this.runs * 5);
    for (let round = 0; round < this.runs; round++) {
      await sleep(QUIET_MS);
      bare.push(plain.once());
      cold.push(...(await this.handled(coldWorker, 1, () => this.call(controller, functionId), "cold")));
    }
    await Promise.all([coldWorker.stop(), controller.stop()]);
    plain.close();
    const peer = median(bare);
    const p99 = percentile(warm, 0.99);
    return table("From the message's arrival to the result's publication", "ms", [
      ["plain `docker run` of the same function", spread(bare, 0), "1.00", ""],
      [
        "first run, in a hardened container made for it",
        spread(cold, 0),
        ratio(median(cold), peer),
        `≤ ${LIMITS.cold}`,
      ],
      ["warm run", spread(warm, 1), ratio(median(warm), peer, 3), `≤ ${LIMITS.warm}`],
      ["warm run, 99th percentile", p99.toFixed(1), `${(p99 / median(warm)).toFixed(1)} of the median`, "≤ 3"],
      ["a fork of a warm interpreter, which bounds it from below", spread(forks, 1), ratio(median(forks), peer, 3), ""],
    ]);
  }

  /** Many at a time. */
  async throughput(): Promise<string> {
    const controller = await this.grid.startController();
    const functionId = await this.grid.createFunction(controller.url, CODE);
    const plain = new PlainDocker();
    const count = Math.max(20, this.runs);
    const loop = await rate(count, () => plain.inParallel(count, SLOTS));
    plain.close();
    const drained = async (env: Record<string, string>, jobs: number) => {
      for (let n = 0; n < jobs; n++) {
        await this.grid.invokeAsync(controller.url, functionId, n);
      }
      const worker = await this.grid.startWorker({ CONCURRENCY: String(SLOTS), ...NO_ARCHIVE, ...env });
      const ended = () => worker.records().filter(({ event }) => event === "job ended");
      await until("the queue is drained", () => ended().length === jobs, DRAIN_MS);
      await worker.stop();
      return rateOf(ended());
    };
    const cold = await drained({ WARM_MAX: "0", PREWARMED: "0" }, count);
    const warm = await drained({}, count * 10);
    await controller.stop();
    return table(`Jobs a second, ${SLOTS} at a time`, "jobs/s", [
      ["`docker run` in a loop", loop.toFixed(1), "1.00", ""],
      ["first runs", cold.toFixed(1), ratio(cold, loop), `≥ ${LIMITS.coldRate}`],
      ["warm runs", warm.toFixed(1), ratio(warm, loop), `≥ ${LIMITS.warmRate}`],
    ]);
  }

  /** An asynchronous call against the database and queue calls that it makes. */
  async accepting(): Promise<string> {
    const controller = await this.grid.startController();
    const functionId = await this.grid.createFunction(controller.url, CODE);
    const bare = this.bareCalls(functionId);
    const client = new LeanClient(`${controller.url}/v1/functions/${functionId}/invocations?mode=async`, this.grid.key);
    const accepted: number[] = [];
    const called: number[] = [];
    for (let round = -10; round < this.runs * 3; round++) {
      await sleep(QUIET_MS);
      const ours = await timed(() => client.post(round));
      await sleep(QUIET_MS);
      const theirs = await timed(() => bare.accept(round));
      if (round >= 0) {
        accepted.push(ours);
        called.push(theirs);
      }
    }
    bare.close();
    client.close();
    await controller.stop();
    return table("Accepting an asynchronous call", "ms", [
      ["the bare calls: PutItem, SendMessage", spread(called, 1), "1.00", ""],
      ["202 over HTTP", spread(accepted, 1), ratio(median(accepted), median(called)), `≤ ${LIMITS.accept}`],
    ]);
  }

  /** Where the time of a warm synchronous call goes. */
  async parts(): Promise<string> {
    const [controller, worker] = await Promise.all([this.grid.startController(), this.grid.startWorker(NO_ARCHIVE)]);
    const functionId = await this.grid.createFunction(controller.url, CODE);
    await this.call(controller, functionId);
    const results: { result: Result; total: number }[] = [];
    for (let round = 0; round < this.runs * 3; round++) {
      await sleep(QUIET_MS);
      const began = performance.now();
      results.push({ result: await this.call(controller, functionId), total: performance.now() - began });
    }
    const bare = this.bareCalls(functionId);
    const calls = await bare.medians(this.runs * 3);
    bare.close();
    const total = median(results.map(({ total: value }) => value));
    const handled = median(handledOf(worker).slice(-results.length));
    const queued = median(results.map(({ result }) => result.queue_ms));
    const run = median(results.map(({ result }) => result.duration_ms));
    await Promise.all([controller.stop(), worker.stop()]);
    const cloud = calls.put + calls.send + calls.claim + calls.finish;
    const waiting = Math.max(0, queued - calls.claim);
    const ours = Math.max(0, total - cloud - waiting - run - calls.redis);
    return table("A warm synchronous call over HTTP, by part", "ms", [
      ["from the client's request to its answer", total.toFixed(1), "1.00", ""],
      [
        "DynamoDB in the stand-in: PutItem, claim, finish",
        (calls.put + calls.claim + calls.finish).toFixed(1),
        ratio(calls.put + calls.claim + calls.finish, total),
        "",
      ],
      ["SQS in the stand-in: SendMessage", calls.send.toFixed(1), ratio(calls.send, total), ""],
      ["SQS in the stand-in: from sent to received", waiting.toFixed(1), ratio(waiting, total), ""],
      ["Redis: SET and PUBLISH", calls.redis.toFixed(1), ratio(calls.redis, total), ""],
      ["the user's code", run.toFixed(1), ratio(run, total), ""],
      ["ours: HTTP, checks, the container's round trip", ours.toFixed(1), ratio(ours, total), ""],
      ["in the worker, from received to published", handled.toFixed(1), ratio(handled, total), ""],
    ]);
  }

  private call(controller: Program, functionId: string): Promise<Result> {
    const path = `/v1/functions/${functionId}/invocations`;
    return this.grid.ask<Result>(controller.url, "POST", path, { json: 21 });
  }

  /** Calls so often, and gives the worker's own times of those that started in this way. */
  private async handled(worker: Program, count: number, call: () => Promise<Result>, start: string): Promise<number[]> {
    const warmUp = start === "warm" ? 5 : 0;
    const ids = new Set<string>();
    for (let round = 0; round < count + warmUp; round++) {
      await sleep(QUIET_MS);
      const result = await call();
      if (round >= warmUp) {
        if (result.start !== start) {
          throw new Error(`a run started ${result.start}, expected ${start}`);
        }
        ids.add(result.job_id);
      }
    }
    // A worker logs a job after it has told its result.
    await until("every job is in the worker's log", () => handledOf(worker, ids).length === ids.size);
    return handledOf(worker, ids);
  }

  /** The calls that a job costs, made by the SDK alone on items of the same size. */
  private bareCalls(functionId: string) {
    const { grid } = this;
    const aws = createAws({ region: "ap-northeast-2", awsEndpointUrl: `http://127.0.0.1:${grid.standIns.ports.aws}` });
    const redis = new Redis({ host: "127.0.0.1", port: grid.redis.port });
    const TableName = grid.values.jobs_table;
    const key = (n: number) => ({ jobId: { S: `bench_${n}` } });
    const item = (n: number) => ({
      ...key(n),
      tenant: { S: "bench" },
      functionId: { S: functionId },
      functionVersion: { N: "1" },
      status: { S: "PENDING" },
      attempts: { N: "0" },
      createdAt: { S: new Date().toISOString() },
      expiresAt: { N: "2000000000" },
    });
    const body = JSON.stringify({ job_id: "bench", rest: "x".repeat(MESSAGE_BYTES), function_id: functionId });
    // A queue of its own: the workers must not see these.
    const QueueUrl = grid.values.dead_letter_queue_url;
    const put = (n: number) => aws.dynamo.send(new PutItemCommand({ TableName, Item: item(n) }));
    const send = () => aws.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: body, MessageGroupId: "bench" }));
    const update = (n: number) =>
      aws.dynamo.send(
        new UpdateItemCommand({
          TableName,
          Key: key(n),
          UpdateExpression: "SET #s = :s, leaseOwner = :o",
          ConditionExpression: "attribute_exists(jobId)",
          ExpressionAttributeNames: { "#s": "status" },
          ExpressionAttributeValues: { ":s": { S: "PROCESSING" }, ":o": { S: "bench" } },
        }),
      );
    const tell = () => redis.pipeline().set("bench", body).publish("bench", body).exec();
    return {
      accept: async (n: number) => {
        await put(n);
        await send();
      },
      medians: async (count: number) => {
        const times: Record<"put" | "send" | "claim" | "finish" | "redis", number[]> = {
          put: [],
          send: [],
          claim: [],
          finish: [],
          redis: [],
        };
        for (let n = 0; n < count; n++) {
          times.put.push(await timed(() => put(n)));
          times.send.push(await timed(send));
          times.claim.push(await timed(() => update(n)));
          times.finish.push(await timed(() => update(n)));
          times.redis.push(await timed(tell));
        }
        return {
          put: median(times.put),
          send: median(times.send),
          claim: median(times.claim),
          finish: median(times.finish),
          redis: median(times.redis),
        };
      },
      close: () => {
        aws.close();
        redis.disconnect();
      },
    };
  }
}

/** Posts over one connection with as little of its own as Node.js can: what `fetch` adds is the caller's, not the service's. */
class LeanClient {
  private readonly agent = new Agent({ keepAlive: true });

  constructor(
    private readonly url: string,
    private readonly key: string,
  ) {}

  /** @throws Error on anything but 202 */
  async post(event: unknown): Promise<void> {
    const headers = { authorization: `Bearer ${this.key}`, "content-type": "application/json" };
    const sent = request(this.url, { method: "POST", agent: this.agent, headers });
    sent.end(JSON.stringify(event));
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    answer.resume();
    await once(answer, "end");
    if (answer.statusCode !== 202) {
      throw new Error(`expected 202, got ${answer.statusCode}`);
    }
  }

  close(): void {
    this.agent.destroy();
  }
}

/** `docker run` of the same function in the same image, with no protection at all. */
class PlainDocker {
  private readonly folder = mkdtempSync(join(tmpdir(), "bench-"));
  private readonly args: string[];

  constructor() {
    // The image's user reads it.
    chmodSync(this.folder, 0o755);
    writeFileSync(join(this.folder, "main.py"), CODE);
    this.args = [
      "run",
      "--rm",
      "--volume",
      `${this.folder}:/function:ro`,
      "--entrypoint",
      "python3",
      runtimeImage("python"),
    ];
    this.args.push(
      "-c",
      "import sys; sys.path.insert(0, '/function'); import json, main; print(json.dumps(main.handler(21)))",
    );
  }

  /** Milliseconds of one run. */
  once(): number {
    const began = performance.now();
    execFileSync("docker", this.args, { stdio: "ignore" });
    return performance.now() - began;
  }

  /** Runs so many, some at once. */
  async inParallel(count: number, slots: number): Promise<void> {
    let left = count;
    const slot = async () => {
      while (left-- > 0) {
        const [code] = await once(spawn("docker", this.args, { stdio: "ignore" }), "exit");
        if (code !== 0) {
          throw new Error(`docker run ended with ${code}`);
        }
      }
    };
    await Promise.all(Array.from({ length: slots }, slot));
  }

  close(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** What a worker took for jobs, from their message's arrival to their result's publication. */
function handledOf(worker: Program, ids?: ReadonlySet<string>): number[] {
  return worker
    .records()
    .filter(({ event, job_id }) => event === "job ended" && (ids === undefined || ids.has(String(job_id))))
    .map(({ handled_ms }) => Number(handled_ms));
}

/** Milliseconds of a fork of a Python process that is up, until its child is gone. */
function forkMilliseconds(count: number): number[] {
  const script = [
    "import json, os, sys, time",
    "times = []",
    "for _ in range(int(sys.argv[1])):",
    "    began = time.perf_counter()",
    "    pid = os.fork()",
    "    if pid == 0:",
    "        os._exit(0)",
    "    os.waitpid(pid, 0)",
    "    times.append((time.perf_counter() - began) * 1000)",
    "print(json.dumps(times))",
  ].join("\n");
  return JSON.parse(execFileSync("python3", ["-c", script, String(count)], { encoding: "utf8" })) as number[];
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

async function rate(count: number, act: () => Promise<void>): Promise<number> {
  return (count * 1_000) / (await timed(act));
}

/** Jobs a second, the first of each slot left out: those make what the others find. */
function rateOf(ended: readonly Record<string, unknown>[]): number {
  const times = ended.map(({ timestamp }) => Date.parse(String(timestamp))).slice(SLOTS);
  return ((times.length - 1) * 1_000) / ((times.at(-1) ?? 0) - (times[0] ?? 0));
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function ratio(value: number, peer: number, decimals = 2): string {
  return (value / peer).toFixed(decimals);
}

function table(title: string, unit: string, rows: readonly (readonly string[])[]): string {
  return [
    `| ${title} | ${unit} | ratio | limit |`,
    "|---|---:|---:|---:|",
    ...rows.map((row) => `| ${row.join(" | ")} |`),
  ].join("\n");
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
