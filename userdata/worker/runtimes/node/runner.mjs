/**
 * Runs a function's handler inside the sandbox, for the worker at the other end of a unix socket.
 *
 * The runner is the container's first program and outlives each run. A Node.js process cannot be forked while it lives, so
 * that a child waits, started and with child.mjs loaded, for the next `J` frame; it serves that run alone. The runner
 * passes on what the child prints (`L`), then the files that it left in /output (`F`, `B`), and its report (`R`). Nobody
 * waits for what comes then: it cleans up behind the run, and says how that went (`C`). It uses the standard library alone,
 * since the image holds nothing else.
 */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { connect } from "node:net";
import { getPriority, totalmem } from "node:os";
import { join } from "node:path";

const SOCKET = "/run/nanogrid/runner.sock";
const CODE = "/function";
const OUTPUT = "/output";
/** All that a function can write to. */
const SCRATCH = ["/tmp", OUTPUT, "/dev/shm"];
const QUEUES = "/dev/mqueue";
const SYSV_IPC = "/proc/sysvipc";
const NODE = "/usr/local/bin/node";
const CHILD = "/opt/nanogrid/child.mjs";

const HEADER_BYTES = 5;
const CHUNK = 256 * 1024;
const MIB = 1024 * 1024;
const MAX_DEPTH = 16;
/** What a report has besides the output: an error's texts, escaped as JSON in the worst case. */
const REPORT_MARGIN = 8 * (16 + 4) * 1024;
/** The longest that a timer of Node.js can wait; the worker keeps time limits beyond it. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const LOG_TAIL_BYTES = 16 * 1024;
/** How long the ends of a killed child's pipes may take to close. */
const CLOSE_MS = 2_000;

/** The heap's share of the container's memory; the rest is for buffers, stacks, this runner and the binary itself. */
const HEAP_SHARE = 0.8;
const HEAP_RESERVE_MB = 16;
const LEAST_HEAP_MB = 16;

const OOM_COUNTERS = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];
const HEAP_EXHAUSTED = "JavaScript heap out of memory";

/** Standard error becomes standard output, so that their order is kept; and the kernel should choose the function first. */
const START = 'echo 1000 >/proc/self/oom_score_adj; exec "$@" 2>&1';

/** Frames on the worker's socket: length, kind, payload. Without the worker there is nothing left to do. */
class Connection {
  #socket;
  #frames = [];
  #chunks = [];
  #size = 0;
  #wake = () => {};

  constructor(path) {
    this.#socket = connect(path);
    this.#socket.on("data", (data) => this.#take(data));
    for (const event of ["end", "error", "close"]) {
      this.#socket.on(event, () => process.exit(0));
    }
  }

  /** Waits for a frame: its kind and payload. */
  async receive() {
    while (this.#frames.length === 0) {
      await new Promise((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#frames.shift();
  }

  /** Sends a frame, and waits until there is room for another. */
  async send(kind, payload) {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32BE(payload.length);
    header.write(kind, 4, "latin1");
    this.#socket.cork();
    this.#socket.write(header);
    const hasRoom = this.#socket.write(payload);
    this.#socket.uncork();
    if (!hasRoom) {
      await new Promise((resolve) => this.#socket.once("drain", resolve));
    }
  }

  #take(data) {
    this.#chunks.push(data);
    this.#size += data.length;
    while (this.#size >= HEADER_BYTES) {
      const header = this.#joined(HEADER_BYTES);
      const end = HEADER_BYTES + header.readUInt32BE(0);
      if (this.#size < end) {
        return;
      }
      const received = this.#joined(end);
      this.#frames.push({ kind: received.toString("latin1", 4, 5), payload: received.subarray(HEADER_BYTES, end) });
      this.#chunks = [received.subarray(end)];
      this.#size -= end;
      this.#wake();
    }
  }

  /** The first chunk, which is made to have so many bytes at least. */
  #joined(bytes) {
    if (this.#chunks[0].length < bytes) {
      this.#chunks = [Buffer.concat(this.#chunks)];
    }
    return this.#chunks[0];
  }
}

/** A process that waits for one run. What it writes is read from the moment it starts. */
class Child {
  #process;
  #exited;
  #closed;
  #log = Buffer.alloc(0);
  #report = Buffer.alloc(0);
  #maxReport = 0;
  #ended;
  #end = () => {};

  /** Heap that the process was started with, in MiB. */
  heapMb;
  /** Passes on a piece of log; replaced for the run. */
  onLog = async (_data) => {};

  constructor(heapMb) {
    this.heapMb = heapMb;
    this.#process = spawn("/bin/sh", ["-c", START, "sh", NODE, `--max-old-space-size=${heapMb}`, CHILD], {
      cwd: CODE,
      env: { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: "/tmp", TMPDIR: "/tmp", LANG: "C.UTF-8" },
      detached: true,
      stdio: ["ignore", "pipe", "ignore", "pipe"],
    });
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#closed = new Promise((resolve) => {
      this.#process.once("close", resolve);
    });
    this.#exited = new Promise((resolve) => {
      this.#process.once("exit", resolve);
      this.#process.once("error", resolve);
    });
    this.#process.once("error", () => this.#end({ code: 1 }));
    this.#process.once("exit", (code, signal) => this.#end({ code, signal }));
    this.#process.stdout.on("data", (data) => this.#takeLog(data));
    this.#channel.on("data", (data) => this.#takeReport(data));
    this.#channel.on("error", () => {});
  }

  get #channel() {
    return this.#process.stdio[3];
  }

  /** Whether it still waits for a run. */
  get waits() {
    return this.#process.exitCode === null && this.#process.signalCode === null && this.#process.pid !== undefined;
  }

  /** Hands the run over, and waits until it reports, ends, reports too much or is out of time. */
  async run(payload, maxReport, timeoutMs) {
    this.#maxReport = maxReport;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(payload.length);
    this.#channel.write(length);
    this.#channel.write(payload);
    const timer = timeoutMs < LONGEST_TIMER_MS ? setTimeout(() => this.#end({ timeout: true }), timeoutMs) : undefined;
    try {
      return await this.#ended;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The most memory that it has had, in bytes; 0 when it is gone. */
  peakBytes() {
    const status = textOf(`/proc/${this.#process.pid}/status`);
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  }

  /** Kills it with all that it has left, and takes what is still in its pipes. */
  async kill() {
    this.#process.kill("SIGKILL");
    // Until its end is taken note of, which blocking would put off, kill(2) still finds it.
    await this.#exited;
    killLeftovers();
    await Promise.race([this.#closed, delay(CLOSE_MS)]);
    this.onLog = async () => {};
  }

  /** Whether the heap burst: Node.js says so, and aborts. */
  hasExhaustedHeap() {
    return this.#log.includes(HEAP_EXHAUSTED);
  }

  async #takeLog(data) {
    this.#log = Buffer.concat([this.#log, data]).subarray(-LOG_TAIL_BYTES);
    this.#process.stdout.pause();
    await this.onLog(data);
    this.#process.stdout.resume();
  }

  #takeReport(data) {
    this.#report = Buffer.concat([this.#report, data]);
    if (this.#report.length > this.#maxReport + 4) {
      this.#report = Buffer.alloc(0);
      this.#end({ isTooLarge: true });
    } else if (this.#report.length >= 4 && this.#report.length >= 4 + this.#report.readUInt32BE(0)) {
      this.#end({ report: parsed(this.#report.subarray(4)) });
    }
  }
}

/** Serves runs until the worker goes away. */
async function serve(connection) {
  let spare = new Child(heapMb());
  for (;;) {
    const { kind, payload } = await connection.receive();
    if (kind !== "J") {
      throw new Error(`expected a J frame, got ${kind}`);
    }
    await run(connection, await fitting(spare), payload);
    spare = new Child(heapMb());
  }
}

/** The spare, or another where it has died, or the container got another memory limit since it was started. */
async function fitting(spare) {
  if (spare.waits && spare.heapMb === heapMb()) {
    return spare;
  }
  await spare.kill();
  return new Child(heapMb());
}

/** Runs one job in a child and reports it. */
async function run(connection, child, payload) {
  const job = JSON.parse(payload);
  const killsBefore = oomKills();
  const started = performance.now();
  child.onLog = (data) => connection.send("L", data);
  const timeoutMs = job.deadline_s == null ? Number.POSITIVE_INFINITY : job.deadline_s * 1000;
  const ending = await child.run(payload, job.max_output_bytes + REPORT_MARGIN, timeoutMs);
  const peakBytes = child.peakBytes();
  await child.kill();
  const report = { duration_ms: performance.now() - started, ...explain(ending, child, oomKills() > killsBefore) };
  report.peak_memory_mb = peakBytes ? (peakBytes + usedBytes()) / MIB : null;
  await sendFiles(connection);
  await connection.send("R", Buffer.from(JSON.stringify(report)));
  await connection.send("C", Buffer.from(JSON.stringify({ reusable: cleanUp() })));
}

/** The report of a run, by how it has ended. */
function explain(ending, child, wasKilledForMemory) {
  if (ending.report) {
    return ending.report;
  }
  if (ending.timeout) {
    return failure("timeout", "The function did not end within its time limit.");
  }
  if (ending.isTooLarge) {
    return failure("output_too_large", "The function's report is larger than allowed.");
  }
  const burst = ending.signal === "SIGABRT" && child.hasExhaustedHeap();
  if (burst || (ending.signal === "SIGKILL" && wasKilledForMemory)) {
    return failure("out_of_memory", "The function used more memory than its limit.");
  }
  if (ending.signal) {
    return failure("exception", `The function's process was ended by ${ending.signal}.`, ending.signal);
  }
  const message = `The function's process exited with code ${ending.code} before it returned.`;
  return failure("exception", message, "ProcessExit");
}

/** A report of a run that gave no output. */
function failure(reason, message, type) {
  return { ok: false, reason, message, output: null, error: type ? { type, message, traceback: "" } : null };
}

/** A child's report; undefined when it is none. */
function parsed(bytes) {
  try {
    const report = JSON.parse(bytes);
    return typeof report?.ok === "boolean" ? report : undefined;
  } catch {
    return undefined;
  }
}

/** Sends the regular files below /output. */
async function sendFiles(connection) {
  for (const { name, fd, bytes } of outputFiles()) {
    try {
      await connection.send("F", Buffer.from(JSON.stringify({ name, bytes })));
      let remaining = bytes;
      while (remaining > 0) {
        const chunk = Buffer.alloc(Math.min(CHUNK, remaining));
        // A file cannot shrink here, since nothing else runs; its announced length is kept all the same, with zeros.
        fs.readSync(fd, chunk);
        await connection.send("B", chunk);
        remaining -= chunk.length;
      }
    } finally {
      fs.closeSync(fd);
    }
  }
}

/** Regular files: names relative to /output, opened, with their sizes. Follows no link. */
function* outputFiles(folder = "", depth = 0) {
  for (const entry of entriesOf(join(OUTPUT, folder))) {
    const name = join(folder, entry.name);
    if (entry.isDirectory() && depth < MAX_DEPTH) {
      yield* outputFiles(name, depth + 1);
    } else if (entry.isFile()) {
      const fd = opened(join(OUTPUT, name));
      if (fd !== undefined) {
        yield { name, fd, bytes: fs.fstatSync(fd).size };
      }
    }
  }
}

/** A folder's entries by name; none where it cannot be read. */
function entriesOf(folder) {
  try {
    return fs.readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return [];
  }
}

function opened(path) {
  try {
    return fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

/** Empties what a run can write to; whether nothing of it is left for the next. */
function cleanUp() {
  try {
    for (const folder of SCRATCH) {
      empty(folder);
    }
    fs.chmodSync(OUTPUT, 0o700);
    return hasNoQueues() && limitsOfRunner() === OWN_LIMITS && !killLeftovers();
  } catch {
    return false;
  }
}

function empty(folder) {
  for (const name of fs.readdirSync(folder)) {
    const path = join(folder, name);
    if (fs.lstatSync(path).isDirectory()) {
      fs.chmodSync(path, 0o700);
      empty(path);
      fs.rmdirSync(path);
    } else {
      fs.unlinkSync(path);
    }
  }
}

/** Whether no message queue, shared memory or semaphore of the kernel's is there: nobody could be seen to remove them. */
function hasNoQueues() {
  const tables = fs.existsSync(SYSV_IPC) ? fs.readdirSync(SYSV_IPC) : [];
  const isFree = (table) => textOf(join(SYSV_IPC, table)).trim().split("\n").length <= 1;
  return entriesOf(QUEUES).length === 0 && tables.every(isFree);
}

/** What a process may change of another one of its user, and thereby of the runs to come. */
function limitsOfRunner() {
  const processors = /^Cpus_allowed:.*$/m.exec(textOf("/proc/self/status"))?.[0];
  return [textOf("/proc/self/limits"), processors, getPriority()].join("\n");
}

/** Kills what a run has left behind; whether anything is left even so. Init and the runner are spared by kill(2). */
function killLeftovers() {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      process.kill(-1, "SIGKILL");
    } catch {
      return false;
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
  return true;
}

/** How many processes of this container the kernel has killed for memory. */
function oomKills() {
  const counts = OOM_COUNTERS.map((path) => /^oom_kill (\d+)$/m.exec(textOf(path))?.[1]);
  return Number(counts.find((count) => count !== undefined) ?? 0);
}

/** Bytes in use in the scratch folders, which count against the container's memory too. */
function usedBytes() {
  const used = SCRATCH.map((folder) => fs.statfsSync(folder)).map((info) => (info.blocks - info.bfree) * info.bsize);
  return used.reduce((sum, bytes) => sum + bytes, 0);
}

/** The heap that a function may have under the container's memory limit as it is now, in MiB. */
function heapMb() {
  const limitMb = Math.min(process.constrainedMemory() || totalmem(), totalmem()) / MIB;
  return Math.max(LEAST_HEAP_MB, Math.floor(limitMb * HEAP_SHARE - HEAP_RESERVE_MB));
}

/** A small file's text; empty where it cannot be read. */
function textOf(path) {
  try {
    return fs.readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function delay(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

if (process.getuid() === 0) {
  process.stderr.write("runner: runs as an unprivileged user in its sandbox only, since it kills all that it can.\n");
  process.exit(1);
}
const OWN_LIMITS = limitsOfRunner();
await serve(new Connection(SOCKET));
