/** OpenTofu's program: the one on PATH, or one built from the Go module proxy and kept in the user's cache. */
import { chmodSync, cpSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Problem } from "../problem";
import { shell, which } from "../shell";

const MODULE = "github.com/opentofu/opentofu";
const VERSION = "1.12.6";
const DOWNLOAD_MS = 10 * 60_000;
const BUILD_MS = 60 * 60_000;
const REMEDY = "It needs Go >= 1.26 and its module proxy (GOPROXY). What is compiled already is kept for the next try.";

/**
 * @param cache folder for what is kept between runs
 * @param say told what goes on
 * @returns path of the program
 * @throws Problem where there is neither OpenTofu nor Go
 */
export async function openTofu(cache: string, env: NodeJS.ProcessEnv, say: (text: string) => void): Promise<string> {
  const ready = openTofuAtHand(cache, env);
  if (ready !== undefined) {
    return ready;
  }
  const go = which("go", env);
  if (go === undefined) {
    throw new Problem("Neither tofu nor go is on PATH.", "Install OpenTofu, or Go to build it with.");
  }
  say(`Building OpenTofu ${VERSION} (once; about five minutes on two cores)`);
  const program = builtIn(cache);
  await build(go, program, env, say);
  return program;
}

/** The program that needs no build: on PATH, or built before. */
export function openTofuAtHand(cache: string, env: NodeJS.ProcessEnv): string | undefined {
  const built = builtIn(cache);
  return which("tofu", env) ?? (existsSync(built) ? built : undefined);
}

function builtIn(cache: string): string {
  return join(cache, `opentofu-${VERSION}`, "tofu");
}

/** As `go install` would, which refuses a module that replaces another. */
async function build(go: string, program: string, env: NodeJS.ProcessEnv, say: (text: string) => void): Promise<void> {
  const folder = join(program, "..");
  const work = join(folder, "source");
  mkdirSync(folder, { recursive: true });
  rmSync(work, { recursive: true, force: true });
  const how = { env: { ...env, GOFLAGS: "-mod=mod -trimpath -buildvcs=false" }, remedy: REMEDY };
  const args = ["mod", "download", "-json", `${MODULE}@v${VERSION}`];
  const { Dir } = JSON.parse(await shell(go, args, { ...how, cwd: folder, timeoutMs: DOWNLOAD_MS })) as { Dir: string };
  cpSync(Dir, work, { recursive: true });
  await shell("chmod", ["-R", "u+w", work], { env, timeoutMs: DOWNLOAD_MS });
  try {
    let compiled = 0;
    // Without the flag the version has "-dev" at its end.
    const flags = `-s -w -X ${MODULE}/version.dev=no`;
    await shell(go, ["build", "-v", "-ldflags", flags, "-o", `${program}.part`, "./cmd/tofu"], {
      ...how,
      cwd: work,
      timeoutMs: BUILD_MS,
      onLine: () => {
        compiled++;
        if (compiled % 200 === 0) {
          say(`  ${compiled} packages`);
        }
      },
    });
    chmodSync(`${program}.part`, 0o755);
    renameSync(`${program}.part`, program);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
