/**
 * `npm run check:opentofu`: `tofu init -backend=false` and `tofu validate` of every stack, in folders of their own. Exit code 1 when
 * OpenTofu finds fault with one.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { cacheFolder, withFreshSynthesis } from "./support/fresh-synthesis";
import { missingProviders } from "./support/mirror";
import { configuredMirror, providersForOpenTofu } from "./support/opentofu/mirror";
import { openTofu } from "./support/opentofu/program";
import { Problem, runCommand } from "./support/problem";
import { shell, shellResult } from "./support/shell";
import { columns } from "./support/table";

const COMMAND = "npm run check:opentofu";
const INIT_MS = 300_000;
const VALIDATE_MS = 180_000;
const VERSION_MS = 10_000;

/** What OpenTofu says of one stack. */
interface Verdict {
  readonly stack: string;
  /** Undefined where it was not looked at. */
  readonly valid?: boolean;
  /** Providers that the mirror lacks, so that it was not. */
  readonly missing?: readonly string[];
  readonly diagnostics: readonly { readonly severity: string; readonly summary: string; readonly detail?: string }[];
  readonly seconds: number;
}

interface Flags {
  readonly from?: string;
  readonly json?: boolean;
}

const program = new Command(`${COMMAND} --`)
  .description(
    "Validates every stack with OpenTofu, without its state. ENVIRONMENT names the environment (without it: dev).",
  )
  .option(
    "--from <cdktf.out>",
    "validate what is synthesized there (default: synthesizes ENVIRONMENT into a folder of its own)",
  )
  .option("--json", "print JSON, for programs")
  .addHelpText("after", `\nExamples:\n  ${COMMAND}\n  ENVIRONMENT=prod ${COMMAND} -- --json`)
  .action(async ({ from, json = false }: Flags) => {
    await runCommand(async () => {
      const tofu = await openTofu(cacheFolder(process.env), process.env, say);
      const environment = process.env.ENVIRONMENT || "dev";
      const verdicts =
        from === undefined
          ? await withFreshSynthesis(environment, (output) => validate(tofu, output))
          : await validate(tofu, from);
      const version = await shell(tofu, ["version"], { env: process.env, timeoutMs: VERSION_MS });
      process.stdout.write(`${json ? JSON.stringify(verdicts, null, 2) : report(version, verdicts)}\n`);
      if (verdicts.some(({ valid }) => valid === false)) {
        throw new Problem("OpenTofu finds fault with some stacks.", "The list above says with what.");
      }
    });
  });

async function validate(tofu: string, output: string): Promise<Verdict[]> {
  const folder = mkdtempSync(join(tmpdir(), "opentofu-"));
  try {
    return await validateIn(folder, tofu, output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function validateIn(folder: string, tofu: string, output: string): Promise<Verdict[]> {
  const env = { ...process.env, ...providersForOpenTofu(folder, process.env), TF_IN_AUTOMATION: "1" };
  const verdicts: Verdict[] = [];
  const mirror = configuredMirror(process.env);
  for (const stack of stacksIn(output)) {
    const missing = mirror === undefined ? [] : missingProviders(mirror, join(output, "stacks", stack, "cdk.tf.json"));
    if (missing.length > 0) {
      say(`${stack}: left out: the mirror has no ${missing.join(", ")}`);
      verdicts.push({ stack, missing, diagnostics: [], seconds: 0 });
      continue;
    }
    say(`Validating ${stack}`);
    const started = performance.now();
    const own = join(folder, stack);
    // Terraform's lock files name providers by its own registry.
    cpSync(join(output, "stacks", stack), own, { recursive: true, filter: (file) => !/\.terraform/.test(file) });
    await shell(tofu, ["init", "-backend=false", "-input=false", "-no-color"], {
      cwd: own,
      env,
      timeoutMs: INIT_MS,
      remedy: "OpenTofu needs the providers: let it reach its registry, or name a mirror in TF_CLI_CONFIG_FILE.",
    });
    const { stdout } = await shellResult(
      tofu,
      ["validate", "-json"],
      { cwd: own, env, timeoutMs: VALIDATE_MS },
      [0, 1],
    );
    // Warnings about the configuration of its command line come before the JSON.
    const { valid, diagnostics } = JSON.parse(stdout.slice(stdout.indexOf("{"))) as Pick<
      Verdict,
      "valid" | "diagnostics"
    >;
    verdicts.push({ stack, valid, diagnostics, seconds: Math.round((performance.now() - started) / 100) / 10 });
    // A copy of the providers would be left in each.
    rmSync(own, { recursive: true, force: true });
  }
  return verdicts;
}

function report(version: string, verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ stack, valid, missing = [], seconds }) => [
    stack,
    missing.length > 0 ? `left out: no ${missing.join(", ")} in the mirror` : valid ? "valid" : "not valid",
    `${seconds} s`,
  ]);
  const details = verdicts.flatMap(({ stack, diagnostics }) =>
    diagnostics.map(({ severity, summary, detail = "" }) => `${stack}: ${severity}: ${summary}. ${detail}`.trim()),
  );
  return [version.split("\n")[0], "", columns([["stack", "says", "time"], ...rows]), ...details].join("\n");
}

/** The stacks of the manifest, in its order. */
function stacksIn(output: string): string[] {
  const { stacks } = JSON.parse(readFileSync(join(output, "manifest.json"), "utf8")) as {
    stacks: Record<string, unknown>;
  };
  return Object.keys(stacks);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

void program.parseAsync();
