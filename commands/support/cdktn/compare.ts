/** Two synthesized Terraform documents of a stack, place by place. */
import { isDeepStrictEqual } from "node:util";

/** A place where two documents differ. */
export interface Difference {
  /** Keys from the top, such as `resource.aws_vpc.vpc.cidr_block`. */
  readonly path: string;
  /** The value in each; undefined where it is missing. */
  readonly before: unknown;
  readonly after: unknown;
}

/** What has to differ, and says nothing about what is deployed. */
export const IGNORED: readonly { readonly path: RegExp; readonly why: string }[] = [
  { path: /^\/\/\.metadata\.version$/, why: "the version of the library that wrote the file" },
  { path: /^terraform\.required_providers\.\w+\.version$/, why: "the provider version that bindings pin" },
];

/**
 * Every place where two documents differ, those left out that have to.
 *
 * An address of a provider is compared in its full form: `aws` is short for `hashicorp/aws`.
 */
export function differences(before: unknown, after: unknown): Difference[] {
  return [...walk(before, after, [])].filter(({ path }) => !IGNORED.some((ignored) => ignored.path.test(path)));
}

function* walk(before: unknown, after: unknown, keys: readonly string[]): Generator<Difference> {
  if (isDeepStrictEqual(before, after)) {
    return;
  }
  if (isTree(before) && isTree(after) && Array.isArray(before) === Array.isArray(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      yield* walk(before[key], after[key], [...keys, key]);
    }
    return;
  }
  const path = keys.join(".");
  if (/^terraform\.required_providers\.\w+\.source$/.test(path) && fullAddress(before) === fullAddress(after)) {
    return;
  }
  yield { path, before, after };
}

function isTree(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function fullAddress(source: unknown): string {
  const text = String(source);
  return text.includes("/") ? text : `hashicorp/${text}`;
}
