/** `nanogrid logs` and `nanogrid jobs`: what has run, what runs, what is left of it. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Api } from "../../../userdata/controller/page/client/api";
import type { FunctionView, JobSummary, JobView, ResultDocument } from "../../../userdata/controller/page/client/types";
import { ago, elapsed, outcome, size } from "../../../userdata/controller/page/client/words";
import { apiCommand, type CommonOptions, connect, findFunction, localCommand, pages } from "../context";
import { EXIT, Failure } from "../failure";
import { summary, waitFor } from "../follow";
import { facts, json, plain, print, say, table } from "../output";

interface LogsOptions extends CommonOptions {
  readonly follow?: boolean;
}

export function logsCommand(): Command {
  return apiCommand({
    usage: "logs <job>",
    summary: "Print the log of a job.",
    examples: ["logs job_01JD8Q4YB3R6Z7K2M5N8P0QWES -f"],
  })
    .option("-f, --follow", "go on until the job has ended")
    .action(async (jobId: string, options: LogsOptions) => {
      const api = connect(options);
      const path = jobPath(jobId);
      if (options.follow) {
        const onLog = options.json ? undefined : (text: string) => void process.stdout.write(text);
        const ended = await waitFor(api, jobId, { onLog });
        say(summary(ended));
        if (options.json) {
          print(json({ jobId, logs: ended.result.logs, truncated: ended.result.logs_truncated }));
        }
        return;
      }
      const logs = await (await api.send("GET", `${path}/logs`)).text();
      if (options.json) {
        print(json({ jobId, logs }));
      } else {
        process.stdout.write(logs);
      }
    });
}

export function jobsCommand(): Command {
  const command = localCommand({
    usage: "jobs",
    summary: "Look at jobs, cancel them, fetch their files.",
    examples: ["jobs ls --function hello"],
  });
  command.addCommand(listCommand(), { isDefault: true });
  command.addCommand(showCommand());
  command.addCommand(cancelCommand());
  command.addCommand(filesCommand());
  return command;
}

interface ListOptions extends CommonOptions {
  readonly function?: string;
  readonly status?: string;
  readonly limit: number;
}

function listCommand(): Command {
  const statuses = ["PENDING", "PROCESSING", "SUCCESS", "FAILED", "CANCELLED"];
  return apiCommand({
    usage: "ls",
    summary: "List jobs, newest first.",
    examples: ["jobs ls --function hello --status FAILED --limit 5"],
  })
    .option("--function <name>", "only those of this function, by name or id")
    .addOption(new Option("--status <status>", "only those with this status").choices(statuses))
    .option("--limit <count>", "how many at most", limit, 20)
    .action(async (options: ListOptions) => {
      const api = connect(options);
      const fn = options.function === undefined ? undefined : await findFunction(api, options.function);
      const query = new URLSearchParams({ limit: String(Math.min(100, options.limit)) });
      for (const [name, value] of Object.entries({ functionId: fn?.functionId, status: options.status })) {
        if (value !== undefined) {
          query.set(name, value);
        }
      }
      const jobs: JobSummary[] = [];
      for await (const job of pages<JobSummary>(api, `/v1/jobs?${query}`)) {
        jobs.push(job);
        if (jobs.length === options.limit) {
          break;
        }
      }
      if (options.json) {
        print(json(jobs));
      } else if (jobs.length === 0) {
        say("No job.");
      } else {
        const names = await namesOf(api, fn);
        const rows = jobs.map((job) => [
          job.jobId,
          `${names.get(job.functionId) ?? job.functionId}${job.kind === "build" ? " (build)" : ""}`,
          job.functionVersion,
          outcome(job),
          elapsed(job) || "–",
          ago(job.createdAt, Date.now()),
        ]);
        print(table(["JOB", "FUNCTION", "VERSION", "STATUS", "TOOK", "QUEUED"], rows));
      }
    });
}

function limit(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 10_000) {
    throw new InvalidArgumentError("Expected a whole number from 1 to 10000.");
  }
  return value;
}

async function namesOf(api: Api, fn: FunctionView | undefined): Promise<ReadonlyMap<string, string>> {
  if (fn) {
    return new Map([[fn.functionId, fn.name]]);
  }
  const names = new Map<string, string>();
  for await (const { functionId, name } of pages<FunctionView>(api, "/v1/functions?limit=100")) {
    names.set(functionId, name);
  }
  return names;
}

function showCommand(): Command {
  return apiCommand({
    usage: "show <job>",
    summary: "Show a job and, when it has ended, its result.",
    examples: ["jobs show job_01JD8Q4YB3R6Z7K2M5N8P0QWES"],
  }).action(async (jobId: string, options: CommonOptions) => {
    const { result, ...job } = await connect(options).get<JobView>(jobPath(jobId));
    if (options.json) {
      print(json({ ...job, result }));
      return;
    }
    print(
      facts([
        ["job", job.jobId],
        ["function", `${job.functionId}, version ${job.functionVersion}`],
        ["status", outcome(job)],
        ["attempts", job.attempts],
        ["queued", ago(job.createdAt, Date.now())],
        ["took", elapsed(job)],
        ["last error", job.lastError?.message],
        ["callback", job.callback && `${job.callback.url}: ${job.callback.status.toLowerCase()}`],
      ]),
    );
    if (result) {
      print(`\n${summary({ job, result })}`);
      if (result.status === "SUCCESS") {
        print(json(result.output ?? null));
      }
    }
  });
}

function cancelCommand(): Command {
  return apiCommand({
    usage: "cancel <job>",
    summary: "Cancel a job that waits or runs.",
    examples: ["jobs cancel job_01JD8Q4YB3R6Z7K2M5N8P0QWES"],
  }).action(async (jobId: string, options: CommonOptions) => {
    const job = await connect(options).call<JobView>("POST", `${jobPath(jobId)}/cancellation`, { idempotent: true });
    if (options.json) {
      print(json(job));
    } else {
      say(`✔ ${job.jobId} is ${outcome(job)}.`);
    }
  });
}

interface FilesOptions extends CommonOptions {
  readonly output?: string;
}

type OutputFile = ResultDocument["files"][number];

function filesCommand(): Command {
  return apiCommand({
    usage: "files <job>",
    summary: "List the files that a job has left in /output, or fetch them.",
    examples: ["jobs files job_01JD8Q4YB3R6Z7K2M5N8P0QWES -o out"],
  })
    .option("-o, --output <folder>", "fetch them into this folder")
    .action(async (jobId: string, options: FilesOptions) => {
      const api = connect(options);
      const { status, result } = await api.get<JobView>(jobPath(jobId));
      if (!result) {
        throw new Failure(`${jobId} has no result (it is ${outcome({ status })}).`, "Wait for its end.", EXIT.failed);
      }
      const { files } = result;
      if (options.output !== undefined) {
        for (const file of files) {
          await fetchFile(api, jobId, file, options.output);
        }
      }
      if (options.json) {
        print(json(files));
      } else if (options.output === undefined) {
        print(
          files.length === 0
            ? "No file."
            : table(
                ["FILE", "SIZE"],
                files.map(({ name, bytes }) => [name, size(bytes)]),
              ),
        );
      }
    });
}

async function fetchFile(api: Api, jobId: string, { name, sha256 }: OutputFile, folder: string): Promise<void> {
  const target = resolve(folder, name);
  // Names are the function's: none may lead out of the folder.
  const inside = relative(resolve(folder), target);
  if (inside === "" || inside === ".." || inside.startsWith(`..${sep}`)) {
    throw new Failure(
      `The file ${JSON.stringify(name)} would lie outside of ${folder}.`,
      "Look at the function.",
      EXIT.failed,
    );
  }
  const response = await api.send("GET", `${jobPath(jobId)}/files/${encodeURIComponent(name)}`);
  const content = new Uint8Array(await response.arrayBuffer());
  if (createHash("sha256").update(content).digest("hex") !== sha256) {
    throw new Failure(`${name} has not the hash of the result.`, "Fetch it again.", EXIT.failed);
  }
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, content);
  say(`${plain(join(folder, name))} (${size(content.length)})`);
}

/** @throws Failure when it is not the id of a job */
function jobPath(jobId: string): string {
  if (!/^job_[0-9A-Z]{26}$/.test(jobId)) {
    throw new Failure(
      `${JSON.stringify(jobId)} is not the id of a job.`,
      "nanogrid jobs ls lists those that there are.",
    );
  }
  return `/v1/jobs/${jobId}`;
}
