/**
 * JSON that passes through unchanged. What a user sends and a function returns is never parsed into JavaScript's numbers, which
 * would round integers over 2^53.
 */

/** JSON of `value` with one more member, whose value is already JSON. */
export function withRaw(value: object, member: string, json: string): string {
  const rest = JSON.stringify(value).slice(0, -1);
  return `${rest}${rest === "{" ? "" : ","}${JSON.stringify(member)}:${json}}`;
}

/** Deepest nesting of an event: what reads it further on gives up at 200 levels. */
const MAX_DEPTH = 100;
/** Longest number of an event, in characters: what reads it further on gives up at 4,300 digits. */
const MAX_NUMBER = 1_000;
const LONE_SURROGATE = /\p{Surrogate}/u;
const NUMBER = /[\d.eE+-]*/y;

/** What about a JSON text is more than every language reads alike, as the end of a sentence; undefined for nothing. */
export function unreadable(json: string): string | undefined {
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const character = json.charAt(at);
    if (character === "[" || character === "{") {
      depth += 1;
      if (depth > MAX_DEPTH) {
        return `is nested deeper than ${MAX_DEPTH} levels`;
      }
    } else if (character === "]" || character === "}") {
      depth -= 1;
    } else if (character === '"') {
      const text = json.slice(at, endOfText(json, at));
      if (text.includes("\\u") && LONE_SURROGATE.test(JSON.parse(text))) {
        return "holds half a character: a surrogate without its other half";
      }
      at += text.length - 1;
    } else if (character === "-" || (character >= "0" && character <= "9")) {
      NUMBER.lastIndex = at;
      const number = NUMBER.exec(json)?.[0] ?? "";
      if (number.length > MAX_NUMBER || !Number.isFinite(Number(number))) {
        return `holds a number that is not finite or has over ${MAX_NUMBER} characters`;
      }
      at += number.length - 1;
    }
  }
  return undefined;
}

/** Where a text that begins at `start` has ended. No regular expression: its stack would overflow on a text of megabytes. */
function endOfText(json: string, start: number): number {
  let at = start + 1;
  while (json.charAt(at) !== '"') {
    at += json.charAt(at) === "\\" ? 2 : 1;
  }
  return at + 1;
}

/** Whether a text is JSON. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
