/** `nanogrid deploy`: a folder or a file becomes a function, or the next version of one. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Api } from "../../../userdata/controller/page/client/api";
import { packCode } from "../../../userdata/controller/page/client/code";
import type { FunctionView } from "../../../userdata/controller/page/client/types";
import { size } from "../../../userdata/controller/page/client/words";
import { apiCommand, type CommonOptions, connect, functionsNamed } from "../context";
import { EXIT, Failure } from "../failure";
import { waitFor } from "../follow";
import { json, print, say } from "../output";
import type { Project, ProjectSettings } from "../project";

interface DeployOptions extends CommonOptions {
  readonly name?: string;
  readonly function?: string;
  readonly runtime?: "python" | "node";
  readonly handler?: string;
  readonly memory?: number;
  readonly timeout?: number;
  readonly env?: Record<string, string>;
  readonly secret?: Record<string, string>;
  readonly egress?: boolean;
}

export function deployCommand(): Command {
  return apiCommand({
    usage: "deploy <path>",
    summary: "Deploy a folder or a source file: creates the function, or a new version of the one of that name.",
    details: "Settings come from nanogrid.json in the folder; options go before it.",
    examples: [
      "deploy examples/hello",
      "deploy report.py --memory 512 --env MODE=fast --secret DATABASE_URL=orders-db",
    ],
  })
    .option("--name <name>", "name of the function (default: the folder's, or the file's)")
    .option("--function <id>", "the function to make a new version of, where several have the name")
    .addOption(new Option("--runtime <runtime>", "what runs it (default: by the files)").choices(["python", "node"]))
    .option("--handler <module.function>", "what is called (default: main.handler)")
    .option("--memory <MiB>", "memory limit of one run (default: 256)", wholeNumber)
    .option("--timeout <seconds>", "time limit of one run (default: none)", wholeNumber)
    .option("--env <NAME=value>", "an environment variable; may come several times", pair)
    .option("--secret <VARIABLE=name>", "a variable that holds a secret of the tenant; may come several times", pair)
    .option("--egress", "let runs reach the network")
    .option("--no-egress", "keep runs off the network")
    .action(deploy);
}

async function deploy(path: string, options: DeployOptions): Promise<void> {
  const api = connect(options);
  // Loaded here: no other command reads projects.
  const { readProject } = require("../project") as typeof import("../project");
  const project = readProject(path, overridesOf(options));
  for (const link of project.skipped) {
    say(`${link} is left out: it is no regular file.`);
  }
  const current = options.function ?? (await idOfName(api, project.settings.name));
  const fn = await store(api, current, project);
  say(
    `✔ ${fn.name} version ${fn.version} (${size(fn.codeBytes)}) ${current ? "is saved" : "is created"}: ${fn.functionId}`,
  );
  if (fn.buildJobId) {
    await followBuild(api, fn.buildJobId);
  }
  if (options.json) {
    print(json(fn));
  } else {
    say(`  Run it: nanogrid invoke ${/^[\w-]+$/.test(fn.name) ? fn.name : fn.functionId} --data '{}'`);
  }
}

function overridesOf({ name, runtime, handler, memory, timeout, env, secret, egress }: DeployOptions): ProjectSettings {
  const overrides = {
    name,
    runtime,
    handler,
    memoryMb: memory,
    timeoutS: timeout,
    environment: env,
    secrets: secret,
    egress,
  };
  return Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
}

async function idOfName(api: Api, name: string): Promise<string | undefined> {
  const found = await functionsNamed(api, name);
  if (found.length > 1) {
    const ids = found.map(({ functionId }) => functionId).join(", ");
    throw new Failure(
      `${found.length} functions have the name ${JSON.stringify(name)}.`,
      `Add --function and an id: ${ids}.`,
    );
  }
  return found[0]?.functionId;
}

async function store(
  api: Api,
  functionId: string | undefined,
  { settings, files, executables }: Project,
): Promise<FunctionView> {
  const { upload } = require("../upload") as typeof import("../upload");
  const { name, runtime, handler, memoryMb, timeoutS, environment, secrets, egress } = settings;
  const fields = {
    name,
    runtime,
    handler,
    memoryMb: memoryMb?.toString(),
    timeoutS: timeoutS?.toString(),
    environment: environment && JSON.stringify(environment),
    secrets: secrets && JSON.stringify(secrets),
    egress: egress?.toString(),
  };
  return upload(api, functionId, fields, packCode(files, executables));
}

async function followBuild(api: Api, jobId: string): Promise<void> {
  say("  Resolving its dependencies:");
  const { result } = await waitFor(api, jobId, {
    onLog: (text) => process.stderr.write(text.replace(/^(?=.)/gm, "  │ ")),
  });
  if (result.status !== "SUCCESS") {
    throw new Failure(
      `The dependencies are not resolved: ${result.exit_reason.message}`,
      "Correct requirements.txt or package.json, and deploy again.",
      EXIT.failed,
    );
  }
  say("✔ The dependencies are resolved.");
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) {
    throw new InvalidArgumentError("Expected a whole number.");
  }
  return Number(text);
}

function pair(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) {
    throw new InvalidArgumentError("Expected NAME=value.");
  }
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}
