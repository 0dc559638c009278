/** `nanogrid ls`, `show` and `rm`: the functions that there are. */
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { ApiProblem } from "../../../userdata/controller/page/client/api";
import type { FunctionView } from "../../../userdata/controller/page/client/types";
import { ago, duration, size } from "../../../userdata/controller/page/client/words";
import { apiCommand, type CommonOptions, connect, findFunction, pages } from "../context";
import { Failure } from "../failure";
import { facts, json, print, say, table } from "../output";

export function lsCommand(): Command {
  return apiCommand({ usage: "ls", summary: "List functions, newest first.", examples: ["ls"] }).action(
    async (options: CommonOptions) => {
      const items: FunctionView[] = [];
      for await (const item of pages<FunctionView>(connect(options), "/v1/functions?limit=100")) {
        items.push(item);
      }
      if (options.json) {
        print(json(items));
      } else if (items.length === 0) {
        say("No function yet. Deploy one: nanogrid deploy <folder>");
      } else {
        const head = ["NAME", "VERSION", "RUNTIME", "MEMORY", "LIMIT", "UPDATED", "ID"];
        print(table(head, items.map(rowOf)));
      }
    },
  );
}

function rowOf(fn: FunctionView): (string | number)[] {
  const limit = fn.timeoutS === undefined ? "none" : duration(fn.timeoutS * 1_000);
  return [fn.name, fn.version, fn.runtime, `${fn.memoryMb} MiB`, limit, ago(fn.updatedAt, Date.now()), fn.functionId];
}

interface ShowOptions extends CommonOptions {
  readonly code?: string;
}

export function showCommand(): Command {
  return apiCommand({
    usage: "show <function>",
    summary: "Show a function's settings.",
    examples: ["show hello", "show hello --code hello.zip"],
  })
    .option("--code <file>", "write the zip of its code there too")
    .action(async (nameOrId: string, options: ShowOptions) => {
      const api = connect(options);
      const fn = await findFunction(api, nameOrId);
      if (options.code !== undefined) {
        const response = await api.send("GET", `/v1/functions/${fn.functionId}/code`);
        writeFileSync(options.code, new Uint8Array(await response.arrayBuffer()));
        say(`The code of version ${fn.version} is in ${options.code}.`);
      }
      print(options.json ? json(fn) : describe(fn));
    });
}

function describe(fn: FunctionView): string {
  const pairs = (record: Readonly<Record<string, string>> = {}) =>
    Object.entries(record)
      .map(([name, value]) => `${name}=${value}`)
      .join(" ");
  return facts([
    ["name", fn.name],
    ["id", fn.functionId],
    ["version", `${fn.version}, saved ${ago(fn.updatedAt, Date.now())}`],
    ["runtime", fn.runtime],
    ["handler", fn.handler],
    ["memory", `${fn.memoryMb} MiB`],
    ["time limit", fn.timeoutS === undefined ? "none" : duration(fn.timeoutS * 1_000)],
    ["network", fn.egress ? "reachable" : "none"],
    ["environment", pairs(fn.environment)],
    ["secrets", pairs(fn.secrets)],
    ["dependencies", fn.buildJobId && `resolved by ${fn.buildJobId}`],
    ["code", `${size(fn.codeBytes)}, SHA-256 ${fn.codeSha256}`],
  ]);
}

interface RmOptions extends CommonOptions {
  readonly yes?: boolean;
}

export function rmCommand(): Command {
  return apiCommand({
    usage: "rm <function>",
    summary: "Delete a function and the code of all its versions.",
    examples: ["rm hello", "rm hello --yes"],
  })
    .option("--yes", "do not ask")
    .action(async (nameOrId: string, options: RmOptions) => {
      const api = connect(options);
      const fn = await findFunction(api, nameOrId);
      if (!options.yes) {
        await confirm(`Delete ${fn.name} (${fn.functionId}) and the code of its ${fn.version} version(s)?`);
      }
      try {
        await api.send("DELETE", `/v1/functions/${fn.functionId}`);
      } catch (error) {
        // An answer that was lost on the way back has deleted it all the same.
        if (!(error instanceof ApiProblem && error.problem.status === 404)) {
          throw error;
        }
      }
      if (options.json) {
        print(json({ deleted: fn.functionId }));
      } else {
        say(`✔ ${fn.name} is deleted.`);
      }
    });
}

/**
 * Asks on the terminal.
 * @throws Failure unless the answer is yes
 */
export async function confirm(question: string): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new Failure(`${question} There is nobody to ask.`, "Add --yes.");
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${question} [y/N] `);
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) {
    throw new Failure("Nothing was changed.", "");
  }
}
