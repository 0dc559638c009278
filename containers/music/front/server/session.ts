/** Who asks: a session in a signed cookie for the browser, a short-lived signed token for the back. */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** What the back expects as `aud` (music_back/identity.py). */
const AUDIENCE = "music-back";
/** How long a browser is known: runs are kept for less. */
const SESSION_S = 30 * 86_400;
/** How long the back takes a token: it is made anew for each request. */
const TOKEN_S = 60;

/** Signs and reads sessions. */
export class Sessions {
  private readonly cookie: string;

  /**
   * @param key shared with the back: 32 characters or more
   * @param secure whether the browser comes by https; without it, as on loopback, the cookie cannot be bound to the host
   */
  constructor(
    private readonly key: string,
    private readonly secure: boolean,
  ) {
    this.cookie = secure ? "__Host-music" : "music";
  }

  /** The user of a request's cookies; undefined where there is none whose signature and time are good. */
  userOf(cookies: string | undefined): string | undefined {
    const value = (cookies ?? "")
      .split(/;\s*/)
      .find((each) => each.startsWith(`${this.cookie}=`))
      ?.slice(this.cookie.length + 1);
    const [user = "", until = "", signature = ""] = value?.split(".") ?? [];
    if (!/^[0-9a-f]{32}$/.test(user) || !isSame(signature, this.sign(`session.${user}.${until}`))) {
      return undefined;
    }
    return Number(until) > nowS() ? user : undefined;
  }

  /** A cookie with a new user: scripts cannot read it, and other sites' requests do not carry it. */
  newCookie(): string {
    const user = randomBytes(16).toString("hex");
    const until = nowS() + SESSION_S;
    const value = `${user}.${until}.${this.sign(`session.${user}.${until}`)}`;
    const flags = `Path=/; Max-Age=${SESSION_S}; HttpOnly; SameSite=Strict${this.secure ? "; Secure" : ""}`;
    return `${this.cookie}=${value}; ${flags}`;
  }

  /** A token that tells the back who asks: a JWT of HS256. */
  token(user: string): string {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const body = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: user, aud: AUDIENCE, exp: nowS() + TOKEN_S })}`;
    return `${body}.${this.sign(body)}`;
  }

  private sign(text: string): string {
    return createHmac("sha256", this.key).update(text).digest("base64url");
  }
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function nowS(): number {
  return Math.floor(Date.now() / 1_000);
}
