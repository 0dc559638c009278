/**
 * `ENVIRONMENT=dev npm run state-backend`: creates the bucket of the Terraform states, and moves its own state there. Safe to run again,
 * also after an interruption.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { Command } from "commander";
import { loadSettings } from "../modules/platform/settings";
import { checkAccount } from "./support/checks";
import { createClients } from "./support/clients";
import { Problem, Problems, runCommand } from "./support/problem";
import { ensureStateBucket, type StateBucketResult } from "./support/state-bucket";
import { synthesize } from "./support/synthesis";
import { terraformProgram } from "./support/terraform";

interface Options {
  readonly autoApprove?: boolean;
  readonly verbose?: boolean;
}

const program = new Command("state-backend")
  .description("Creates the bucket of the Terraform states, and moves its own state there.")
  .option("--auto-approve", "change an existing state bucket without asking")
  .option("--verbose", "print stack traces")
  .action(async (options: Options) => {
    await runCommand(() => stateBackend(options), options.verbose);
  });

const SENTENCES: Readonly<Record<StateBucketResult, string>> = {
  created: "was created; its state is in it",
  continued: "is complete, after an interrupted run; its state is in it",
  unchanged: "is as its settings say",
  changed: "was changed to what its settings say",
  declined: "differs from its settings and was left as it is",
};

async function stateBackend({ autoApprove = false }: Options): Promise<void> {
  const project = process.cwd();
  const settings = loadSettings();
  const say = (text: string) => process.stdout.write(`… ${text}\n`);
  const terraform = terraformProgram(process.env);
  const clients = createClients(settings, process.env);
  const wrongAccount = await checkAccount(clients.sts, settings);
  if (wrongAccount.length > 0) {
    throw new Problems(wrongAccount);
  }
  say("synthesizing");
  await synthesize({ project, environment: settings.environment, env: process.env });
  const log = join(project, "cdktf.out", "state-backend.log");
  rmSync(log, { force: true });
  const result = await ensureStateBucket({
    project,
    settings,
    terraform,
    how: { env: { ...process.env, ENVIRONMENT: settings.environment }, log },
    s3: clients.s3,
    approve: async (plan) => autoApprove || (await ask(plan)),
    say,
  });
  process.stdout.write(`The state bucket "${settings.state.bucket}" ${SENTENCES[result]}.\n`);
  if (result === "declined") {
    throw new Problem("Nothing was changed.", "Run it with --auto-approve to apply the plan above.");
  }
}

/** Prints the plan and asks on a terminal; elsewhere the answer is no. */
async function ask(plan: string): Promise<boolean> {
  process.stdout.write(`${plan}\n`);
  if (!process.stdin.isTTY) {
    return false;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question("Apply this plan? [y/N] ")).trim());
  } finally {
    terminal.close();
  }
}

void program.parseAsync();
