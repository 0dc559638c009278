/** Where NanoGrid is and the key for it: from the environment, or from profiles in a file that only its owner reads. */
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import envPaths from "env-paths";
import { Failure } from "./failure";

/** The profile that is used when none is named. */
export const DEFAULT_PROFILE = "default";

/** A service and a key for it. */
export interface Profile {
  readonly url: string;
  readonly key: string;
}

interface Config {
  readonly profiles: Readonly<Record<string, Profile>>;
}

/** Path of the file. */
export function configFile(): string {
  return join(envPaths("nanogrid", { suffix: "" }).config, "config.json");
}

/**
 * The service that a command works with: NANOGRID_URL and NANOGRID_API_KEY where both are set, else a profile.
 * @throws Failure when there is none
 */
export function readProfile(name: string | undefined, env: NodeJS.ProcessEnv): Profile {
  const { NANOGRID_URL: url, NANOGRID_API_KEY: key } = env;
  if (name === undefined && url && key) {
    return { url: checkUrl(url), key: key.trim() };
  }
  const profiles = readConfig().profiles;
  const wanted = name ?? env.NANOGRID_PROFILE ?? DEFAULT_PROFILE;
  const profile = Object.hasOwn(profiles, wanted) ? profiles[wanted] : undefined;
  // A key goes only to the service that it was given for.
  if (name === undefined && url && profile?.url !== checkUrl(url)) {
    throw new Failure(
      `NANOGRID_URL is ${url}, and there is no key for it.`,
      "Set NANOGRID_API_KEY too, or unset NANOGRID_URL to use the profile.",
    );
  }
  if (!profile) {
    const known = Object.keys(profiles);
    throw new Failure(
      known.length === 0 ? "There is no NanoGrid to work with." : `There is no profile ${JSON.stringify(wanted)}.`,
      known.length === 0
        ? "Sign in with: nanogrid login <url>. Or set NANOGRID_URL and NANOGRID_API_KEY."
        : `The profiles are ${known.join(", ")}. Sign in with: nanogrid login <url> --profile ${wanted}`,
    );
  }
  return { ...profile, key: key && name === undefined ? key.trim() : profile.key };
}

/** Writes a profile; the file is readable for its owner alone from its first byte on. */
export function writeProfile(name: string, profile: Profile): void {
  const file = configFile();
  const config = { profiles: { ...readConfig().profiles, [name]: profile } };
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  chmodSync(unfinished, 0o600);
  renameSync(unfinished, file);
}

function readConfig(): Config {
  let text: string;
  try {
    text = readFileSync(configFile(), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return { profiles: {} };
    }
    throw error;
  }
  try {
    const { profiles } = JSON.parse(text) as Partial<Config>;
    return { profiles: profiles ?? {} };
  } catch {
    throw new Failure(`${configFile()} is not JSON.`, "Remove it, and sign in again with: nanogrid login <url>");
  }
}

/**
 * The origin of a URL, without a slash at its end.
 * @throws Failure when it is not one of HTTP
 */
export function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.pathname !== "/") {
    throw new Failure(
      `${JSON.stringify(text)} is not the URL of a NanoGrid.`,
      "Expected one without path or user, such as https://nanogrid.example.com.",
    );
  }
  return url.origin;
}

/** Whether a URL is of this machine, to which a key may travel unencrypted. */
export function isLoopback(url: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}
