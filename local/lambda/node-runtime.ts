/**
 * Node.js 22 with AWS's runtime interface client, as Lambda's own `nodejs22.x` has it: npm fetches both by their lock and builds the
 * client's native part, once, into `.local`.
 */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { shell, which } from "../../commands/support/shell";
import { withoutAccounts } from "../clouds";

const SOURCE = resolve(__dirname, "runtime");
const LOCK = join(SOURCE, "package-lock.json");
const BUILD_MS = 600_000;
const POLL_MS = 500;
/** What the client's native part is built with, each in the Debian package of its name. */
const BUILD_TOOLS = ["cmake", "g++", "make", "python3", "xz"];

/** Program and arguments that run a function's handler. */
export type RuntimeCommand = readonly [string, ...string[]];

/** Why the runtime cannot be had here, with the remedy; undefined when it can. */
export function nodeRuntimeMissing(home = ".local"): string | undefined {
  if (existsSync(folderOf(home))) {
    return undefined;
  }
  const missing = BUILD_TOOLS.filter((program) => which(program, process.env) === undefined);
  const remedy = "Debian: apt-get install cmake g++ make python3 xz-utils";
  return missing.length === 0 ? undefined : `no ${missing.join(", ")} to build Lambda's runtime with. ${remedy}.`;
}

/**
 * Makes the runtime, or takes the one that the same lock made before. The first time takes about a minute.
 *
 * @param home where it goes
 * @throws Problem when npm cannot fetch or build it
 */
export async function prepareNodeRuntime(home = ".local"): Promise<RuntimeCommand> {
  const folder = folderOf(home);
  while (!existsSync(folder) && isBeingMade(folder)) {
    await sleep(POLL_MS);
  }
  if (!existsSync(folder)) {
    // Beside it and then moved into place: half of it is never used, whoever makes it at the same time.
    const unfinished = `${folder}.${process.pid}`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    for (const file of ["package.json", "package-lock.json"]) {
      cpSync(join(SOURCE, file), join(unfinished, file));
    }
    await shell(
      "npm",
      ["ci", "--prefix", unfinished, "--engine-strict=false", "--no-audit", "--no-fund", "--foreground-scripts"],
      {
        cwd: unfinished,
        env: { ...withoutAccounts(process.env), ...headers() },
        log: join(home, "logs", "lambda-runtime.log"),
        timeoutMs: BUILD_MS,
        remedy: "The packages come from the npm registry; their native part needs cmake, g++, make, python3 and xz.",
      },
    );
    if (!existsSync(folder)) {
      renameSync(unfinished, folder);
    }
    rmSync(unfinished, { recursive: true, force: true });
  }
  const modules = join(folder, "node_modules");
  return [join(modules, `node-linux-${process.arch}`, "bin", "node"), join(modules, "aws-lambda-ric", "index.mjs")];
}

/** Whether another process that lives makes it: tests prepare it side by side. */
function isBeingMade(folder: string): boolean {
  const unfinished = `${basename(folder)}.`;
  const entries = existsSync(dirname(folder)) ? readdirSync(dirname(folder)) : [];
  return entries.some((entry) => {
    const pid = entry.startsWith(unfinished) ? Number(entry.slice(unfinished.length)) : Number.NaN;
    return Number.isInteger(pid) && pid !== process.pid && existsSync(`/proc/${pid}`);
  });
}

function folderOf(home: string): string {
  const hash = createHash("sha256").update(readFileSync(LOCK)).update(process.arch).digest("hex").slice(0, 12);
  return resolve(home, `lambda-runtime-${hash}`);
}

/** The headers of the running Node.js: without them node-gyp downloads some. The native part serves any version. */
function headers(): Record<string, string> {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, "include", "node", "node.h")) ? { npm_config_nodedir: prefix } : {};
}
