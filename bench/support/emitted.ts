/** The application's Terraform under settings of one's own, made in a folder that is gone afterwards. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SYNTH_MS = 180_000;

/** Account of the environment that is synthesized. */
export const ACCOUNT = "111122223333";

/**
 * @param sections of an environment: `nanogrid`, and others
 * @returns the Terraform JSON of each stack, by its name
 * @throws Error with what the application said
 */
export function emitted(sections: object): ReadonlyMap<string, unknown> {
  const folder = mkdtempSync(join(tmpdir(), "emitted-"));
  const environments = { apart: { accountId: ACCOUNT, owner: "nobody", ...sections } };
  try {
    const { status, stderr } = spawnSync(process.execPath, ["--import", "tsx", "main.ts"], {
      env: {
        ...process.env,
        ENVIRONMENT: "apart",
        CDKTF_OUTDIR: folder,
        CDKTF_CONTEXT_JSON: JSON.stringify({ environments }),
      },
      encoding: "utf8",
      timeout: SYNTH_MS,
    });
    if (status !== 0) {
      throw new Error(`synth with ${JSON.stringify(sections)}: exit status ${status}\n${stderr}`);
    }
    const stacks = join(folder, "stacks");
    return new Map(
      readdirSync(stacks).map((stack) => [stack, JSON.parse(readFileSync(join(stacks, stack, "cdk.tf.json"), "utf8"))]),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
