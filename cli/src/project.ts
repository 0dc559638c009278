/** A function's folder or file: its settings in nanogrid.json, and its code without what does not belong in it. */
import { type Dirent, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, extname, join, resolve } from "node:path";
import { z } from "zod";
import type { CodeFiles } from "../../userdata/controller/page/client/code";
import { Failure } from "./failure";
import { ignoreRules } from "./ignore";

/** Name of the file with a function's settings. */
export const SETTINGS_FILE = "nanogrid.json";
/** Name of the file with patterns of what is left out. */
export const IGNORE_FILE = ".nanogridignore";

/** What is left out unless .nanogridignore takes it in again: history, environments, caches, and files that tend to hold secrets. */
const IGNORED = [
  ".git/",
  ".hg/",
  ".svn/",
  ".venv/",
  "venv/",
  "node_modules/",
  "__pycache__/",
  "*.pyc",
  ".mypy_cache/",
  ".pytest_cache/",
  ".ruff_cache/",
  ".idea/",
  ".vscode/",
  ".DS_Store",
  ".env",
  ".env.*",
  "*.pem",
  "*.key",
  SETTINGS_FILE,
  IGNORE_FILE,
];

const settings = z.strictObject({
  name: z.string().optional(),
  runtime: z.enum(["python", "node"]).optional(),
  handler: z.string().optional(),
  memoryMb: z.int().optional(),
  timeoutS: z.int().optional(),
  environment: z.record(z.string(), z.string()).optional(),
  secrets: z.record(z.string(), z.string()).optional(),
  egress: z.boolean().optional(),
});

/** Settings of a function: those of the API, each left to its default when absent. */
export type ProjectSettings = z.infer<typeof settings>;

/** A function as it lies on disk. */
export interface Project {
  readonly settings: ProjectSettings & Required<Pick<ProjectSettings, "name" | "runtime">>;
  readonly files: CodeFiles;
  /** Paths whose files are executable. */
  readonly executables: ReadonlySet<string>;
  /** Links, which a function's code cannot hold. */
  readonly skipped: readonly string[];
}

/**
 * Reads a function.
 * @param path a folder, or one source file
 * @param overrides settings that go before those of nanogrid.json
 */
export function readProject(path: string, overrides: ProjectSettings): Project {
  if (!existsSync(path)) {
    throw new Failure(`There is no ${path}.`, "Name a folder with a function's code, or one source file.");
  }
  return statSync(path).isDirectory() ? readFolder(path, overrides) : readFile(path, overrides);
}

function readFile(path: string, overrides: ProjectSettings): Project {
  const file = basename(path);
  const stem = file.slice(0, file.length - extname(file).length);
  const runtime = overrides.runtime ?? runtimeOf([file]);
  if (!runtime) {
    throw new Failure(`${path}: its name does not say which runtime it is for.`, "Set --runtime python or node.");
  }
  return {
    settings: { name: stem, handler: `${stem}.handler`, ...overrides, runtime },
    files: { [file]: readFileSync(path) },
    executables: new Set(),
    skipped: [],
  };
}

function readFolder(folder: string, overrides: ProjectSettings): Project {
  const ignoreFile = join(folder, IGNORE_FILE);
  const own = existsSync(ignoreFile) ? readFileSync(ignoreFile, "utf8").split(/\r?\n/) : [];
  const { files, executables, skipped } = collect(folder, ignoreRules([...IGNORED, ...own]));
  const merged = { ...readSettings(folder), ...overrides };
  const runtime = merged.runtime ?? runtimeOf(Object.keys(files));
  if (Object.keys(files).length === 0) {
    throw new Failure(
      `${folder} holds no file that belongs in a function.`,
      `Look at ${IGNORE_FILE}, or name another.`,
    );
  }
  if (!runtime) {
    throw new Failure(
      `${folder} has neither main.py nor main.mjs.`,
      `Say which runtime it is for: "runtime" in ${SETTINGS_FILE}, or --runtime python or node.`,
    );
  }
  return { settings: { name: basename(resolve(folder)), ...merged, runtime }, files, executables, skipped };
}

function runtimeOf(paths: readonly string[]): "python" | "node" | undefined {
  const top = paths.filter((path) => !path.includes("/"));
  const mains = top.length === 1 ? top : top.filter((path) => path.startsWith("main."));
  if (mains.some((path) => path.endsWith(".py"))) {
    return "python";
  }
  return mains.some((path) => /\.(mjs|cjs|js)$/.test(path)) ? "node" : undefined;
}

function readSettings(folder: string): ProjectSettings {
  const path = join(folder, SETTINGS_FILE);
  if (!existsSync(path)) {
    return {};
  }
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Failure(`${path} is not JSON: ${error instanceof Error ? error.message : error}`, "Correct it.");
  }
  const parsed = settings.safeParse(value);
  if (!parsed.success) {
    const wrong = parsed.error.issues.map(({ path: at, message }) => `${at.join(".") || "the file"}: ${message}`);
    throw new Failure(
      `${path}: ${wrong.join("; ")}`,
      `It may hold ${Object.keys(settings.shape).join(", ")}; nanogrid deploy --help says what each is.`,
    );
  }
  return parsed.data;
}

function collect(folder: string, ignored: (path: string, isFolder: boolean) => boolean) {
  const files: Record<string, Uint8Array> = {};
  const executables = new Set<string>();
  const skipped: string[] = [];
  const take = (entry: Dirent, path: string) => {
    const full = join(folder, path);
    if (entry.isDirectory()) {
      walk(path);
    } else if (entry.isFile()) {
      files[path] = readFileSync(full);
      if ((statSync(full).mode & 0o100) !== 0) {
        executables.add(path);
      }
    } else {
      skipped.push(path);
    }
  };
  const walk = (below: string) => {
    for (const entry of readdirSync(join(folder, below), { withFileTypes: true })) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (!ignored(path, entry.isDirectory())) {
        take(entry, path);
      }
    }
  };
  walk("");
  return { files, executables, skipped };
}
