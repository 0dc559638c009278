/** `npm run scan-secrets [-- <path>...]`: no secret in the tree, in synth output, in states or in logs. `--help` says more. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { withFreshSynthesis } from "./support/fresh-synthesis";
import { Problem, runCommand } from "./support/problem";
import { EXCEPTIONS } from "./support/secrets/exceptions";
import { filesAt, type SecretFinding, scanFile } from "./support/secrets/scan";
import { shell } from "./support/shell";

const GIT_MS = 60_000;

interface Flags {
  readonly synth?: boolean;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

const program = new Command("npm run scan-secrets --")
  .description("Looks for secrets, and prints where they are and never what they are. Exit code 1 when there is one.")
  .argument("[paths...]", "files and folders: states, plans, logs (default: every file that git knows or would add)")
  .option("--synth", "what every environment of cdktf.json synthesizes, besides the tree")
  .option("--json", "print JSON, for programs")
  .option("--verbose", "print stack traces")
  .addHelpText(
    "after",
    `
Archives are looked into, Terraform's plan files among them.

Examples:
  npm run scan-secrets
  npm run scan-secrets -- --synth
  npm run scan-secrets -- .local/logs plans
  terraform -chdir=cdktf.out/stacks/nanogrid-data state pull > data.tfstate && npm run scan-secrets -- data.tfstate`,
  )
  .action((paths: string[], flags: Flags) => runCommand(() => scan(paths, flags), flags.verbose));

async function scan(paths: readonly string[], { synth = false, json = false }: Flags): Promise<void> {
  const wantsTree = paths.length === 0;
  const tree = wantsTree ? await filesInTree() : [];
  const found = await findingsIn([...tree, ...paths.flatMap(filesAt)]);
  const kept = wantsTree ? withoutExceptions(found) : found;
  const emitted = synth ? await findingsInSynthesis() : [];
  const all = [...kept, ...emitted];
  if (json) {
    process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
  } else {
    for (const { file, line, column, rule, kind } of all) {
      process.stdout.write(`${file}:${line}:${column}: ${kind} (${rule})\n`);
    }
  }
  if (all.length > 0) {
    throw new Problem(
      `${all.length} ${all.length === 1 ? "secret was" : "secrets were"} found.`,
      "Revoke each where it is valid, then remove it: docs/operations/secrets-found.md",
    );
  }
  if (!json) {
    process.stdout.write(
      `No secret in ${tree.length + paths.flatMap(filesAt).length} files${synth ? " and the synthesis" : ""}.\n`,
    );
  }
}

async function findingsIn(files: readonly string[]): Promise<SecretFinding[]> {
  const found: SecretFinding[] = [];
  for (const file of files) {
    found.push(...(await scanFile(file)));
  }
  return found;
}

/** Tracked files, and those that would be added. */
async function filesInTree(): Promise<string[]> {
  const listed = await shell("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    env: process.env,
    timeoutMs: GIT_MS,
    quiet: true,
    remedy: "Without git, name what is to be looked at: npm run scan-secrets -- <path>",
  });
  return listed.split("\0").filter((path) => path !== "" && isThere(path));
}

/** A file that was deleted and not committed is still listed; so is a linked repository. */
function isThere(path: string): boolean {
  try {
    return filesAt(path).includes(path);
  } catch {
    return false;
  }
}

function withoutExceptions(found: readonly SecretFinding[]): SecretFinding[] {
  const excepted = (finding: SecretFinding) =>
    EXCEPTIONS.some(({ path, rule }) => path === finding.file && rule === finding.rule);
  const unused = EXCEPTIONS.filter(
    ({ path, rule }) => !found.some((finding) => finding.file === path && finding.rule === rule),
  );
  if (unused.length > 0) {
    throw new Problem(
      `Nothing needs the exception for ${unused.map(({ path, rule }) => `${path} (${rule})`).join(", ")} any more.`,
      "Remove it from commands/support/secrets/exceptions.ts.",
    );
  }
  return found.filter((finding) => !excepted(finding));
}

/** Every environment's synthesis, in a folder of its own that is removed again. */
async function findingsInSynthesis(): Promise<SecretFinding[]> {
  const { context } = JSON.parse(readFileSync("cdktf.json", "utf8")) as { context: { environments: object } };
  const found: SecretFinding[] = [];
  for (const environment of Object.keys(context.environments)) {
    await withFreshSynthesis(environment, async (folder) => {
      const inside = await findingsIn(filesAt(folder));
      found.push(...inside.map((each) => ({ ...each, file: each.file.replace(folder, `synth:${environment}`) })));
    });
  }
  return found;
}

void program.parseAsync();
