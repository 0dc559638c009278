/** `npm run locks` with real Terraform: one lock per stack, with the providers that the stack uses. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { removeScratch, scratchCheckout } from "../local/scratch";
import { run } from "../support/run";
import { testUnless } from "../support/tools";

const LOCKS_MS = 300_000;
const mirror = mirrorFolder();

afterAll(removeScratch);

testUnless(mirror ? undefined : "no filesystem mirror of Terraform providers")(
  "locks: every stack gets the checksums of the providers that it uses, and of no other",
  () => {
    const checkout = scratchCheckout();
    const flags = ["--fs-mirror", mirror ?? "", "--platform", "linux_amd64"];
    run("npx", ["tsx", "commands/locks.ts", ...flags], { cwd: checkout, timeoutMs: LOCKS_MS });
    const locks = join(checkout, "locks");
    expect(readdirSync(locks)).toContain("nanogrid-data.hcl");
    expect(providersOf(join(locks, "nanogrid-data.hcl"))).toEqual(["hashicorp/aws"]);
    expect(providersOf(join(locks, "nanogrid-archive.hcl"))).toEqual(["hashicorp/aws", "hashicorp/google"]);
  },
  LOCKS_MS,
);

function providersOf(lock: string): string[] {
  return [...readFileSync(lock, "utf8").matchAll(/provider "[^"/]+\/([^"]+)"/g)].map(([, name = ""]) => name);
}

/** The mirror that this run's Terraform takes providers from, when it is a folder. */
function mirrorFolder(): string | undefined {
  const file = process.env.TF_CLI_CONFIG_FILE;
  const configured = file ? /path\s*=\s*"([^"]+)"/.exec(readFileSync(file, "utf8"))?.[1] : undefined;
  return configured ?? (file ? dirname(file) : undefined);
}
