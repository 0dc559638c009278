/**
 * JSON that passes through unchanged. What a user sends and a function returns is never parsed into JavaScript's numbers, which
 * would round integers over 2^53.
 */

/** JSON of `value` with one more member, whose value is already JSON. */
export function withRaw(value: object, member: string, json: string): string {
  const rest = JSON.stringify(value).slice(0, -1);
  return `${rest}${rest === "{" ? "" : ","}${JSON.stringify(member)}:${json}}`;
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
