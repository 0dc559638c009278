/** Identifiers of functions, jobs, keys and requests: all but a key's are a prefix and a ULID (48 bits of milliseconds, 80 random bits). */
import { randomBytes } from "node:crypto";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ULID = "[0-7][0-9A-HJKMNP-TV-Z]{25}";

/** What an id of a function looks like. */
export const FUNCTION_ID = new RegExp(`^fn_${ULID}$`);
/** What an id of a job looks like. */
export const JOB_ID = new RegExp(`^job_${ULID}$`);

/** What an id of an API key looks like: the first digits of its hash. */
export const KEY_ID = /^key_[0-9a-f]{16}$/;

/** A new id, such as `job_01JD8Q4YB3R6Z7K2M5N8P0QWES`. Ids sort by time of creation, to the millisecond. */
export function newId(prefix: "fn" | "job" | "req"): string {
  return `${prefix}_${base32(BigInt(Date.now()), 10)}${base32(BigInt(`0x${randomBytes(10).toString("hex")}`), 16)}`;
}

function base32(value: bigint, digits: number): string {
  let text = "";
  for (let rest = value; text.length < digits; rest >>= 5n) {
    text = ALPHABET.charAt(Number(rest & 31n)) + text;
  }
  return text;
}
