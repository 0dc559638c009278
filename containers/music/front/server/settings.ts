/** The front's settings, from its environment alone. */

/** What the front is told. */
export interface Settings {
  /** MUSIC_HOST: address to listen at. @default "0.0.0.0" */
  readonly host: string;
  /** MUSIC_PORT. @default 8080 */
  readonly port: number;
  /** MUSIC_BACK: URL of the back. @default "http://back:8000" */
  readonly back: URL;
  /** MUSIC_SESSION_KEY: signs users; the same in the back. */
  readonly sessionKey: string;
  /** MUSIC_PAGE: folder of the page's files. @default "/opt/music/page" */
  readonly page: string;
  /** MUSIC_SECURE_COOKIE: whether browsers come by https. @default true */
  readonly secure: boolean;
  /** MUSIC_DRAIN_SECONDS: how long requests may go on after SIGTERM. @default 60 */
  readonly drainS: number;
}

const KEY_CHARACTERS = 32;

/** @throws Error that names every variable that is missing or wrong, one a line */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const wrong: string[] = [];
  const number = (name: string, usual: number, least: number, most: number): number => {
    const value = Number(env[name] ?? usual);
    if (!Number.isInteger(value) || value < least || value > most) {
      wrong.push(`${name}: expected a whole number from ${least} to ${most}, got ${JSON.stringify(env[name])}.`);
    }
    return value;
  };
  const back = env.MUSIC_BACK ?? "http://back:8000";
  if (!/^https?:\/\/[^/\s]+$/.test(back) || !URL.canParse(back)) {
    wrong.push(`MUSIC_BACK: expected a URL without a path, such as http://back:8000, got ${JSON.stringify(back)}.`);
  }
  const sessionKey = env.MUSIC_SESSION_KEY ?? "";
  if (sessionKey.length < KEY_CHARACTERS) {
    wrong.push(`MUSIC_SESSION_KEY: expected ${KEY_CHARACTERS} characters or more. Set it to the back's.`);
  }
  const secure = env.MUSIC_SECURE_COOKIE ?? "true";
  if (!["true", "false"].includes(secure)) {
    wrong.push(`MUSIC_SECURE_COOKIE: expected true or false, got ${JSON.stringify(secure)}.`);
  }
  const port = number("MUSIC_PORT", 8080, 1, 65_535);
  const drainS = number("MUSIC_DRAIN_SECONDS", 60, 0, 3_600);
  if (wrong.length > 0) {
    throw new Error(wrong.join("\n"));
  }
  return {
    host: env.MUSIC_HOST ?? "0.0.0.0",
    port,
    back: new URL(back),
    sessionKey,
    page: env.MUSIC_PAGE ?? "/opt/music/page",
    secure: secure === "true",
    drainS,
  };
}
