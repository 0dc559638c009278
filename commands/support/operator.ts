/** What every command for operators shares: settings, the right account, bounded clients, output for people or for machines. */
import "./sdk-warning";
import { createInterface } from "node:readline/promises";
import { STSClient } from "@aws-sdk/client-sts";
import type { Command } from "commander";
import { loadSettings, type Settings } from "../../modules/platform/settings";
import { checkAccount } from "./checks";
import { type ClientConfig, clientConfig } from "./clients";
import { Problem, Problems, runCommand } from "./problem";

/** Options that every command takes. */
export interface CommonFlags {
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** What a command works with. */
export interface Operator {
  readonly settings: Settings;
  readonly config: ClientConfig;
  /**
   * Prints an answer: the document with `--json`, else the text.
   *
   * @param document the answer as data
   * @param text the answer for a person; not called with `--json`
   */
  show(document: unknown, text: () => string): void;
  /** Prints a line about what goes on, on stderr. */
  say(text: string): void;
}

/** Adds the options that every command takes. */
export function withCommonFlags(command: Command): Command {
  return command.option("--json", "print JSON, for programs").option("--verbose", "print stack traces");
}

/**
 * Runs a command's body for the environment that ENVIRONMENT names. Physical names do not contain the environment, so nothing is looked
 * at or changed before the credentials are known to be of its account.
 *
 * @param flags the common options
 * @param body the command
 */
export async function asOperator(flags: CommonFlags, body: (operator: Operator) => Promise<void>): Promise<void> {
  const { json = false, verbose = false } = flags;
  await runCommand(async () => {
    const settings = loadSettings();
    const config = clientConfig(settings, process.env);
    const sts = new STSClient(config);
    const wrongAccount = await checkAccount(sts, settings);
    sts.destroy();
    if (wrongAccount.length > 0) {
      throw new Problems(wrongAccount);
    }
    try {
      await body({
        settings,
        config,
        show: (document, text) => process.stdout.write(`${json ? JSON.stringify(document, null, 2) : text()}\n`),
        say: (text) => process.stderr.write(`${text}\n`),
      });
    } catch (error) {
      throw remedied(error);
    }
  }, verbose);
}

/** An SDK's error as a sentence and what to do; any other error as it is. */
function remedied(error: unknown): unknown {
  const { name = "", message = "" } = error as Error;
  if (/^(AccessDenied|Unauthorized|UnauthorizedOperation|NotAuthorized)/.test(name)) {
    return new Problem(
      `AWS refuses: ${message}`,
      "Use an identity with that permission; docs/operations/README.md names what each command needs.",
      undefined,
      { cause: error },
    );
  }
  if (/Timeout|ECONNREFUSED|ENOTFOUND|ECONNRESET/.test(`${name} ${(error as NodeJS.ErrnoException).code ?? ""}`)) {
    return new Problem(
      `AWS does not answer: ${message || name}.`,
      "Check the network and the region, then run it again: what was done already stays done.",
      undefined,
      { cause: error },
    );
  }
  return error;
}

/**
 * Asks on a terminal; elsewhere the answer is no.
 *
 * @param question what is asked
 * @param yes what has to be typed @default "y" or "yes"
 */
export async function confirm(question: string, yes = /^y(es)?$/i): Promise<boolean> {
  if (!process.stdin.isTTY) {
    return false;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return yes.test((await terminal.question(question)).trim());
  } finally {
    terminal.close();
  }
}
