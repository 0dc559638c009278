/** Two copies of the project: one as it is, one moved to CDK Terrain by nothing but a rename of its imports. */
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { shell } from "../shell";

const LIST_MS = 30_000;

/**
 * The text of a source file after the move.
 *
 * @param providers those whose bindings exist under the new name
 */
export function renamed(text: string, providers: readonly string[]): string {
  const moved = text.replace(/(["'])cdktf\1/g, "$1cdktn$1");
  return providers.reduce(
    (all, provider) =>
      all.replace(new RegExp(`(["'])@cdktf/provider-${provider}(?=[/"'])`, "g"), `$1@cdktn/provider-${provider}`),
    moved,
  );
}

/**
 * Copies what git knows or would take, without tests, and links the project's packages.
 *
 * @param project the checkout
 * @param folder where the copy goes
 * @param edit what becomes of each TypeScript file's text
 * @param without packages that are not linked
 * @returns how many files differ from the project's
 */
export async function copyProject(
  project: string,
  folder: string,
  env: NodeJS.ProcessEnv,
  edit: (text: string) => string,
  without: readonly string[] = [],
): Promise<number> {
  const listed = await shell("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: project,
    env,
    timeoutMs: LIST_MS,
    remedy: "Run it in a git checkout.",
  });
  let changed = 0;
  for (const file of listed.split("\n").filter((file) => file !== "" && !/^(?:__tests__|docs)\//.test(file))) {
    const target = join(folder, file);
    mkdirSync(dirname(target), { recursive: true });
    const text = file.endsWith(".ts") ? readFileSync(join(project, file), "utf8") : "";
    const edited = edit(text);
    if (edited === text) {
      cpSync(join(project, file), target);
    } else {
      writeFileSync(target, edited);
      changed++;
    }
  }
  const packages = join(project, "node_modules");
  link(
    packages,
    join(folder, "node_modules"),
    readdirSync(packages).filter((name) => !without.includes(name)),
  );
  return changed;
}

/** Packages that a moved copy has of CDK Terrain's installation and not of the project. */
export const MOVED = ["cdktf", "constructs"] as const;

/**
 * Gives a moved copy the packages of CDK Terrain.
 *
 * @param folder the copy
 * @param packages folder whose `node_modules` has them
 * @returns a module to load before the app: bindings that exist for CDKTF alone get CDK Terrain when they ask for CDKTF
 */
export function linkCdkTerrain(folder: string, packages: string): string {
  link(join(packages, "node_modules"), join(folder, "node_modules"), ["constructs", "cdktn", "@cdktn"]);
  const hook = join(folder, "cdktf-is-cdktn.cjs");
  writeFileSync(
    hook,
    `const { createRequire, registerHooks } = require("node:module");
const own = createRequire(__filename);
const moved = { cdktf: own.resolve("cdktn"), constructs: own.resolve("constructs") };
registerHooks({ resolve: (name, context, next) => next(moved[name] ?? name, context) });
`,
  );
  return hook;
}

function link(from: string, to: string, names: readonly string[]): void {
  mkdirSync(to, { recursive: true });
  for (const name of names) {
    symlinkSync(join(from, name), join(to, name));
  }
}
