/** `nanogrid login`: takes a key, checks it, and keeps it for the commands after. */
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { Api } from "../../../userdata/controller/page/client/api";
import { checkUrl, configFile, DEFAULT_PROFILE, isLoopback, writeProfile } from "../config";
import { localCommand } from "../context";
import { Failure } from "../failure";
import { say } from "../output";

interface LoginOptions {
  readonly profile: string;
  readonly plainHttp?: boolean;
}

export function loginCommand(): Command {
  return localCommand({
    usage: "login [url]",
    summary: "Sign in: checks an API key and keeps it.",
    details: "The key is asked for, or read from stdin.",
    examples: ["login https://<host>", "login http://127.0.0.1:8080 < .local/api-key"],
  })
    .option("--profile <name>", "the name to keep it under", DEFAULT_PROFILE)
    .option("--plain-http", "let the key travel unencrypted to another machine")
    .action(async (given: string | undefined, { profile, plainHttp = false }: LoginOptions) => {
      const url = checkUrl(given ?? process.env.NANOGRID_URL ?? missingUrl());
      if (new URL(url).protocol === "http:" && !plainHttp && !isLoopback(url)) {
        throw new Failure(
          `${url} is not encrypted: others on the way could read the key.`,
          "Use https://, or add --plain-http for a development environment.",
        );
      }
      const key = (process.stdin.isTTY ? await askKey() : await text(process.stdin)).trim();
      if (!/^ng_[A-Za-z0-9_-]{43}$/.test(key)) {
        throw new Failure("That is not an API key.", "Expected ng_ and 43 letters, digits, - or _: paste all of it.");
      }
      await new Api({ url, key }).get("/v1/functions?limit=1");
      writeProfile(profile, { url, key });
      say(`✔ Signed in to ${url}. The key is in ${configFile()}, which only you can read.`);
    });
}

function missingUrl(): never {
  throw new Failure("Which NanoGrid?", "Name it: nanogrid login https://<host>");
}

/** Asks on the terminal, without an echo. */
function askKey(): Promise<string> {
  process.stderr.write("API key: ");
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  return new Promise((resolve, reject) => {
    terminal.once("SIGINT", () => reject(new Failure("Nothing was changed.", "")));
    terminal.once("line", resolve);
  }).finally(() => {
    terminal.close();
    process.stderr.write("\n");
  }) as Promise<string>;
}
