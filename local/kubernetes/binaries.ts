/**
 * Kubernetes' own API server, scheduler and controllers, and KWOK, which plays the nodes: built once from the Go modules that go.mod names,
 * and kept in the user's cache under the hash of their versions.
 */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { shell, which } from "../../commands/support/shell";

const PROGRAMS = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"] as const;
const SOURCES = ["go.mod", "go.sum"];
/** Packages that are compiled in all, for the percentage. */
const PACKAGES = 1_900;
const BUILD_MS = 60 * 60_000;
const POLL_MS = 1_000;
/** Oldest Go that Kubernetes 1.36 builds with. */
const GO = [1, 26] as const;

/** Full paths of the programs. */
export type KubernetesBinaries = Readonly<Record<(typeof PROGRAMS)[number], string>>;

/** How they are built. */
export interface BuildOptions {
  readonly env: NodeJS.ProcessEnv;
  /** File that the compiler's output goes to. */
  readonly log: string;
  readonly signal: AbortSignal;
  /** Told what is being done. */
  readonly say: (text: string) => void;
}

/** Where they are, or will be once they are built. */
export function kubernetesBinaries(env: NodeJS.ProcessEnv): KubernetesBinaries {
  const folder = folderOf(env);
  return Object.fromEntries(PROGRAMS.map((name) => [name, join(folder, name)])) as unknown as KubernetesBinaries;
}

/** Why they are not there and cannot be built, with the remedy; undefined when they are there or can be. */
export async function kubernetesMissing(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (existsSync(folderOf(env))) {
    return undefined;
  }
  const go = which("go", env);
  const output = go === undefined ? "" : await shell(go, ["env", "GOVERSION"], { env, timeoutMs: 20_000 });
  const [, major = "0", minor = "0"] = /^go(\d+)\.(\d+)/.exec(output) ?? [];
  const isNew = Number(major) > GO[0] || (Number(major) === GO[0] && Number(minor) >= GO[1]);
  return isNew
    ? undefined
    : `no Go >= ${GO.join(".")} to build Kubernetes with (${output.trim() || "none is on PATH"}). Install it from https://go.dev/dl/.`;
}

/**
 * Builds what is not in the cache: about six minutes of one processor, once.
 *
 * @throws Problem when a module cannot be fetched, or does not compile
 */
export async function buildKubernetes({ env, log, signal, say }: BuildOptions): Promise<KubernetesBinaries> {
  const folder = folderOf(env);
  while (!existsSync(folder) && isBeingMade(folder)) {
    say("kubernetes: waiting for another run that builds it");
    await sleep(POLL_MS, undefined, { signal });
  }
  if (!existsSync(folder)) {
    // Beside it and then moved into place: half of it is never used.
    const unfinished = `${folder}.${process.pid}`;
    mkdirSync(unfinished, { recursive: true });
    for (const file of SOURCES) {
      cpSync(join(__dirname, file), join(unfinished, file));
    }
    let compiled = 0;
    const onLine = () => {
      compiled++;
      say(`kubernetes: ${Math.min(99, Math.floor((100 * compiled) / PACKAGES))} % (once, about six minutes)`);
    };
    say("kubernetes: fetching its modules");
    const args = ["build", "-v", "-trimpath", "-ldflags", linkerFlags(), "-o", `${unfinished}/`, "tool"];
    try {
      await shell("go", args, {
        cwd: unfinished,
        env: { ...env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly -buildvcs=false" },
        log,
        timeoutMs: BUILD_MS,
        signal,
        onLine,
        remedy: "It needs Go and its module proxy (GOPROXY). What is compiled already is kept for the next try.",
      });
      if (!existsSync(folder)) {
        renameSync(unfinished, folder);
      }
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
    }
  }
  return kubernetesBinaries(env);
}

/** Without these a server says that it is version 0.0.0, which clients take for one that can do nothing. */
function linkerFlags(): string {
  const [, version = "", minor = ""] = /k8s\.io\/kubernetes (v1\.(\d+)\.\d+)/.exec(source("go.mod")) ?? [];
  const values = { gitVersion: version, gitMajor: "1", gitMinor: minor };
  return [
    "-s",
    "-w",
    ...Object.entries(values).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`),
  ].join(" ");
}

function isBeingMade(folder: string): boolean {
  const unfinished = `${basename(folder)}.`;
  const entries = existsSync(dirname(folder)) ? readdirSync(dirname(folder)) : [];
  return entries.some((entry) => {
    const pid = entry.startsWith(unfinished) ? Number(entry.slice(unfinished.length)) : Number.NaN;
    return Number.isInteger(pid) && pid !== process.pid && existsSync(`/proc/${pid}`);
  });
}

function folderOf(env: NodeJS.ProcessEnv): string {
  const hash = createHash("sha256").update(SOURCES.map(source).join("\n")).update(process.arch).digest("hex");
  const cache = env.XDG_CACHE_HOME || join(env.HOME ?? "", ".cache");
  return resolve(cache, "nanogrid", `kubernetes-${hash.slice(0, 12)}`);
}

function source(file: string): string {
  return readFileSync(join(__dirname, file), "utf8");
}
