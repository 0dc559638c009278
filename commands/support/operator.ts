/** What every command for operators shares: settings, the right account, bounded clients, output for people or for machines. */
import "./sdk-warning";
import { createInterface } from "node:readline/promises";
import { STSClient } from "@aws-sdk/client-sts";
import { type Command, InvalidArgumentError } from "commander";
import { loadSettings, type Settings } from "../../modules/platform/settings";
import { checkAccount } from "./checks";
import { Problem, Problems, runCommand } from "./problem";

const CONNECT_MS = 3_000;
const REQUEST_MS = 30_000;
const ATTEMPTS = 4;
/** The stand-ins take any. */
const STAND_IN_CREDENTIALS = { accessKeyId: "local", secretAccessKey: "local" };

/** Options that every command takes. */
export interface CommonFlags {
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** Options of an AWS client: region, bounded time and retries (with jitter, the SDK's own), and the stand-in's address where it is one. */
export interface ClientConfig {
  readonly region: string;
  readonly maxAttempts: number;
  readonly requestHandler: {
    readonly connectionTimeout: number;
    readonly requestTimeout: number;
    readonly throwOnRequestTimeout: true;
  };
  readonly endpoint?: string;
  readonly credentials?: typeof STAND_IN_CREDENTIALS;
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

/**
 * @param settings the environment's settings
 * @param env the shell's environment: credentials are found as every AWS tool finds them. Stand-ins are led to by HTTP_PROXY, as
 *   `npm run --silent local:env` prints it, or by AWS_ENDPOINT_URL
 */
export function clientConfig(settings: Settings, env: NodeJS.ProcessEnv): ClientConfig {
  return {
    region: settings.region,
    maxAttempts: ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true },
    ...(settings.standIns ? standIn(env) : {}),
  };
}

function standIn(env: NodeJS.ProcessEnv): Pick<ClientConfig, "endpoint" | "credentials"> {
  const endpoint = env.HTTP_PROXY || env.AWS_ENDPOINT_URL;
  if (!endpoint) {
    throw new Problem(
      "This environment is the stand-ins', and neither HTTP_PROXY nor AWS_ENDPOINT_URL says where they are.",
      'Start them with npm start, then: eval "$(npm run --silent local:env)"',
    );
  }
  return { endpoint, credentials: STAND_IN_CREDENTIALS };
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

/** Lines of cells as columns of equal width. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (most, row) => row.map((cell, index) => Math.max(most[index] ?? 0, cell.length)),
    [],
  );
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** An argument that is a whole number from `least`. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) {
      throw new InvalidArgumentError(`Expected a whole number of at least ${least}.`);
    }
    return value;
  };
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** An argument such as `90s`, `10m`, `2h` or `1d`, in seconds. */
export function duration(text: string): number {
  const [, count = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (UNITS[unit] ?? 0);
  if (seconds === 0) {
    throw new InvalidArgumentError("Expected a number with s, m, h or d, such as 90s, 10m, 2h or 1d.");
  }
  return seconds;
}
