/** `nanogrid invoke`: calls a function. The result goes to stdout, the log and all else to stderr. */
import { randomUUID } from "node:crypto";
import { fstatSync, readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import type { Api } from "../../../userdata/controller/page/client/api";
import type { FunctionView, JobView } from "../../../userdata/controller/page/client/types";
import { apiCommand, type CommonOptions, connect, findFunction } from "../context";
import { EXIT, Failure } from "../failure";
import { summary, waitFor } from "../follow";
import { json, print, say } from "../output";

interface InvokeOptions extends CommonOptions {
  readonly data?: string;
  readonly file?: string;
  readonly async?: boolean;
  readonly follow?: boolean;
  readonly idempotencyKey?: string;
  readonly callback?: string;
}

export function invokeCommand(): Command {
  return apiCommand({
    usage: "invoke <function>",
    summary: "Call a function with an event and wait for its result, which goes to stdout.",
    details: "The event comes from --data, --file or stdin; null without any. Exit code 1 when the function failed.",
    examples: [
      `invoke hello --data '{"name": "Ada"}'`,
      "invoke thumbnail --file examples/thumbnail/event.json --follow",
      "invoke long-job --async --callback https://<host>/done",
    ],
  })
    .option("--data <JSON>", "the event")
    .option("--file <path>", "a file with the event")
    .option("--async", "print the job's id at once, and do not wait")
    .option("--follow", "show the log while it is written, not only at the end")
    .option("--idempotency-key <key>", "the same key and event make one job, for 24 hours (default: a new key)")
    .option("--callback <url>", "where the result is posted to as well")
    .action(invoke);
}

async function invoke(nameOrId: string, options: InvokeOptions): Promise<void> {
  const api = connect(options);
  const event = await readEvent(options);
  const fn = await findFunction(api, nameOrId);
  const job = await start(api, fn, event, options);
  if (options.async) {
    print(options.json ? json(job) : job.jobId);
    return;
  }
  const onLog = (piece: string) => void process.stderr.write(piece);
  const ended = await waitFor(api, job.jobId, options.follow ? { onLog } : {});
  const { result } = ended;
  if (!options.follow && result.logs !== "") {
    say(result.logs);
  }
  say(summary(ended, job.functionVersion === fn.version ? fn.memoryMb : undefined));
  if (options.json) {
    print(json(result));
  } else if (result.status === "SUCCESS") {
    print(json(result.output ?? null));
  }
  if (result.status !== "SUCCESS") {
    process.exitCode = EXIT.failed;
  }
}

/** Queues the call. With its key it can be sent again without a second run. */
function start(api: Api, fn: FunctionView, event: string, options: InvokeOptions): Promise<JobView> {
  return api.call<JobView>("POST", `/v1/functions/${fn.functionId}/invocations`, {
    body: event,
    headers: {
      "Content-Type": "application/json",
      Prefer: "respond-async",
      "Idempotency-Key": options.idempotencyKey ?? randomUUID(),
      ...(options.callback === undefined ? {} : { "NanoGrid-Callback-Url": options.callback }),
    },
    idempotent: true,
  });
}

async function readEvent({ data, file }: InvokeOptions): Promise<string> {
  if (data !== undefined && file !== undefined) {
    throw new Failure("The event comes from --data or --file, not from both.", "Leave one of them out.");
  }
  const [event, from] =
    data !== undefined ? [data, "--data"] : file !== undefined ? [readFile(file), file] : await readStdin();
  try {
    JSON.parse(event);
  } catch (error) {
    throw new Failure(
      `${from} is not JSON: ${error instanceof Error ? error.message : error}`,
      `An event is any JSON, such as '{"name": "Ada"}'; a text needs its quotes too.`,
    );
  }
  return event;
}

function readFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Failure(`${path} cannot be read: ${error instanceof Error ? error.message : error}`, "Name a file.");
  }
}

async function readStdin(): Promise<[event: string, from: string]> {
  const event = isGiven(0) ? await text(process.stdin) : "";
  return [event.trim() === "" ? "null" : event, "stdin"];
}

/** Whether a descriptor is a file or a pipe: not a terminal, not /dev/null, not closed. */
function isGiven(descriptor: number): boolean {
  try {
    const input = fstatSync(descriptor);
    return input.isFIFO() || input.isFile() || input.isSocket();
  } catch {
    return false;
  }
}
