/**
 * Serves one run, for runner.mjs: waits for the job on file descriptor 3, calls the handler, and answers there. Both ways it
 * is a 4-byte big-endian length and JSON. After its answer the runner ends the process.
 */
import { existsSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";

const CHANNEL = 3;
const CODE = "/function";
const EXTENSIONS = [".mjs", ".js", ".cjs"];
const MAX_TRACEBACK_BYTES = 16 * 1024;
const MAX_MESSAGE_BYTES = 4 * 1024;

/** Something about the handler's name or module is wrong; `name` says what. */
class HandlerError extends Error {
  constructor(name, message) {
    super(message);
    this.name = name;
  }
}

let hasReported = false;

/** Waits for the job. Nothing else is there to do, so that it may block. */
function receive() {
  return JSON.parse(exactly(exactly(4).readUInt32BE(0)));
}

function exactly(count) {
  const data = Buffer.alloc(count);
  for (let at = 0; at < count; ) {
    const read = readSync(CHANNEL, data, at, count - at, null);
    if (read === 0) {
      process.exit(0);
    }
    at += read;
  }
  return data;
}

/** The environment of the user's code: the usual, and what the job says. */
function setEnvironment(job) {
  const { PATH, HOME, TMPDIR, LANG } = process.env;
  for (const name of Object.keys(process.env)) {
    delete process.env[name];
  }
  Object.assign(process.env, { PATH, HOME, TMPDIR, LANG }, job.environment, { NANOGRID_JOB_ID: job.job_id });
}

/** The function that `module.function` names, of an ES module or a CommonJS one. */
async function handlerOf(name) {
  const parts = name.split(".");
  const exported = parts.pop();
  const module = join(CODE, ...parts);
  const file = EXTENSIONS.map((extension) => module + extension).find(existsSync);
  if (file === undefined) {
    const tried = EXTENSIONS.map((extension) => parts.join("/") + extension).join(", ");
    throw new HandlerError("ModuleNotFound", `The function's zip has none of ${tried}.`);
  }
  const loaded = await import(pathToFileURL(file).href);
  const handler = loaded[exported] ?? loaded.default?.[exported];
  if (typeof handler !== "function") {
    throw new HandlerError("HandlerNotFound", `${parts.join("/")} exports no function named ${exported}.`);
  }
  return handler;
}

/** Calls the handler; the report of what came of it. */
async function call(job) {
  let started = performance.now();
  try {
    const handler = await handlerOf(job.handler);
    started = performance.now();
    const output = (await handler(job.input)) ?? null;
    const durationMs = performance.now() - started;
    const encoded = JSON.stringify(output) ?? "null";
    const bytes = Buffer.byteLength(encoded);
    if (bytes > job.max_output_bytes) {
      const message = `The output has ${bytes} bytes as JSON; ${job.max_output_bytes} are allowed.`;
      return withDuration(failure("output_too_large", message, null), durationMs);
    }
    const report = { ok: true, reason: "ok", message: "", output: JSON.parse(encoded), error: null };
    return withDuration(report, durationMs);
  } catch (error) {
    return withDuration(failed(error), performance.now() - started);
  }
}

function withDuration(report, durationMs) {
  return { ...report, duration_ms: durationMs };
}

/** The report of whatever was thrown. */
function failed(thrown) {
  return failure("exception", "The function threw an error.", {
    type: thrown instanceof Error ? String(thrown.name) : typeof thrown,
    message: clip(
      textOf(() => (thrown instanceof Error ? thrown.message : thrown)),
      MAX_MESSAGE_BYTES,
    ),
    traceback: clip(
      textOf(() => inspect(thrown, { depth: 3 })),
      MAX_TRACEBACK_BYTES,
    ),
  });
}

function failure(reason, message, error) {
  return { ok: false, reason, message, output: null, error };
}

/** A text that the user's own code may have a hand in making. */
function textOf(make) {
  try {
    return String(make());
  } catch (error) {
    return `(cannot be shown: ${error})`;
  }
}

/** The beginning of a text, in at most maxBytes of UTF-8. */
function clip(text, maxBytes) {
  const bytes = Buffer.from(text);
  return bytes.length <= maxBytes ? text : bytes.toString("utf8", 0, maxBytes).replace(/\uFFFD$/, "");
}

/** Answers, once. */
function answer(report) {
  if (hasReported) {
    return;
  }
  hasReported = true;
  const payload = Buffer.from(JSON.stringify(report));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(payload.length);
  const message = Buffer.concat([length, payload]);
  for (let at = 0; at < message.length; ) {
    at += writeSync(CHANNEL, message, at);
  }
}

const job = receive();
for (const stream of [process.stdout, process.stderr]) {
  // Printing waits for the reader: a flood would else pile up in this process' memory, and an exit would lose the end.
  stream._handle?.setBlocking?.(true);
}
setEnvironment(job);
// What is thrown outside of the handler's promise, by a timer say, ends the run as well.
process.on("uncaughtException", (error) => answer(failed(error)));
process.on("beforeExit", () => {
  const message = "The handler's promise was never settled, and nothing is left that could settle it.";
  answer(failed(new HandlerError("UnsettledPromise", message)));
});
call(job).then(answer);
