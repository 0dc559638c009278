/** A synthesis of this checkout in a folder of its own, and where commands keep what is worth keeping between runs. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runApp } from "./synthesis";

/**
 * Synthesizes an environment and hands on the folder, a `cdktf.out` that is removed afterwards.
 *
 * @param environment name of the environment
 * @param use what is done with it
 * @throws Problem with what the app said, when it fails
 */
export async function withFreshSynthesis<T>(environment: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "synthesis-"));
  try {
    await runApp({ project: process.cwd(), environment, env: process.env, output: folder });
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The folder in the user's cache for what is built or downloaded once. */
export function cacheFolder({ XDG_CACHE_HOME, HOME }: NodeJS.ProcessEnv): string {
  return join(XDG_CACHE_HOME || join(HOME ?? tmpdir(), ".cache"), "nanogrid-cloud");
}
