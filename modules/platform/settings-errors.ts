/** Turns schema issues into sentences that name the key, what was expected, what came, and what to do. */
import { closest, distance } from "fastest-levenshtein";
import type { z } from "zod";

/**
 * One message for all issues, a line each.
 *
 * @param environment the section of `cdktf.json` that was read
 * @param issues what the schema found
 * @param schema the schema, to suggest names for unknown keys
 */
export function explainIssues(environment: string, issues: readonly z.core.$ZodIssue[], schema: z.ZodType): string {
  const lines = issues.flatMap((issue) => explain(issue, schema));
  const count = lines.length === 1 ? "1 setting is wrong" : `${lines.length} settings are wrong`;
  return `cdktf.json, environment "${environment}": ${count}.\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

function explain(issue: z.core.$ZodIssue, schema: z.ZodType): string[] {
  const path = ["settings", ...issue.path.map(String)].join(".");
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(schema, issue.path);
    return issue.keys.map((key) => {
      const nearest = nearestOf(key, known);
      const remedy = nearest ? `Did you mean "${nearest}"?` : `Remove it; known here: ${known.join(", ")}.`;
      return `${path}.${key}: unknown setting. ${remedy}`;
    });
  }
  if (issue.code === "custom") {
    return [`${path}: ${issue.message}`];
  }
  if (issue.input === undefined) {
    return [`${path}: missing (${expectation(issue)}). Add it in cdktf.json.`];
  }
  return [
    `${path}: ${JSON.stringify(issue.input)} is wrong: expected ${expectation(issue)}. Correct it in cdktf.json.`,
  ];
}

function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `a value of type ${issue.expected}`;
    case "invalid_value":
      return `one of ${issue.values.map((value) => JSON.stringify(value)).join(", ")}`;
    case "too_small":
      return `at least ${issue.minimum}${unitOf(issue.origin)}`;
    case "too_big":
      return `at most ${issue.maximum}${unitOf(issue.origin)}`;
    default:
      return issue.message;
  }
}

function unitOf(origin: string): string {
  return origin === "string" ? " characters" : origin === "array" ? " entries" : "";
}

function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown = schema;
  for (const part of path) {
    at = shapeOf(at)?.[String(part)];
  }
  return Object.keys(shapeOf(at) ?? {});
}

/** The fields of an object schema, looking through default, optional and similar wrappers. */
function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  let at = schema as { shape?: Record<string, unknown>; def?: { innerType?: unknown } } | undefined;
  while (at && !at.shape && at.def?.innerType) {
    at = at.def.innerType as typeof at;
  }
  return at?.shape;
}

/** The candidate that is at most three edits and at most half of the key's length away. */
function nearestOf(key: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) {
    return undefined;
  }
  const nearest = closest(key, candidates);
  return distance(key, nearest) <= Math.min(3, key.length / 2) ? nearest : undefined;
}
