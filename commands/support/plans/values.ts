/** Two values compared leaf by leaf, and written for a person. */
import { isDeepStrictEqual } from "node:util";
import type { AttributeChange } from "./summary";

/** Longest value that is written in full. */
const SHORT = 100;
/** Characters of a longer one before the first difference. */
const LEAD = 20;

/** A value that is compared and never shown. */
export class Hidden {
  /**
   * @param label what is shown
   * @param content what is compared
   */
  constructor(
    readonly label: string,
    readonly content: unknown,
  ) {}

  /** What it is in JSON. */
  toJSON(): string {
    return this.label;
  }
}

/** Shown for a secret. */
export const SENSITIVE = "(sensitive)";
/** Shown for what only the cloud knows. */
export const UNKNOWN = "(known after apply)";

/**
 * Hides the leaves that a mask of Terraform marks.
 *
 * @param value any JSON
 * @param mask `true` for the whole value, or an object or list of masks
 * @param label what is shown in its place
 */
export function hide(value: unknown, mask: unknown, label: string): unknown {
  if (mask === true) {
    return new Hidden(label, value);
  }
  if (Array.isArray(mask)) {
    const items: readonly unknown[] = Array.isArray(value) ? value : [];
    return Array.from({ length: Math.max(items.length, mask.length) }, (_, index) =>
      hide(items[index], mask[index], label),
    );
  }
  if (isObject(mask)) {
    const entries = isObject(value) ? value : {};
    const keys = new Set([...Object.keys(entries), ...Object.keys(mask)]);
    const hidden = [...keys].map((key): [string, unknown] => [key, hide(entries[key], mask[key], label)]);
    // What is neither there nor hidden is left out: an empty mask names keys as well.
    return hidden.every(([key, each]) => each === undefined && !(key in entries))
      ? value
      : Object.fromEntries(hidden.filter(([, each]) => each !== undefined));
  }
  return value;
}

/** The leaves that differ. JSON inside of a string, such as a policy, is compared as what it says. */
export function differences(before: unknown, after: unknown, path = ""): AttributeChange[] {
  if (isEqual(before, after)) {
    return [];
  }
  const [old, fresh] = [parsed(before), parsed(after)];
  if (isObject(old) && isObject(fresh)) {
    const keys = [...new Set([...Object.keys(old), ...Object.keys(fresh)])];
    return keys.flatMap((key) => differences(old[key], fresh[key], path === "" ? key : `${path}.${key}`));
  }
  if (Array.isArray(old) && Array.isArray(fresh) && [...old, ...fresh].some(isObject)) {
    return betweenLists(old, fresh, path);
  }
  return [leaf(path, before, after)];
}

/** Blocks have no order of their own: those that are the same on both sides are paired first. */
function betweenLists(before: readonly unknown[], after: readonly unknown[], path: string): AttributeChange[] {
  const left = [...after.entries()];
  const gone = [...before.entries()].filter(([, old]) => {
    const same = left.findIndex(([, fresh]) => isEqual(old, fresh));
    if (same >= 0) {
      left.splice(same, 1);
    }
    return same < 0;
  });
  return Array.from({ length: Math.max(gone.length, left.length) }, (_, index) => {
    const [at, old] = gone[index] ?? [];
    const [to, fresh] = left[index] ?? [];
    return differences(old, fresh, `${path}[${to ?? at}]`);
  }).flat();
}

function leaf(path: string, before: unknown, after: unknown): AttributeChange {
  const [old, fresh] = written(before, after);
  return {
    path,
    ...(isAbsent(before) ? {} : { before: old }),
    ...(isAbsent(after) ? {} : { after: fresh }),
  };
}

/** Both values as JSON; of long ones the part where they begin to differ. */
function written(before: unknown, after: unknown): [string, string] {
  const [old, fresh] = [text(before), text(after)];
  const differsAt = [...old].findIndex((letter, index) => letter !== fresh[index]);
  const from = Math.max(0, (differsAt < 0 ? old.length : differsAt) - LEAD);
  const part = (whole: string, start: number) =>
    whole.length <= SHORT
      ? whole
      : `${start > 0 ? "…" : ""}${whole.slice(start, start + SHORT)}… (${whole.length} characters)`;
  return isAbsent(before) || isAbsent(after) ? [part(old, 0), part(fresh, 0)] : [part(old, from), part(fresh, from)];
}

function text(value: unknown): string {
  return value instanceof Hidden ? value.label : (JSON.stringify(value) ?? "");
}

/** One line: `tags.owner: "a" → "b"`. */
export function attributeText({ path, before = "none", after = "none" }: AttributeChange): string {
  return `${path}: ${before} → ${after}`;
}

function isEqual(before: unknown, after: unknown): boolean {
  return (isAbsent(before) && isAbsent(after)) || isDeepStrictEqual(before, after);
}

/** Terraform writes `null`, an empty text, list or map for what is not set. What only the cloud knows will be set: it has no content yet. */
function isAbsent(value: unknown): boolean {
  return (
    (value instanceof Hidden && value.label !== UNKNOWN && isAbsent(value.content)) ||
    value === undefined ||
    value === null ||
    value === "" ||
    (Array.isArray(value) && value.length === 0) ||
    (isObject(value) && Object.keys(value).length === 0)
  );
}

function parsed(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) {
    return value;
  }
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** Whether it is an object with keys of its own. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Hidden);
}
