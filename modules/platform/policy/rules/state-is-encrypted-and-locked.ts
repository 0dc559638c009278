/** States that are encrypted, and written by one at a time. */
import { blocks, isBlock, isTrue } from "../json";
import type { Rule } from "../rule";

export const stateIsEncryptedAndLocked: Rule = {
  id: "state-is-encrypted-and-locked",
  title: "Every stack keeps its state in S3, encrypted and locked, for one account.",
  reason:
    "A state names all that exists; on a laptop it is lost with the laptop, and without a lock two runs destroy it.",
  remedy: "Extend PlatformStack, which configures the backend.",
  types: ["terraform"],
  check: ({ body }) => {
    const backend = isBlock(body.backend) ? body.backend : {};
    const [s3] = blocks(backend.s3);
    if (s3 === undefined) {
      return `the backend is ${Object.keys(backend).join(", ") || "none"} instead of s3`;
    }
    const found = [
      ...(isTrue(s3.encrypt) ? [] : ["encrypt is not true"]),
      ...(isTrue(s3.use_lockfile) ? [] : ["use_lockfile is not true"]),
      ...(s3.allowed_account_ids === undefined ? ["allowed_account_ids is not set"] : []),
    ];
    return found.length === 0 ? undefined : found.join(", ");
  },
};
