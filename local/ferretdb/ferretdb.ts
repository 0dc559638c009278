/** FerretDB, a server of MongoDB's wire protocol on SQLite, built here with Go from its module: once for each lock. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join, resolve } from "node:path";
import { shell, which } from "../../commands/support/shell";

const SOURCE = resolve(__dirname);
const BUILD_MS = 30 * 60_000;
/** What it is made from. */
const FILES = ["main.go", "go.mod", "go.sum"];

/** Why it cannot be had here, with the remedy; undefined when it can. */
export function ferretdbMissing(home = ".local"): string | undefined {
  return existsSync(programOf(home)) || which("go", process.env) !== undefined
    ? undefined
    : "no Go to build FerretDB with. Install it (https://go.dev/dl/).";
}

/**
 * Builds it, or takes what the same lock gave before. The first time takes some minutes on two cores.
 *
 * @param home where it goes
 * @returns the program
 * @throws Problem when it cannot be built
 */
export async function prepareFerretdb(home = ".local"): Promise<string> {
  const program = programOf(home);
  if (!existsSync(program)) {
    mkdirSync(join(home, "bin"), { recursive: true });
    // Beside it and then moved into place: half of it is never used, whoever builds it at the same time.
    const unfinished = `${program}.${process.pid}`;
    // PostgreSQL's half of it is left out.
    const args = ["build", "-trimpath", "-ldflags=-s -w", "-tags=ferretdb_no_postgresql", "-o", unfinished, "."];
    await shell("go", args, {
      cwd: SOURCE,
      env: { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly" },
      log: join(home, "logs", "ferretdb-build.log"),
      timeoutMs: BUILD_MS,
      remedy: "It needs Go >= 1.24 and its module proxy (GOPROXY). What is compiled already is kept for the next try.",
    });
    renameSync(unfinished, program);
  }
  return program;
}

function programOf(home: string): string {
  const hash = createHash("sha256");
  for (const file of FILES) {
    hash.update(readFileSync(join(SOURCE, file)));
  }
  return resolve(home, "bin", `ferretdb-${hash.digest("hex").slice(0, 12)}`);
}
