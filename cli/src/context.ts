/** What the commands share: options, the API under the chosen profile, functions by name or id. */
import { Command, Option } from "commander";
import { Api } from "../../userdata/controller/page/client/api";
import type { FunctionView, Page } from "../../userdata/controller/page/client/types";
import { readProfile } from "./config";
import { EXIT, Failure } from "./failure";

/** Options of every command that talks to NanoGrid. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly profile?: string;
}

const FUNCTION_ID = /^fn_[0-9A-Z]{26}$/;

/** A command as its help shows it. */
export interface Usage {
  /** Name and arguments, such as `show <function>`. */
  readonly usage: string;
  /** One sentence, for the list of commands. */
  readonly summary: string;
  /** What else its own help says. @default - no more */
  readonly details?: string;
  /** Without `nanogrid`. */
  readonly examples: readonly string[];
}

/** A command with the common options. */
export function apiCommand(usage: Usage): Command {
  return localCommand(usage)
    .option("--json", "print JSON, for machines")
    .addOption(new Option("--profile <name>", "the profile to use, instead of the environment's"));
}

/** A command that does not talk to NanoGrid under a profile. */
export function localCommand({ usage, summary, details, examples }: Usage): Command {
  const [name = "", ...args] = usage.split(" ");
  const command = new Command(name).summary(summary).description([summary, details].filter(Boolean).join(" "));
  for (const arg of args) {
    command.argument(arg);
  }
  const title = examples.length === 1 ? "Example:" : "Examples:";
  return command.addHelpText("after", ["", title, ...examples.map((example) => `  $ nanogrid ${example}`)].join("\n"));
}

/** The API of the profile that the options name, or the environment. */
export function connect({ profile }: CommonOptions): Api {
  return new Api(readProfile(profile, process.env));
}

/**
 * A function by its id or its name.
 * @throws Failure when there is none, or more than one of that name
 */
export async function findFunction(api: Api, nameOrId: string): Promise<FunctionView> {
  if (FUNCTION_ID.test(nameOrId)) {
    return api.get<FunctionView>(`/v1/functions/${nameOrId}`);
  }
  const found = await functionsNamed(api, nameOrId);
  const [first, second] = found;
  if (!first) {
    throw new Failure(
      `There is no function ${JSON.stringify(nameOrId)}.`,
      "nanogrid ls lists those that there are.",
      EXIT.failed,
    );
  }
  if (second) {
    const ids = found.map(({ functionId }) => functionId).join(", ");
    throw new Failure(`${found.length} functions have the name ${JSON.stringify(nameOrId)}.`, `Use an id: ${ids}.`);
  }
  return first;
}

/** The functions of that name, newest first. */
export async function functionsNamed(api: Api, name: string): Promise<readonly FunctionView[]> {
  const items: FunctionView[] = [];
  for await (const item of pages<FunctionView>(api, `/v1/functions?name=${encodeURIComponent(name)}&limit=100`)) {
    items.push(item);
  }
  return items;
}

/** All items of a list, page by page. */
export async function* pages<T>(api: Api, path: string): AsyncGenerator<T> {
  let cursor: string | undefined;
  do {
    const more: string = cursor === undefined ? path : `${path}&cursor=${encodeURIComponent(cursor)}`;
    const page: Page<T> = await api.get<Page<T>>(more);
    yield* page.items;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}
