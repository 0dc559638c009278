/**
 * `npm run locks`: writes `locks/<stack>.hcl`, the dependency locks that synth copies to every stack, where the Terraform registry is
 * reachable. Run it after a change of a provider's version constraint, and commit what it writes.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { loadSettings } from "../modules/platform/settings";
import { missingProviders } from "./support/mirror";
import { runCommand } from "./support/problem";
import { shell } from "./support/shell";
import { type SynthesizedStack, synthesize } from "./support/synthesis";

/** Where engineers and CI run Terraform. */
const PLATFORMS = ["linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"];
const LOCK_MS = 900_000;

interface Flags {
  readonly fsMirror?: string;
  readonly platform: string[];
  readonly output: string;
  readonly verbose?: boolean;
}

const program = new Command("locks")
  .description("Writes the dependency lock of every stack.")
  .option("--fs-mirror <folder>", "take providers from a filesystem mirror instead of the registry")
  .option("--platform <platform...>", "platforms that the locks cover", PLATFORMS)
  .option("--output <folder>", "where the locks go", "locks")
  .option("--verbose", "print stack traces")
  .action(async (flags: Flags) => {
    await runCommand(() => writeLocks(flags), flags.verbose);
  });

async function writeLocks({ fsMirror, platform, output }: Flags): Promise<void> {
  const project = process.cwd();
  const stacks = await synthesize({ project, environment: loadSettings().environment, env: process.env });
  mkdirSync(output, { recursive: true });
  const flags = [...platform.map((name) => `-platform=${name}`), ...(fsMirror ? [`-fs-mirror=${fsMirror}`] : [])];
  for (const stack of stacks) {
    const folder = join(project, "cdktf.out", "stacks", stack.name);
    const missing = fsMirror ? missingProviders(fsMirror, join(folder, "cdk.tf.json")) : [];
    if (missing.length > 0) {
      process.stdout.write(`${stack.name}: left out: the mirror has no ${missing.join(", ")}\n`);
      continue;
    }
    await writeLock(stack, folder, join(output, `${stack.name}.hcl`), flags);
  }
}

/** In a folder of its own: the stack's may hold the lock of another environment or mirror. */
async function writeLock(
  { name }: SynthesizedStack,
  folder: string,
  lock: string,
  flags: readonly string[],
): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "locks-"));
  try {
    copyFileSync(join(folder, "cdk.tf.json"), join(work, "cdk.tf.json"));
    await shell("terraform", ["providers", "lock", "-no-color", ...flags], {
      cwd: work,
      env: { ...process.env, CHECKPOINT_DISABLE: "1" },
      timeoutMs: LOCK_MS,
      remedy: "The Terraform registry has to be reachable, or --fs-mirror has to name a mirror with every platform.",
    });
    copyFileSync(join(work, ".terraform.lock.hcl"), lock);
    process.stdout.write(`${name}: ${lock}\n`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

void program.parseAsync();
