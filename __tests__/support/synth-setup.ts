/** Runs `main.ts` once per environment, two at a time, before the first test. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ALL_ENVIRONMENTS, type Environment, SYNTHESIZED, VARIANTS } from "./synth";

const PARALLEL = 2;
const TIMEOUT_MS = 120_000;

export default async function synthesizeAll(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "synthesized-"));
  mkdirSync(join(folder, "constructs"));
  process.env[SYNTHESIZED] = folder;
  const { context } = JSON.parse(readFileSync("cdktf.json", "utf8")) as { context: { environments: object } };
  const withVariants = JSON.stringify({ ...context, environments: { ...context.environments, ...VARIANTS } });
  const waiting = [...ALL_ENVIRONMENTS];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      await synthesize(next, join(folder, next), withVariants);
    }
  };
  try {
    await Promise.all(Array.from({ length: PARALLEL }, work));
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

async function synthesize(environment: Environment, outdir: string, context: string): Promise<void> {
  await promisify(execFile)(process.execPath, ["--import", "tsx", "main.ts"], {
    env: { ...process.env, ENVIRONMENT: environment, CDKTF_OUTDIR: outdir, CDKTF_CONTEXT_JSON: context },
    timeout: TIMEOUT_MS,
  });
}
