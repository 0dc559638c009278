/** What git and the synthesis say about a checkout, so that a plan is applied to what it was made from. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { filesBelow, hashOf } from "../../../modules/platform/artifact";
import { Problem } from "../problem";
import { shell } from "../shell";

const GIT_MS = 60_000;

/** Where a checkout is. */
export interface Revision {
  /** The commit; absent outside of git. */
  readonly commit?: string;
  /** Whether tracked files differ from it. */
  readonly modified: boolean;
}

/** Runs git in a checkout. @returns what it printed */
export function git(project: string, ...args: string[]): Promise<string> {
  return shell("git", args, { cwd: project, env: { ...process.env, GIT_OPTIONAL_LOCKS: "0" }, timeoutMs: GIT_MS });
}

/** Which commit a checkout has, and whether its files are that commit's. */
export async function revisionOf(project: string): Promise<Revision> {
  try {
    const commit = (await git(project, "rev-parse", "HEAD")).trim();
    const changed = await git(project, "status", "--porcelain", "--untracked-files=no");
    return { commit, modified: changed.trim() !== "" };
  } catch {
    return { modified: false };
  }
}

/**
 * The commit that a ref names.
 *
 * @throws Problem when there is none
 */
export async function commitOf(project: string, ref: string): Promise<string> {
  try {
    return (await git(project, "rev-parse", "--verify", "--end-of-options", `${ref}^{commit}`)).trim();
  } catch (error) {
    throw new Problem(
      `git knows no commit "${ref}" in this checkout.`,
      "Name a branch, tag or commit; in a shallow clone fetch it first: git fetch origin <ref>",
      undefined,
      { cause: error },
    );
  }
}

/**
 * SHA-256 over all that Terraform would be given of a stack: its JSON, its assets and its committed dependency lock.
 *
 * @param project a checkout with a synthesis in `cdktf.out`
 */
export function fingerprintOf(project: string, stack: string): string {
  const folder = join(project, "cdktf.out", "stacks", stack);
  const assets = join(folder, "assets");
  const lock = join(project, "locks", `${stack}.hcl`);
  return hashOf([
    { path: "cdk.tf.json", content: readFileSync(join(folder, "cdk.tf.json")) },
    ...(existsSync(assets) ? filesBelow(assets) : []),
    ...(existsSync(lock) ? [{ path: "lock", content: readFileSync(lock) }] : []),
  ]);
}
