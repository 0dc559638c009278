/**
 * The stand-in of the provider mongodb/mongodbatlas: built once from Go, and run beside the stand-ins. Terraform attaches to it by an
 * environment variable, so that a configuration of Terraform and its mirrors stay as they are.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { shell, which } from "../../commands/support/shell";
import { filesBelow, hashOf } from "../../modules/platform/artifact";
import { endChild } from "../children";
import { withoutAccounts } from "../clouds";

const SOURCE = __dirname;
const BUILD_MS = 600_000;
const START_MS = 30_000;

/** A provider that Terraform can attach to. */
export interface AtlasProvider {
  /** What Terraform's environment needs for it. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends it, and resolves when it is gone. */
  stop(): Promise<void>;
}

/** Why the provider cannot be had here, with the remedy; undefined when it can. */
export function atlasProviderMissing(home = ".local"): string | undefined {
  return existsSync(programOf(home)) || which("go", process.env) !== undefined
    ? undefined
    : "no Go to build the stand-in of the Atlas provider with. Install Go >= 1.24 (https://go.dev/dl/).";
}

/**
 * Builds the provider, or takes what the same sources gave before. The first time takes a minute or two, since its modules are compiled.
 *
 * @param home where it goes
 * @returns path of the program
 * @throws Problem when Go cannot fetch or build it
 */
export async function buildAtlasProvider(home = ".local"): Promise<string> {
  const program = programOf(home);
  if (!existsSync(program)) {
    mkdirSync(dirname(program), { recursive: true });
    // Beside it and then moved into place: half of it is never used, whoever makes it at the same time.
    const unfinished = `${program}.${process.pid}`;
    await shell("go", ["build", "-trimpath", "-ldflags", "-s -w", "-o", unfinished, "."], {
      cwd: SOURCE,
      env: withoutAccounts(process.env),
      log: join(home, "logs", "atlas-provider.log"),
      timeoutMs: BUILD_MS,
      remedy: "It needs Go >= 1.24 and its module proxy (GOPROXY). What is compiled already is kept for the next try.",
    });
    renameSync(unfinished, program);
    rmSync(unfinished, { force: true });
  }
  return program;
}

/**
 * Starts the provider.
 *
 * @param program what {@link buildAtlasProvider} gave
 * @param awsPort port of the stand-in of AWS, where that of Atlas answers too
 * @throws Error with what it said when it does not start
 */
export async function startAtlasProvider(program: string, awsPort: number): Promise<AtlasProvider> {
  const api = `http://127.0.0.1:${awsPort}/standins/atlas`;
  const child = spawn(program, ["-api", api], {
    // Attached to instead of started by Terraform, its library would log every request, and fill the pipe of whoever does not read it.
    env: { ...withoutAccounts(process.env), TF_LOG_SDK_PROTO: "ERROR" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
  try {
    return { env: { TF_REATTACH_PROVIDERS: await firstLine(child) }, stop: () => endChild(child) };
  } catch (error) {
    await endChild(child);
    throw error;
  }
}

/** The value of Terraform's variable, which the program writes once it listens. */
async function firstLine(child: ChildProcess): Promise<string> {
  let said = "";
  let failed = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    failed = (failed + chunk.toString()).slice(-4_000);
  });
  const line = new Promise<string>((done, fail) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("\n")) {
        done(said.slice(0, said.indexOf("\n")));
      }
    });
    child.once("error", fail);
    child.once("exit", () => fail(new Error("it ended")));
    setTimeout(() => fail(new Error(`it said nothing within ${START_MS / 1000} s`)), START_MS).unref();
  });
  try {
    return await line;
  } catch (error) {
    throw new Error(`the stand-in of the Atlas provider did not start: ${(error as Error).message}\n${failed}`);
  }
}

function programOf(home: string): string {
  const sources = filesBelow(SOURCE, (path) => /\.(go|json|mod|sum)$/.test(path));
  return resolve(home, "atlas-provider", hashOf(sources).slice(0, 16), "terraform-provider-mongodbatlas");
}
