/** What looks like a secret in the tree and is none. An exception that nothing needs any more is an error. */

/** Findings of one rule in one file that are known. */
export interface SecretException {
  /** Path from the root of the checkout. */
  readonly path: string;
  /** The rule's id. */
  readonly rule: string;
  readonly reason: string;
}

export const EXCEPTIONS: readonly SecretException[] = [
  {
    path: "__tests__/userdata/controller/invocations.test.ts",
    rule: "@secretlint/secretlint-rule-basicauth",
    reason: "a callback address with a made-up password, which the test shows to be refused",
  },
];
