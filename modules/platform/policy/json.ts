/** Rendered Terraform, as rules read it. */

/** JSON, read only. */
export type Json = string | number | boolean | null | readonly Json[] | Block;

/** A JSON object: a block of Terraform's JSON syntax. */
export interface Block {
  readonly [key: string]: Json | undefined;
}

/** Whether a value is an object. */
export function isBlock(value: Json | undefined): value is Block {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The blocks under a key: Terraform's JSON syntax takes one block or a list of them. */
export function blocks(value: Json | undefined): readonly Block[] {
  return listOf(value).filter(isBlock);
}

/** A value or a list of values, as a list. */
export function listOf(value: Json | undefined): readonly Json[] {
  if (value === undefined || value === null) {
    return [];
  }
  return Array.isArray(value) ? (value as readonly Json[]) : [value];
}

/** The strings of a value that is one or a list of them. */
export function strings(value: Json | undefined): readonly string[] {
  return listOf(value).filter((each): each is string => typeof each === "string");
}

/** Whether a value is true. Terraform takes the word for it, too. */
export function isTrue(value: Json | undefined): boolean {
  return value === true || value === "true";
}
