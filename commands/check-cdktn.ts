/**
 * `npm run check:cdktn`: moves a copy of the project to CDK Terrain, the maintained fork of CDKTF, by renaming imports, and compares what
 * both synthesize, stack by stack and environment by environment. The project itself stays as it is. Exit code 1 when a stack differs.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { type Difference, differences, IGNORED } from "./support/cdktn/compare";
import { copyProject, linkCdkTerrain, MOVED, renamed } from "./support/cdktn/copies";
import { type CdkTerrain, cdkTerrain } from "./support/cdktn/packages";
import { cacheFolder } from "./support/fresh-synthesis";
import { Problem, runCommand } from "./support/problem";
import { shell } from "./support/shell";
import { columns } from "./support/table";

const COMMAND = "npm run check:cdktn";
const SYNTH_MS = 180_000;
const LOG = join(".local", "logs", "check-cdktn.log");
/** Differences of a stack that are printed. */
const SHOWN = 10;
/** What CDK Terrain asks a project to say: without it, S3's native locking is refused as too new for what it then assumes. */
const TARGETS = { terraform: ">=1.11.0", opentofu: ">=1.10.0" };

/** One stack of one environment. */
interface Compared {
  readonly environment: string;
  readonly stack: string;
  /** Providers of the stack that have no bindings for CDK Terrain: CDKTF's were used. */
  readonly missing: readonly string[];
  readonly differences: readonly Difference[];
}

const program = new Command(`${COMMAND} --`)
  .description("Compares what CDKTF and CDK Terrain synthesize from the same sources, in a copy.")
  .option("--environment <name...>", "environments of cdktf.json (default: all)")
  .option("--json", "print JSON, for programs")
  .addHelpText("after", `\nExamples:\n  ${COMMAND}\n  ${COMMAND} -- --environment dev --json`)
  .action(async ({ environment, json = false }: { environment?: string[]; json?: boolean }) => {
    await runCommand(async () => {
      const folder = mkdtempSync(join(tmpdir(), "cdktn-"));
      try {
        const terrain = await cdkTerrain(".", cacheFolder(process.env), process.env, say);
        const compared = await compare(folder, terrain, environment);
        process.stdout.write(`${json ? JSON.stringify(compared, null, 2) : report(terrain, compared)}\n`);
        if (compared.some(({ differences }) => differences.length > 0)) {
          throw new Problem("Some stacks differ under CDK Terrain.", "The list above says where.");
        }
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  });

async function compare(folder: string, terrain: CdkTerrain, only: readonly string[] | undefined): Promise<Compared[]> {
  const { context } = JSON.parse(readFileSync("cdktf.json", "utf8")) as {
    context: { environments: Record<string, unknown> };
  };
  const known = Object.keys(context.environments);
  const wrong = only?.find((name) => !known.includes(name));
  if (wrong !== undefined) {
    throw new Problem(`cdktf.json has no environment "${wrong}".`, `Choose from ${known.join(", ")}.`);
  }
  const before = join(folder, "before");
  const after = join(folder, "after");
  await copyProject(resolve("."), before, process.env, (text) => text);
  const changed = await copyProject(resolve("."), after, process.env, (text) => renamed(text, terrain.renamed), MOVED);
  say(`Renamed imports in ${changed} files of the copy`);
  const hook = linkCdkTerrain(after, terrain.folder);
  const compared: Compared[] = [];
  for (const environment of only ?? known) {
    say(`Synthesizing ${environment} under both`);
    const old = await synthesize(process.execPath, [], before, environment, context);
    const moved = { ...context, targetVersions: TARGETS };
    const fresh = await synthesize(terrain.node, ["--require", hook], after, environment, moved);
    for (const stack of [...new Set([...old.keys(), ...fresh.keys()])].sort()) {
      compared.push({
        environment,
        stack,
        missing: terrain.missing.filter((provider) => providersOf(old.get(stack)).includes(provider)),
        differences: differences(old.get(stack), fresh.get(stack)),
      });
    }
  }
  return compared;
}

/** Runs the app of a copy. @returns the Terraform JSON of each stack */
async function synthesize(
  node: string,
  flags: readonly string[],
  project: string,
  environment: string,
  context: object,
): Promise<ReadonlyMap<string, unknown>> {
  const output = join(project, "cdktf.out", environment);
  mkdirSync(output, { recursive: true });
  await shell(node, [...flags, "--import", "tsx", "main.ts"], {
    cwd: project,
    env: {
      ...process.env,
      ENVIRONMENT: environment,
      CDKTF_OUTDIR: output,
      CDKTF_CONTEXT_JSON: JSON.stringify(context),
    },
    timeoutMs: SYNTH_MS,
    log: LOG,
    remedy: "What it says is what stands in the way of the move.",
  });
  const stacks = join(output, "stacks");
  return new Map(
    readdirSync(stacks)
      .filter((stack) => existsSync(join(stacks, stack, "cdk.tf.json")))
      .map((stack) => [stack, JSON.parse(readFileSync(join(stacks, stack, "cdk.tf.json"), "utf8"))]),
  );
}

function providersOf(stack: unknown): string[] {
  const { terraform } = (stack ?? {}) as { terraform?: { required_providers?: Record<string, unknown> } };
  return Object.keys(terraform?.required_providers ?? {});
}

function report({ versions, missing }: CdkTerrain, compared: readonly Compared[]): string {
  const rows = compared.map(({ environment, stack, missing, differences }) => [
    environment,
    stack,
    differences.length === 0 ? "same" : `${differences.length} differences`,
    missing.map((provider) => `with CDKTF's bindings of ${provider}`).join(", "),
  ]);
  const details = compared.flatMap(({ environment, stack, differences }) =>
    differences
      .slice(0, SHOWN)
      .map(({ path, before, after }) => `${environment} ${stack} ${path}: ${shown(before)} → ${shown(after)}`),
  );
  const same = compared.filter(({ differences }) => differences.length === 0).length;
  return [
    `CDK Terrain: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}`,
    ...missing.map(
      (provider) =>
        `npm has no @cdktn/provider-${provider}: CDKTF's bindings were used, with CDK Terrain in CDKTF's place`,
    ),
    `Not compared: ${IGNORED.map(({ why }) => why).join("; ")}. A provider's address is compared in its full form.`,
    `Added to the context: "targetVersions": ${JSON.stringify(TARGETS)}`,
    "",
    columns([["environment", "stack", "Terraform JSON", ""], ...rows]),
    ...(details.length > 0 ? ["", ...details] : []),
    "",
    `${same} of ${compared.length} are the same.`,
  ].join("\n");
}

function shown(value: unknown): string {
  return value === undefined ? "(not there)" : JSON.stringify(value).slice(0, 120);
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

void program.parseAsync();
