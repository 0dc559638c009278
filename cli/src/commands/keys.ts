/** `nanogrid keys`: the tenant's API keys, for its admins. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { KeyView } from "../../../userdata/controller/page/client/types";
import { ago } from "../../../userdata/controller/page/client/words";
import { apiCommand, type CommonOptions, connect, localCommand } from "../context";
import { json, print, say, table } from "../output";
import { confirm } from "./functions";

export function keysCommand(): Command {
  const command = localCommand({
    usage: "keys",
    summary: "List, make and delete the tenant's API keys.",
    details: "Needs the role admin.",
    examples: ["keys create ci --role invoker"],
  });
  command.addCommand(listCommand(), { isDefault: true });
  command.addCommand(createCommand());
  command.addCommand(removeCommand());
  return command;
}

function listCommand(): Command {
  return apiCommand({ usage: "ls", summary: "List keys, without the keys themselves.", examples: ["keys ls"] }).action(
    async (options: CommonOptions) => {
      const { items: keys } = await connect(options).get<{ readonly items: readonly KeyView[] }>("/v1/keys");
      const rows = keys.map((key) => [
        key.keyId,
        key.name,
        key.role,
        key.requestsPerMinute ?? "default",
        ago(key.createdAt, Date.now()),
      ]);
      print(options.json ? json(keys) : table(["ID", "NAME", "ROLE", "REQUESTS/MIN", "MADE"], rows));
    },
  );
}

interface CreateOptions extends CommonOptions {
  readonly role: string;
  readonly requestsPerMinute?: number;
}

function createCommand(): Command {
  const role = new Option("--role <role>", "what it may do").choices(["invoker", "user", "admin"]).default("invoker");
  return apiCommand({
    usage: "create <name>",
    summary: "Make a key.",
    details: "It is printed to stdout once; nobody can read it again.",
    examples: ["keys create ci --role invoker --requests-per-minute 60"],
  })
    .addOption(role)
    .option("--requests-per-minute <count>", "its limit (default: the service's)", wholeNumber)
    .action(async (name: string, options: CreateOptions) => {
      const made = await connect(options).call<KeyView & { readonly key: string }>("POST", "/v1/keys", {
        json: { name, role: options.role, requestsPerMinute: options.requestsPerMinute },
      });
      if (options.json) {
        print(json(made));
      } else {
        say(`✔ ${made.keyId} (${made.role}). Keep the key: it is shown only now.`);
        print(made.key);
      }
    });
}

interface RemoveOptions extends CommonOptions {
  readonly yes?: boolean;
}

function removeCommand(): Command {
  return apiCommand({
    usage: "rm <key-id>",
    summary: "Delete a key.",
    details: "It works for half a minute more.",
    examples: ["keys rm key_0123456789abcdef --yes"],
  })
    .option("--yes", "do not ask")
    .action(async (keyId: string, options: RemoveOptions) => {
      const api = connect(options);
      if (!options.yes) {
        await confirm(`Delete the key ${keyId}?`);
      }
      await api.send("DELETE", `/v1/keys/${encodeURIComponent(keyId)}`);
      if (options.json) {
        print(json({ deleted: keyId }));
      } else {
        say(`✔ ${keyId} is deleted.`);
      }
    });
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) {
    throw new InvalidArgumentError("Expected a whole number above 0.");
  }
  return Number(text);
}
