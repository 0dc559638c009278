/** What the roles of the environment `local` may do, by a synthesis of its own: tests want names before they may wait. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../support/run";
import type { Emitted } from "./emitted";
import { exceptionFor, type Grant, grantsOf } from "./exceptions";

/** One system's permissions. */
export interface LocalGrants {
  /** The `cdktf.out` that they were read from. */
  readonly out: string;
  readonly emitted: Emitted;
  readonly grants: readonly Grant[];
  /** Those that have to be shown to be needed. */
  readonly shown: readonly Grant[];
  /** Those that are taken on trust. */
  readonly excepted: readonly Grant[];
  /** Removes `out`. */
  remove(): void;
}

/**
 * Synthesizes and reads.
 *
 * @param belongs whether a stack is the system's
 */
export function localGrants(belongs: (stack: string) => boolean): LocalGrants {
  const out = mkdtempSync(join(tmpdir(), "permissions-"));
  const node = (...args: string[]) =>
    run(process.execPath, ["--import", "tsx", ...args], {
      env: { ...process.env, ENVIRONMENT: "local", CDKTF_OUTDIR: out },
    });
  node("main.ts");
  const emitted = JSON.parse(node("__tests__/permissions/print-emitted.ts", out)) as Emitted;
  const grants = grantsOf(emitted.roles).filter(({ stack }) => belongs(stack));
  const isShown = (grant: Grant) => exceptionFor(grant) === undefined;
  return {
    out,
    emitted,
    grants,
    shown: grants.filter(isShown),
    excepted: grants.filter((grant) => !isShown(grant)),
    remove: () => rmSync(out, { recursive: true, force: true }),
  };
}
