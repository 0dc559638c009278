/** The synthesis of another commit, in a folder of its own, beside this checkout's. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Problem } from "../problem";
import { shell } from "../shell";
import { type SynthesizedStack, synthesize } from "../synthesis";
import { commitOf, fingerprintOf, git } from "./repository";

const UNPACK_MS = 60_000;

/** A checkout of a commit, synthesized. */
export interface RefSynthesis {
  readonly commit: string;
  /** The folder: sources, and `cdktf.out` with the synthesis. */
  readonly project: string;
  readonly stacks: readonly SynthesizedStack[];
}

/**
 * Synthesizes a commit, with this checkout's node_modules, and hands it on; it is removed afterwards.
 *
 * The files come out of git as an archive and not as a worktree, so that an interrupted run leaves nothing in the repository.
 *
 * @param project this checkout
 * @param ref branch, tag or commit
 * @throws Problem when git knows no such commit, or it does not synthesize
 */
export async function withRef<T>(
  project: string,
  ref: string,
  environment: string,
  work: (synthesis: RefSynthesis) => Promise<T>,
): Promise<T> {
  const commit = await commitOf(project, ref);
  const folder = mkdtempSync(join(tmpdir(), "ref-"));
  try {
    const archive = join(folder, "archive.tar");
    const sources = join(folder, "sources");
    mkdirSync(sources);
    await git(project, "archive", "--format=tar", `--output=${archive}`, commit);
    await shell("tar", ["-xf", archive, "-C", sources], { env: process.env, timeoutMs: UNPACK_MS });
    linkModules(project, sources);
    const stacks = await synthesize({ project: sources, environment, env: process.env }).catch((error: unknown) => {
      throw new Problem(
        `"${ref}" does not synthesize for "${environment}": ${(error as Error).message}`,
        "Compare with a commit that has this environment and works with the dependencies that are installed here.",
        undefined,
        { cause: error },
      );
    });
    return await work({ commit, project: sources, stacks });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Names of the stacks that a commit would give Terraform something else for, new ones included. */
export function differingStacks(
  project: string,
  stacks: readonly SynthesizedStack[],
  reference: RefSynthesis,
): string[] {
  const before = new Set(reference.stacks.map(({ name }) => name));
  return stacks
    .map(({ name }) => name)
    .filter((name) => !before.has(name) || fingerprintOf(project, name) !== fingerprintOf(reference.project, name));
}

/** Links what npm installed: the root's packages, and those of workspaces that have some of their own. */
function linkModules(project: string, sources: string): void {
  const { workspaces = [] } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as {
    workspaces?: string[];
  };
  for (const folder of ["", ...workspaces]) {
    const installed = join(project, folder, "node_modules");
    const target = join(sources, folder, "node_modules");
    if (existsSync(installed) && existsSync(dirname(target)) && !existsSync(target)) {
      symlinkSync(installed, target);
    }
  }
}
